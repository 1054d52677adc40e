"""All mails of a tenant by when they were asked for, narrowed by six filters (E01, E20, E21)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from model.cause import Channel
from model.detail import ExcludedKind, Planned, Report
from model.fact import DeliveryKey, FactType
from store import keys
from store.environment import Environment
from store.log import read_fact
from store.outcome import Outcome, State, settle
from store.reader import PAGE_SIZE, Budget, Page
from store.record import Entry, Record
from store.records import Records
from store.roster import RosterRow, read_page, row_of
from store.transaction import Transaction

#: Most days one query may span (E21).
MAX_DAYS = 30
_LATEST = 2**63 - 1
_ENDS = (FactType.ACCEPTED, FactType.RELAYED, FactType.FAILED)
_REPORTS = (FactType.ACCEPTED, FactType.DEFERRED, FactType.FAILED, FactType.RELAYED)


@dataclass(frozen=True, slots=True)
class MailStatus:
    """One mail: the eight fields of E01 and where it belongs. ``status`` is one of STATUSES."""

    key: DeliveryKey
    status: str
    listed: RosterRow
    outcome: Outcome
    #: of the attempt that ended it, else of the last one; None where the sending side said nothing
    sent_us: int | None
    send_ip: str | None
    #: what the server said last
    send_log: str


#: requested, delivered, soft_bounce (accepted first, E04), invalid (refused, or in STOPPED, E05), cancelled, excluded
STATUSES = ("requested", "delivered", "soft_bounce", "invalid", "cancelled", "excluded")
#: What was not sent at all and yet is invalid in the third seed, and its class (E12, E13, E15, X3). Of other exclusions
#: that seed knows nothing.
STOPPED = {
    ExcludedKind.BOUNCE: "blacklist",
    ExcludedKind.COMPLAINT: "blacklist",
    ExcludedKind.BLOCK: "blacklist",
    ExcludedKind.UNSUBSCRIBE: "unsubscribed",
    ExcludedKind.SYNTAX: "address_format",
}


def status_of(outcome: Outcome, *, is_assuming: bool) -> str:
    """Return the status of a mail in the words of the third seed."""
    match outcome.state:
        case State.EXCLUDED:
            return "invalid" if outcome.excluded in STOPPED else "excluded"
        case State.UNDELIVERED:
            return "soft_bounce" if outcome.channel is Channel.OUT_OF_BAND else "invalid"
        case State.REACHED:
            return "delivered"
        case State.CANCELLED:
            return "cancelled"
        case State.PLANNED if is_assuming:
            return "delivered"
    return "requested"


@dataclass(frozen=True, slots=True)
class StatusFilter:
    """What to show; times in microseconds, half-open. ``recipient`` stands for an address."""

    from_us: int
    to_us: int
    recipient: int | None = None
    mail_type: str | None = None
    tag: str | None = None
    api_user: str | None = None
    schedule_task_id: str | None = None
    status: str | None = None

    def takes(self, row: RosterRow) -> bool:
        """Whether a row fits, but for its status."""
        return (
            self.from_us <= row.at_us < self.to_us
            and self.mail_type in (None, row.mail_type)
            and self.api_user in (None, row.api_user)
            and self.schedule_task_id in (None, row.schedule_task_id)
            and (self.tag is None or self.tag in row.tags)
        )


class StatusLog:
    """Reads the log of one store."""

    def __init__(self, env: Environment) -> None:
        """``env`` may be shared with a writer."""
        self._env = env

    def page(
        self, tenant: int, wanted: StatusFilter, *, assumes: Callable[[int], bool], after: bytes | None = None,
        limit: int = PAGE_SIZE,
    ) -> Page[MailStatus]:  # fmt: skip
        """Return a page, the newest broadcast first, within one in the order listed.

        ``assumes`` says of a broadcast's number whether its mails without news count as delivered.
        May have fewer rows than ``limit`` and still a cursor, where much was looked through.
        """
        rows: list[MailStatus] = []
        with self._env.read() as txn:
            records = self._env.records(txn)
            found = (
                self._of_recipient(txn, records, tenant, wanted, wanted.recipient, after)
                if wanted.recipient is not None
                else self._of_all(txn, tenant, wanted, after)
            )
            budget = Budget()
            for cursor, place, row in found:
                if len(rows) == limit or budget.is_spent:
                    return Page(rows, cursor)
                mail = self._mail(txn, records, place, row, assumes) if row is not None else None
                if mail is not None and wanted.status in (None, mail.status):
                    rows.append(mail)
                else:
                    budget.miss()
        return Page(rows, None)

    def _of_recipient(
        self, txn: Transaction, records: Records, tenant: int, wanted: StatusFilter, recipient: int,
        after: bytes | None,
    ) -> Iterator[tuple[bytes, bytes, RosterRow | None]]:  # fmt: skip
        """Yield the mails of one recipient, the newest first; all are looked at for each page, few as they are."""
        found: list[tuple[bytes, bytes, RosterRow]] = []
        for number in records.mailed(tenant, recipient):
            place = DeliveryKey(tenant, number, recipient).pack()
            row = self._listed(txn, records, place)
            if row is not None and wanted.takes(row):
                # Of what is newer the cursor is smaller, so that they are in order and none is met twice.
                found.append(((_LATEST - row.at_us).to_bytes(8, "big") + place[2:8], place, row))
        yield from sorted(one for one in found if after is None or one[0] >= after)

    def _listed(self, txn: Transaction, records: Records, place: bytes) -> RosterRow | None:
        record = Record.unpack(place, records.get(place))
        planned = next((e for e in record.entries if e.type == FactType.PLANNED), None)
        if planned is None:
            return None
        detail = read_fact(self._env, txn, planned.seq).detail
        return row_of(place[8:], planned.seq, planned.at_us, detail if isinstance(detail, Planned) else None)

    def _of_all(
        self, txn: Transaction, tenant: int, wanted: StatusFilter, after: bytes | None
    ) -> Iterator[tuple[bytes, bytes, RosterRow | None]]:
        prefix = keys.tenant_key(tenant)
        with txn.cursor(db=self._env.db(keys.BROADCAST_ORDER)) as cursor:
            if after is not None:
                is_there = cursor.set_range(after[:16])
            else:
                is_there = cursor.set_range(prefix + b"\xff" * 14)
                is_there = cursor.prev() if is_there else cursor.last()
            resume: bytes | None = after
            while is_there and cursor.key().startswith(prefix):
                order = cursor.key()
                page, place = (resume[16:20], int.from_bytes(resume[20:22], "big")) if resume else (bytes(4), 0)
                yield from self._of_broadcast(txn, order, wanted, page, place)
                resume = None
                is_there = cursor.prev()

    def _of_broadcast(
        self, txn: Transaction, order: bytes, wanted: StatusFilter, page: bytes, first: int
    ) -> Iterator[tuple[bytes, bytes, RosterRow | None]]:
        broadcast = order[:2] + order[10:]
        with txn.cursor(db=self._env.db(keys.ROSTER)) as cursor:
            is_there = cursor.set_range(broadcast + page)
            while is_there and cursor.key().startswith(broadcast):
                found = read_page(cursor.key(), cursor.value())
                number = cursor.key()[8:]
                if found.last_us >= wanted.from_us and found.first_us < wanted.to_us:
                    for place, row in enumerate(found.rows):
                        if place >= first:
                            takes = row.is_listed and wanted.takes(row)
                            here = order + number + place.to_bytes(2, "big")
                            yield here, broadcast + row.recipient, row if takes else None
                first = 0
                is_there = cursor.next()

    def _mail(
        self, txn: Transaction, records: Records, place: bytes, row: RosterRow, assumes: Callable[[int], bool]
    ) -> MailStatus:
        record = Record.unpack(place, records.get(place))
        outcome = settle(record)
        last = next((e for e in reversed(record.entries) if e.type in _REPORTS), None)
        tried_at = attempt_place(record.entries)
        attempt = None if tried_at is None else record.entries[tried_at]
        report = self._report(txn, last)
        tried = report if attempt is last else self._report(txn, attempt)
        return MailStatus(
            DeliveryKey.unpack(place),
            status_of(outcome, is_assuming=assumes(int.from_bytes(place[2:8], "big"))),
            row,
            outcome,
            attempt.at_us if attempt else None,
            tried.send_ip if tried else None,
            report.diagnostic if report else "",
        )

    def _report(self, txn: Transaction, entry: Entry | None) -> Report | None:
        detail = read_fact(self._env, txn, entry.seq).detail if entry is not None else None
        return detail if isinstance(detail, Report) else None


def attempt_place(entries: Sequence[Entry]) -> int | None:
    """Return the place of the word about the attempt that ended it, else about the last one; None without any.

    A bounce that came later is none; a success report stands for the attempt where nobody reported that.
    """
    ends = [place for place, entry in enumerate(entries) if entry.type in _ENDS]
    said = (place for place in ends if entries[place].extra[0] != Channel.OUT_OF_BAND)
    relayed = (place for place in ends if entries[place].type == FactType.RELAYED)
    waits = (place for place in reversed(range(len(entries))) if entries[place].type == FactType.DEFERRED)
    return next(chain(said, relayed, waits), None)
