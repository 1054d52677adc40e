"""Everything a report needs from the store, as of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from console.profiles.context import Context
from store.acks import ACK_KIND, ack_name, acked_until, read_acks
from store.counters import QUARTER_US
from store.people import People
from store.reader import Broadcast, Reader
from store.report import Report, build_report
from store.windows import Windows

#: How often the counts may change while what stands beside them is read, before that is left out.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ReportSource:
    """What to read a report from, for one tenant."""

    reader: Reader
    windows: Windows
    people: People
    tenant: int

    def report(self, number: int, broadcast: Broadcast | None, *, now_us: int, is_test: bool = False) -> Report:
        """Return the numbers of a broadcast, or of its test sends, as they are at ``now_us``."""
        return self._built(self.reader.counts(self.tenant, number, is_test=is_test), broadcast, now_us)

    def report_and_context(
        self, number: int, broadcast: Broadcast | None, *, now_us: int, is_test: bool = False, has_errors: bool = False
    ) -> tuple[Report, Context]:
        """Return the numbers and what a profile wants to know beside them.

        ``has_errors`` counts the errors nobody has acknowledged as well: that reads each of them. All is of one
        moment, so that figures made of it agree (I10, R22): what stands beside the counts is read again when they
        moved meanwhile, and left out when they never stand still.
        """
        status = broadcast.status if broadcast else None
        if is_test:
            report = self.report(number, broadcast, now_us=now_us, is_test=True)
            return report, Context(now_us=now_us, status=status)
        counts = self.reader.counts(self.tenant, number)
        clickers: int | None = None
        unacknowledged: int | None = None
        for _ in range(_TRIES):
            clickers = sum(link.get("users", 0) for _, _, link in self.reader.links(self.tenant, number))
            unacknowledged = self._unacknowledged(number) if has_errors else None
            before, counts = counts, self.reader.counts(self.tenant, number)
            if before == counts:
                break
            clickers = unacknowledged = None
        first, last = self._done_between(number)
        report = self._built(counts, broadcast, now_us)
        is_under_way = report.in_flight > report.reserved
        context = Context(
            now_us=now_us,
            done_first_us=first,
            done_last_us=last,
            status=status,
            done_per_s=self.windows.done_per_s(self.tenant, number, now_us) if is_under_way else None,
            link_clickers=clickers,
            unacknowledged=unacknowledged,
            test_listed=self.reader.counts(self.tenant, number, is_test=True).get("listed", 0),
        )
        return report, context

    def _unacknowledged(self, number: int) -> int:
        document = self.reader.document(self.tenant, ACK_KIND, ack_name(number))
        seen = acked_until(read_acks(document.body if document else None))
        return self.people.count_errors(self.tenant, number, after_seq=seen)[0]

    def _done_between(self, number: int) -> tuple[int | None, int | None]:
        """Return when the first delivery was done and, at the latest, the last: times are kept by the quarter hour."""
        span = self.windows.done_span(self.tenant, number)
        return (span[0], span[1] + QUARTER_US) if span else (None, None)

    def _built(self, counts: Mapping[str, int], broadcast: Broadcast | None, now_us: int) -> Report:
        last_attempt_us = self.reader.last_attempt_us(self.tenant)
        return build_report(counts, broadcast, last_attempt_us=last_attempt_us, now_us=now_us)


def wants_errors(profile: str | None, explain: str | None) -> bool:
    """Whether a view shows the errors nobody has acknowledged."""
    return profile == "relation" or explain == "unacknowledged"
