"""Take in recipients of whom nothing is known yet: what that changes is known without a record being made."""

from __future__ import annotations

from collections import Counter

from model.detail import Planned
from model.fact import Fact
from store.beside import BesideDeliveries
from store.changes import Changes
from store.counters import QUARTER_US
from store.evidence import listed_domain
from store.hits import listing
from store.listed import ListedColumns
from store.recipients import RecipientFold
from store.record import listing_head, pack_listings
from store.records import RecordsWriter
from store.roster import RosterRow, RosterWriter, row_of

_new = tuple.__new__


class ListedFold:
    """The part of one transaction that lists recipients; it says to the other parts what changes."""

    def __init__(
        self,
        records: RecordsWriter,
        changes: Changes,
        recipients: RecipientFold,
        roster: RosterWriter,
        beside: BesideDeliveries,
    ) -> None:
        """Takes the other parts."""
        self._records = records
        self._changes = changes
        self._recipients = recipients
        self._roster = roster
        self._beside = beside

    def take(self, listed: ListedColumns, first_seq: int) -> None:
        """Take in recipients none of whom has a record, each once, as facts number ``first_seq`` and on."""
        places, times, marks, html, domains, _, shown = listed
        if not places:
            return
        seqs = range(first_seq, first_seq + len(places))
        broadcasts = [place[:8] for place in places]
        sorts = list(zip(broadcasts, domains, html, [at_us // QUARTER_US for at_us in times], strict=True))
        heads = {sort: self._count(sort, count) for sort, count in Counter(sorts).items()}
        records = pack_listings(places, [heads[sort] for sort in sorts], times, seqs, marks)
        self._records.set_all(zip(places, records, strict=True))
        recipients = [place[8:] for place in places]
        rows = [
            _new(RosterRow, (recipient, seq, at_us, True, *one))
            for recipient, seq, at_us, one in zip(recipients, seqs, times, shown, strict=True)
        ]
        self._roster.add_all(broadcasts, rows)
        # From the end, so that of each broadcast the first stays.
        for broadcast, seq in dict(zip(reversed(broadcasts), reversed(seqs), strict=True)).items():
            self._beside.broadcast(broadcast, seq)
        self._recipients.touch_all_alive(places)

    def take_fact(self, fact: Fact, place: bytes, seq: int) -> None:
        """Take in a recipient who has no record from a PLANNED fact, which may be about no broadcast at all."""
        assert isinstance(fact.detail, Planned)
        broadcast, domain, done = place[:8], listed_domain(fact.detail.address), fact.at_us // QUARTER_US
        move = listing(fact.is_html)
        head = listing_head(domain, is_html=fact.is_html, state=move.state, done=done)
        (record,) = pack_listings([place], [head], [fact.at_us], [seq], [fact.id[:8]])
        self._records.set(place, record)
        self._recipients.touch_alive(place)
        if fact.key.broadcast:
            self._changes.add_move(broadcast, domain, move, done, done, 0)
            self._beside.broadcast(broadcast, seq)
            self._roster.add(broadcast, row_of(place[8:], seq, fact.at_us, fact.detail))

    def _count(self, sort: tuple[bytes, bytes, bool, int], count: int) -> bytes:
        """Count recipients of a sort: broadcast, domain, HTML, quarter; returns what their records begin with."""
        broadcast, domain, is_html, done = sort
        move = listing(is_html)
        self._changes.add_move(broadcast, domain, move, done, done, 0, count)
        return listing_head(domain, is_html=is_html, state=move.state, done=done)
