"""Apply a batch of facts inside one transaction: the log, and everything that changes by them.

This is the only place where state changes. Live writing and re-folding (verify, rebuild) both come through
here, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from model.address import domain_of
from model.cause import Channel
from model.detail import Agent, Engaged, Planned, Report
from model.errors import AddressError
from model.fact import DeliveryKey, Fact, FactType, Hit
from store import keys
from store.beside import BESIDE, BesideDeliveries
from store.changes import Changes
from store.codec import pack_fact, pack_hit, unpack_fact
from store.counters import QUARTER_US, can_unmask, footprint
from store.environment import Environment
from store.evidence import address_of, entry_of
from store.hits import take_hit
from store.list_writer import ListWriter, list_keys
from store.listed import ListedColumns, ListedTogether
from store.listed_fold import ListedFold
from store.log_writer import LogWriter
from store.messages import normalise_message
from store.recipients import RecipientFold
from store.record import Entry, Overflow, Record
from store.roster import RosterWriter, row_of
from store.transaction import Transaction, put_over

#: Facts that can change who is suppressed; those below only where somebody is suppressed already.
_SUPPRESSING = frozenset(
    {FactType.FAILED, FactType.COMPLAINED, FactType.UNSUBSCRIBED, FactType.RESUBSCRIBED, FactType.RELEASED}
)
#: PLANNED is among them for the address it gives, on whose domain the ladder of a bounce depends, and because who
#: is mailed again is no trap (T22); EXCLUDED takes that back.
_RELEASING = frozenset({
    FactType.PLANNED, FactType.EXCLUDED, FactType.ACCEPTED, FactType.OPENED, FactType.CLICKED, FactType.AUTO_REPLIED,
})  # fmt: skip
_LISTING = frozenset({FactType.PLANNED, FactType.EXCLUDED})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a commit did with the facts of one submission: how many were new, how many known already."""

    added: int
    known: int
    #: of recipients listed together the records that were there before, by DeliveryKey.pack() of the delivery
    found: Mapping[bytes, bytes] = field(default_factory=dict)


class _Touched:
    """A delivery this batch reads and writes."""

    __slots__ = ("before", "domain", "first_seqs", "is_changed", "is_new", "record")

    def __init__(self, record: Record, is_new: bool) -> None:
        self.record = record
        self.is_new = is_new
        self.is_changed = False
        #: as it was before this batch: what it added, the domain of its address, its Record.first_seqs
        self.before = footprint(record)
        self.domain = record.domain_name
        self.first_seqs = record.first_seqs()


