"""What one transaction changes in the counts: gathered while facts are folded, written once at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.agent_family import family_of
from model.cause import SPECS, Fault
from store import keys
from store.counters import Counts, Footprint, Shape, add_difference
from store.environment import Environment
from store.hits import Move
from store.sealed import pack_value, unpack_value
from store.transaction import Transaction

_WINDOW_US = 600_000_000


#: What of a failure decides which counts it moves: cause, message, span of ten minutes; None where none failed.
_Words = tuple[int, int, int] | None


def _words_of(side: Footprint) -> _Words:
    failure = side.failure
    return None if failure is None else (failure.extra[1], failure.extra[5], failure.at_us // _WINDOW_US)


class Changes:
    """Counts to be moved, by key of COUNTERS."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction."""
        self._env = env
        self._txn = txn
        self.rows: dict[bytes, Counts] = {}
        #: what a row says besides counts: a link's target, a message's words, when an attempt was last reported
        self._words: dict[bytes, dict[str, Any]] = {}
        self._agents: dict[tuple[bytes, bool, str], int] = {}
        self._stored_words: dict[bytes, dict[str, Any]] = {}
        self._moves: dict[tuple[bytes, bytes, Move, int, int, int], int] = {}
        self._plain: dict[
            tuple[bytes, tuple[str, str], Shape | None, Shape | None, int, int, _Words, _Words],
            tuple[Footprint, Footprint, int],
        ] = {}

    def add_move(
        self, broadcast: bytes, domain: bytes, move: Move, done: int, quarter: int, link: int, times: int = 1
    ) -> None:
        """Count one more delivery that ``move`` moved, or so many; equal ones are written together."""
        place = (broadcast, domain, move, done, quarter, link)
        self._moves[place] = self._moves.get(place, 0) + times

    def add_agent(self, broadcast: bytes, is_click: bool, user_agent: str | None) -> None:
        """Count an open or click by what was used for it (K36)."""
        place = (broadcast, is_click, family_of(user_agent))
        self._agents[place] = self._agents.get(place, 0) + 1

    def add_test(self, broadcast: bytes, before: Footprint, after: Footprint) -> None:
        """Take in how a test send changed."""
        add_difference(self._row(broadcast + keys.SCOPE_TEST), before.counts, after.counts)
        for sign, side in ((-1, before), (1, after)):
            if side.standing:
                add_difference(self._row(broadcast + keys.test_scope(side.summary.done)), {}, side.standing, sign)

    def add(self, broadcast: bytes, domains: tuple[str, str], before: Footprint, after: Footprint) -> None:
        """Take in how a delivery changed; ``domains`` of its address before and after."""
        is_like_others = after.shape is not None and (before.shape is not None or not before.counts)
        if is_like_others and not (before.events or after.events):
            # A list of many recipients, and a server's word about each: equal changes are written together.
            place = (
                broadcast, domains, before.shape, after.shape, before.summary.done, after.summary.done,
                _words_of(before), _words_of(after),
            )  # fmt: skip
            known = self._plain.get(place)
            self._plain[place] = (before, after, known[2] + 1 if known else 1)
            return
        self._add(broadcast, domains, before, after, 1)

    def _add(self, broadcast: bytes, domains: tuple[str, str], before: Footprint, after: Footprint, times: int) -> None:
        add_difference(self._row(broadcast + keys.SCOPE_ALL), before.counts, after.counts, times)
        old, new = domains
        if old:
            add_difference(self._row(broadcast + keys.domain_scope(old)), before.counts, {}, times)
        if new:
            add_difference(self._row(broadcast + keys.domain_scope(new)), {}, after.counts, times)
        for sign, side in ((-times, before), (times, after)):
            done = side.summary.done
            for quarter, cell in ((0, side.standing), *side.events.items()):
                if cell:
                    add_difference(self._row(broadcast + keys.cell_scope(done, quarter)), {}, cell, sign)
        for link in before.links.keys() | after.links.keys():
            row = self._row(broadcast + keys.link_scope(link))
            add_difference(row, before.links.get(link, {}), after.links.get(link, {}), times)
        for sign, side, domain in ((-times, before, old), (times, after, new)):
            self._add_failure(broadcast, domain, side, sign)

    def _add_failure(self, broadcast: bytes, domain: str, side: Footprint, sign: int) -> None:
        failure = side.failure
        if failure is None:
            return
        cause, message = failure.extra[1], failure.extra[5]
        add_difference(self._row(broadcast + keys.message_scope(cause, message)), {}, {"count": 1}, sign)
        is_ours = bool(cause) and _FAULTS[cause] is Fault.SENDER
        # With the broadcast, so that a flood can be measured by those it hit, and leads to them (store.incidents).
        counts = {
            "failed": 1,
            "hard": side.counts.get("hard", 0),
            "sender": int(is_ours),
            f"by.{broadcast[2:].hex()}": 1,
        }
        place = broadcast[:2] + keys.NO_BROADCAST + keys.failures_scope(domain, failure.at_us // _WINDOW_US)
        add_difference(self._row(place), {}, counts, sign)

    def say(self, key: bytes, **words: Any) -> None:
        """Note what the row under ``key`` says besides counts; of two times the later holds."""
        known = self._words.setdefault(key, {})
        if "last_attempt_us" in words:
            words["last_attempt_us"] = max(words["last_attempt_us"], known.get("last_attempt_us", 0))
        known.update(words)

    def said(self, key: bytes, name: str) -> Any:
        """Return what a row says besides counts, this transaction's words first."""
        words = self._words.get(key) or self._stored_words.get(key)
        if words is None:
            words = self._stored_words[key] = self._load(key)
        return words.get(name)

    def finish(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield (key, value) of every row that changed; None for one that has come to nothing."""
        self._spread_moves()
        for key in sorted(self.rows.keys() | self._words.keys()):
            change, words = self.rows.get(key, {}), self._words.get(key, {})
            if not words and not any(change.values()):
                continue
            row = self._load(key)
            size = len(row)
            if "last_attempt_us" in words:
                words["last_attempt_us"] = max(words["last_attempt_us"], row.get("last_attempt_us", 0))
            row.update(words)
            for name, difference in change.items():
                row[name] = row.get(name, 0) + difference
            if len(row) > size or not all(row.values()):
                # As if it had never been: equal facts make equal bytes, whatever happened between.
                row = {name: row[name] for name in sorted(row) if row[name]}
            is_gone = not row or (key[8:9] == keys.SCOPE_MESSAGE and "count" not in row)
            yield key, None if is_gone else pack_value(key, row)

    def _spread_moves(self) -> None:
        # Gathered by what each row takes, since many moves add the same to the same row.
        gathered: dict[tuple[bytes, int], tuple[Counts, int]] = {}

        def gather(key: bytes, counts: Counts, times: int) -> None:
            if counts:
                known = gathered.get((key, id(counts)))
                gathered[key, id(counts)] = (counts, times + known[1] if known else times)

        for (broadcast, domain, move, done, quarter, link), times in self._moves.items():
            gather(broadcast + keys.SCOPE_ALL, move.counts, times)
            if len(domain) > 1:
                gather(broadcast + keys.SCOPE_DOMAIN + domain[1:], move.counts, times)
            gather(broadcast + keys.cell_scope(done, 0), move.standing, times)
            gather(broadcast + keys.cell_scope(done, quarter), move.event, times)
            gather(broadcast + keys.link_scope(link), move.link, times)
        for (key, _), (counts, times) in gathered.items():
            add_difference(self._row(key), {}, counts, times)
        self._moves.clear()
        for (broadcast, domains, *_), (before, after, times) in self._plain.items():
            self._add(broadcast, domains, before, after, times)
        self._plain.clear()
        for (broadcast, is_click, family), times in self._agents.items():
            row = self._row(broadcast + keys.SCOPE_AGENT + family.encode())
            add_difference(row, {}, {"clicks_raw" if is_click else "opens_raw": times})
        self._agents.clear()

    def _row(self, key: bytes) -> Counts:
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = {}
        return row

    def _load(self, key: bytes) -> dict[str, Any]:
        raw = self._txn.get(key, db=self._env.db(keys.COUNTERS))
        row: dict[str, Any] = unpack_value(key, raw) if raw else {}
        return row


_FAULTS = {spec.number: spec.fault for spec in SPECS.values()}