class Fold:
    """One batch. Use: ``fold = Fold(env, txn); fold.apply(facts); fold.finish()``, then commit and ``committed()``."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is the open write transaction of ``env``; nothing is written before ``finish``."""
        self._env = env
        self._txn = txn
        self._log = LogWriter(env, txn)
        self._next_seq = self._log.first_seq
        self._is_logging = True
        self._touched: dict[bytes, _Touched] = {}
        self._touched_tests: dict[bytes, _Touched] = {}
        self._beside = BesideDeliveries(env, txn)
        self._changes = Changes(env, txn)
        self._records = env.records_writer(txn)
        self._recipients = RecipientFold(env, txn, self._records)
        self._roster = RosterWriter(env, txn)
        self._lists = ListWriter(env, txn)
        self._listed = ListedFold(self._records, self._changes, self._recipients, self._roster, self._beside)

    def apply(self, facts: Iterable[Fact | Hit | ListedTogether]) -> Receipt:
        """Take facts in; returns how many were new. Raises FactRefusedError for one that cannot be stored."""
        added = count = 0
        found: dict[bytes, bytes] = {}
        for fact in facts:
            count += 1
            if isinstance(fact, Hit):
                added += self._take_hit(fact)
            elif isinstance(fact, ListedTogether):
                added += self._take_together(fact.columns(), found)
                count += len(fact) - 1
            else:
                added += self._take(fact)
        return Receipt(added, count - added, found)

    def replay(self, seq: int, fact: Fact) -> None:
        """Take in a fact that is in the log already, as number ``seq`` (re-folding)."""
        self._next_seq = seq
        self._is_logging = False
        if isinstance(fact.detail, Engaged):
            detail = fact.detail
            self._take_hit(Hit(fact.type, fact.key.pack(), fact.at_us, detail, fact.node, fact.is_test, fact.is_html))
        else:
            self._take(fact)

    def restore_overflow(self, key: DeliveryKey, overflow: Overflow, *, is_test: bool) -> None:
        """Set what was only counted of a delivery: it is in no log and cannot be folded anew."""
        touched = self._touch(key.pack(), is_test)
        touched.record.overflow = overflow
        touched.is_changed = True

    def finish(self) -> None:
        """Write what changed. Afterwards the transaction is ready to be committed."""
        self.write_log()
        self.write_state()

    def write_log(self) -> None:
        """Write the log, most of which goes without the interpreter's lock: the first half of ``finish``."""
        if self._is_logging:
            self._log.finish(self._next_seq)

    def write_state(self) -> None:
        """Write all else that changed; the log must be written, since it is read where recipients are folded."""
        for place, touched in sorted(self._touched_tests.items()):
            if touched.is_changed:
                self._write_test(place, touched)
        for place, touched in sorted(self._touched.items()):
            if touched.is_changed:
                self._write_delivery(place, touched)
        self._records.finish()
        self._lists.finish()
        self._recipients.finish(self._changes.rows, self._loaded)
        counters = self._env.db(keys.COUNTERS)
        for key, value in self._changes.finish():
            if value is None:
                self._txn.delete(key, db=counters)
            else:
                put_over(self._txn, counters, key, value)
        for key, value in self._roster.finish():
            put_over(self._txn, self._env.db(keys.ROSTER), key, value)
        self._beside.finish()

    def committed(self) -> None:
        """Say that the transaction is committed, and durable: what need not be read back is remembered."""
        self._records.committed()

    # Taking in

    def _take_hit(self, hit: Hit) -> bool:
        """Take in an open or a click, by the short way where it can be gone."""
        place = hit.place
        if hit.is_test or place[2:8] == keys.NO_BROADCAST or place in self._touched:
            return self._take(hit.as_fact())
        raw, seq = self._records.get(place), self._next_seq
        taken = take_hit(raw, hit, seq)
        if taken is None:
            return self._take(hit.as_fact())
        move, record, domain, done, is_first = taken
        broadcast, detail, changes = place[:8], hit.detail, self._changes
        if raw is None:
            self._meet(place, hit.at_us, None)
        self._records.set(place, record)
        target = self._usual_target(broadcast, detail) if move.is_click else None
        if self._is_logging:
            self._log.add(pack_hit(hit, target))
        self._next_seq = seq + 1
        changes.add_move(broadcast, domain, move, done, hit.at_us // QUARTER_US, detail.link)
        changes.add_agent(broadcast, move.is_click, detail.user_agent)
        if move.off_lists or (move.on_lists and not is_first):
            seqs = Record.unpack(place, record).first_seqs()
            self._lists.move(place, list_keys(place, move.off_lists, seqs), list_keys(place, move.on_lists, seqs))
        elif move.on_lists:
            self._lists.come_on(place, move.on_lists, seq)
        if not move.is_machine:
            self._recipients.touch_alive(place)
        return True

    def _take(self, fact: Fact) -> bool:
        if fact.type in BESIDE:
            is_new = self._beside.take(fact, self._next_seq)
            if is_new:
                self._append(fact)
            return is_new
        place = fact.key.pack()
        is_listing = fact.type is FactType.PLANNED and not fact.is_test and place not in self._touched
        if is_listing and self._records.get(place) is None:
            return self._take_listing(fact, place)
        return self._take_plainly(fact, place)

    def _take_listing(self, fact: Fact, place: bytes) -> bool:
        """Take in a recipient nothing is known of yet, by the short way."""
        self._listed.take_fact(fact, place, self._next_seq)
        self._append(fact)
        return True

    def _take_plainly(self, fact: Fact, place: bytes) -> bool:
        """Take in what may change anything about a delivery."""
        touched = self._touch(place, fact.is_test)
        record, entry = touched.record, entry_of(fact, self._next_seq)
        if record.is_flooded(entry):
            if record.knows(entry) and record.is_html >= fact.is_html:
                return False
            if not record.knows(entry):
                # No word of it goes into the log, so nothing but the count may change by it.
                touched.is_changed = True
                record.count_only(entry)
                return True
        is_new, is_resighted = record.add(entry)
        if not is_new and record.is_html >= fact.is_html:
            return False
        if touched.is_new and not touched.is_changed and fact.key.broadcast and not fact.is_test:
            self._meet(place, fact.at_us, fact)
        elif fact.type is FactType.PLANNED and is_new and not is_resighted and not fact.is_test:
            self._list_again(place, fact, record)
        touched.is_changed = True
        record.is_html |= fact.is_html
        if not fact.is_test:
            self._note(fact, touched, entry, is_resighted=is_resighted)
            if is_new and isinstance(fact.detail, Engaged):
                self._changes.add_agent(place[:8], fact.type is FactType.CLICKED, fact.detail.user_agent)
        self._append(self._shorten(fact))
        return True

    def _take_together(self, listed: ListedColumns, found: dict[bytes, bytes]) -> int:
        """Take in recipients listed together, most by the short way; returns how many listings were new.

        Adds to ``found`` the records that were there before.
        """
        places = listed.places
        there = self._records.found(places)
        there.update((place, self._touched[place].record.pack(place)) for place in self._touched.keys() & places)
        found.update(there)
        known = set(there)
        if not known and len(set(places)) == len(places):
            self._log.add_compressed(listed.facts)
            return self._take_new(listed)
        packed = listed.packed()
        added = start = 0
        for at, place in enumerate(places):
            if place in known:
                added += self._take_new(listed.part(start, at), packed[start:at])
                start = at + 1
                if place not in there or not listed.is_said_by(there[place], at):
                    added += self._take(unpack_fact(packed[at]))
            known.add(place)
        return added + self._take_new(listed.part(start, len(places)), packed[start:])

    def _take_new(self, listed: ListedColumns, packed: Sequence[bytes] = ()) -> int:
        """Take in recipients of whom no record exists; their facts are ``packed``, or in the log already."""
        self._log.add_all(packed)
        self._listed.take(listed, self._next_seq)
        self._next_seq += len(listed.places)
        return len(listed.places)

    def _meet(self, place: bytes, at_us: int, fact: Fact | None) -> None:
        """A delivery seen for the first time: it takes its place in the roster of its broadcast."""
        self._beside.broadcast(place[:8], self._next_seq)
        planned = fact.detail if fact is not None and isinstance(fact.detail, Planned) else None
        self._roster.add(place[:8], row_of(place[8:], self._next_seq, at_us, planned))

    def _list_again(self, place: bytes, fact: Fact, record: Record) -> None:
        """What came back before it was listed gets its place in the roster when it is."""
        if not fact.key.broadcast or sum(e.type == FactType.PLANNED for e in record.entries) > 1:
            return
        assert isinstance(fact.detail, Planned)
        self._roster.add(place[:8], row_of(place[8:], self._next_seq, fact.at_us, fact.detail))

    def _append(self, fact: Fact) -> None:
        if self._is_logging:
            self._log.add(pack_fact(fact))
        self._next_seq += 1

    def _note(self, fact: Fact, touched: _Touched, entry: Entry, *, is_resighted: bool) -> None:
        """Remember what beside the delivery itself the fact may change."""
        tenant, broadcast, recipient = fact.key
        record = touched.record
        if broadcast:
            self._beside.broadcast(keys.broadcast_key(tenant, broadcast), self._next_seq)
        self._note_domain(fact, record)
        # An earlier time of a known sign of life, or an exclusion after the fact, takes that sign away.
        is_withdrawing = is_resighted or (
            fact.type is FactType.EXCLUDED and any(e.type not in _LISTING for e in record.entries)
        )
        # What a mail waited for last says why its time ran out (A5).
        is_explaining = fact.type is FactType.DEFERRED and any(e.type == FactType.FAILED for e in record.entries)
        if fact.type in _SUPPRESSING or is_withdrawing or is_explaining:
            self._recipients.touch(tenant, recipient, can_suppress=True)
        elif fact.type in _RELEASING:
            self._recipients.touch_alive(fact.key.pack())
        if isinstance(fact.detail, Report):
            self._note_report(fact, fact.detail, entry)

    def _note_domain(self, fact: Fact, record: Record) -> None:
        found = address_of(fact)
        if found is not None:
            try:
                record.name_domain(domain_of(found[0]), is_listed=found[1])
            except AddressError:
                return

    def _note_report(self, fact: Fact, report: Report, entry: Entry) -> None:
        tenant, broadcast, _ = fact.key
        if fact.type is FactType.FAILED:
            key = keys.broadcast_key(tenant, broadcast) + keys.message_scope(entry.extra[1], entry.extra[5])
            self._changes.say(key, text=normalise_message(report.diagnostic))
        if report.channel is Channel.IN_SESSION:
            for number in {broadcast, 0}:
                self._changes.say(keys.broadcast_key(tenant, number) + keys.SCOPE_ALL, last_attempt_us=fact.at_us)

    def _shorten(self, fact: Fact) -> Fact:
        """Leave out a click's target where it is the link's usual one: it is kept once, with the broadcast."""
        detail = fact.detail
        if not isinstance(detail, Engaged) or detail.target is None or fact.is_test:
            return fact
        target = self._usual_target(keys.broadcast_key(fact.key.tenant, fact.key.broadcast), detail)
        if target == detail.target:
            return fact
        short = Engaged(detail.agent, detail.link, detail.links, detail.ip, detail.user_agent)
        return Fact(fact.type, fact.key, fact.at_us, short, fact.node, fact.is_test, fact.is_html)

    def _usual_target(self, broadcast: bytes, detail: Engaged) -> str | None:
        """Return the target to write down with a click: None when it is the usual one of its link."""
        if detail.target is None or detail.agent is Agent.HONEYPOT:
            return detail.target
        key = broadcast + keys.link_scope(detail.link)
        usual = self._changes.said(key, "target")
        if usual is None:
            self._changes.say(key, target=detail.target)
            return detail.target
        return None if usual == detail.target else detail.target

    # Loading

    def _touch(self, place: bytes, is_test: bool) -> _Touched:
        kept = self._touched_tests if is_test else self._touched
        touched = kept.get(place)
        if touched is None:
            tests = self._env.db(keys.TEST_DELIVERIES)
            raw = self._txn.get(place, db=tests) if is_test else self._records.get(place)
            touched = kept[place] = _Touched(Record.unpack(place, raw), raw is None)
        return touched

    def _loaded(self, place: bytes) -> Record | None:
        """Return the record of a delivery this batch has read, as it is now."""
        touched = self._touched.get(place)
        return None if touched is None else touched.record

    # Writing

    def _write_test(self, place: bytes, touched: _Touched) -> None:
        after = footprint(touched.record)
        touched.record.summary = after.summary
        put_over(self._txn, self._env.db(keys.TEST_DELIVERIES), place, touched.record.pack(place))
        if place[2:8] != keys.NO_BROADCAST:
            self._changes.add_test(place[:8], touched.before, after)

    def _write_delivery(self, place: bytes, touched: _Touched) -> None:
        record, before = touched.record, touched.before
        after = footprint(record)
        record.summary = after.summary
        self._records.set(place, record.pack(place))
        if place[2:8] == keys.NO_BROADCAST:
            return
        self._changes.add(place[:8], (touched.domain, record.domain_name), before, after)
        off = list_keys(place, before.lists, touched.first_seqs)
        on = list_keys(place, after.lists, record.first_seqs())
        self._lists.move(place, off - on, on - off)
        old, new = before.failure, after.failure
        # What failed first counts in the quarter in which its delivery was done (K29).
        is_moved = old is not None and new is not None and before.summary.done != after.summary.done
        if is_moved or can_unmask(before, after):
            tenant, recipient = int.from_bytes(place[:2], "big"), int.from_bytes(place[8:], "big")
            self._recipients.touch(tenant, recipient, can_suppress=True)
        if (old and old.seq) != (new and new.seq):
            errors = self._env.db(keys.ERRORS)
            if old is not None:
                self._txn.delete(place[:8] + keys.seq_key(old.seq), db=errors)
            if new is not None:
                put_over(self._txn, errors, place[:8] + keys.seq_key(new.seq), place[8:])
