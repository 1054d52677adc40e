"""Whether one of many phrases occurs in a text: by words that must be there first, then by RE2, in linear time (S21).

An automaton of all phrases of a list would build states for every text it has not seen, and most texts hold none of
them. So a list is searched by its hints, pieces of words of which one stands in every text with a phrase, and then only
the few alternatives that a hint speaks for are asked. Those that repeat nothing without a limit are asked of ``re``,
which builds nothing and cannot run away with them; for the others stays RE2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from classifier.literals import Arm, Clause, arms_of
from classifier.prefilter import Match, compile_set, holds_all, matcher_of

#: Subjects and senders repeat; so many of so many characters at most are remembered for each list of phrases.
_MAX_REMEMBERED, _MAX_SHORT = 1_024, 200
_MEMORY = 1024 * 1024
_WHOLE_MEMORY = 8 * 1024 * 1024
# A letter that no backslash changes into something else.
_LETTER = re.compile(r"(\\.)|([A-Z])")

#: Whether an alternative occurs in a text of ASCII, in lower case.
Search = Callable[[str], object]
#: ... or in the octets of any other, see ``Match``.
_Any = TypeVar("_Any", Search | None, Match)


class Phrases:
    """Alternatives searched at once, in linear time, ignoring case."""

    __slots__ = ("_abroad", "_ascii", "_match_whole", "_remembered", "_whole")

    def __init__(self, *alternatives: str, prefix: str = "") -> None:
        """Compile ``alternatives``; each must follow ``prefix``. ``^`` and ``$`` stand for the ends of a line."""
        joined = "|".join(alternatives)
        self._whole = f"(?m){prefix}(?:{joined})"
        #: one automaton of all, made when it is asked
        self._match_whole: Match | None = None
        arms = arms_of(joined, 1)
        #: by hint, the alternatives that may stand in a text of ASCII
        self._ascii = _by_hint(
            [
                (clauses, None if arm.is_literal and not prefix else _search_for(arm, prefix))
                for arm in arms
                if all(clauses := [tuple(text.lower() for text in clause if text.isascii()) for clause in arm.clauses])
            ]
        )
        #: the same of those that may stand in any other text
        self._abroad = _by_hint(
            [
                ([tuple(text.casefold() for text in clause) for clause in arm.clauses], _match_abroad(arm, prefix))
                for arm in arms
            ]
        )
        self._remembered = lru_cache(maxsize=_MAX_REMEMBERED)(self.are_in)

    def are_in(self, text: str) -> bool:
        """Whether one of the phrases occurs in ``text``."""
        # What is white space beside a vertical tab, the two engines see differently.
        if text.isascii() and "\v" not in text:
            lowered = text.lower()
            for hint in [hint for hint in self._ascii if hint in lowered]:
                for clauses, search in self._ascii[hint]:
                    if holds_all(lowered, clauses) and (search is None or search(lowered)):
                        return True
            return False
        # Full folding equates all that RE2 does; what it does with letters beyond ASCII is left to it.
        folded = text.casefold()
        octets = b""
        for hint in [hint for hint in self._abroad if hint in folded]:
            for clauses, match in self._abroad[hint]:
                if holds_all(folded, clauses):
                    octets = octets or text.encode("utf-8", "replace")
                    if match(octets):
                        return True
        return False

    def are_in_short(self, text: str) -> bool:
        """The same, remembered: for subjects and senders."""
        return self._remembered(text) if len(text) <= _MAX_SHORT else self.are_in(text)

    def are_in_the_long_way(self, text: str) -> bool:
        """The same by one automaton of all phrases: for lines that likely hold one, and the measure of shortcuts."""
        if self._match_whole is None:
            self._match_whole = matcher_of(compile_set([self._whole], _WHOLE_MEMORY))
        return bool(self._match_whole(text.encode("utf-8", "replace")))


def _by_hint(arms: list[tuple[list[Clause], _Any]]) -> dict[str, list[tuple[list[Clause], _Any]]]:
    """Return, by hint, the alternatives of ``arms`` it speaks for, and what they need beside it.

    The hint of an alternative that needs nothing is "", which every text holds.
    """
    words = {hint for clauses, _ in arms for hint in (clauses[0] if clauses else ("",))}
    shortest: list[str] = []
    for word in sorted(words, key=lambda word: (len(word), word)):
        # Where one word is part of another, its being there tells of both.
        if not word or not any(shorter in word for shorter in shortest if shorter):
            shortest.append(word)
    found: dict[str, list[tuple[list[Clause], _Any]]] = {}
    for clauses, search in arms:
        for hint in dict.fromkeys(
            next(word for word in shortest if word in own and bool(word) == bool(own))
            for own in (clauses[0] if clauses else ("",))
        ):
            needed = clauses[1:] if clauses and clauses[0] == (hint,) else clauses
            found.setdefault(hint, []).append((needed, search))
    return found


def _search_for(arm: Arm, prefix: str) -> Search:
    source = _LETTER.sub(lambda match: match[1] or match[2].lower(), f"{prefix}(?:{arm.source})")
    if arm.is_bounded:
        return re.compile(source, re.ASCII | re.MULTILINE).search
    match = matcher_of(compile_set([f"(?m){source}"], _MEMORY))
    return lambda lowered: match(lowered.encode())


def _match_abroad(arm: Arm, prefix: str) -> Match:
    # Most are never asked. But no mail should wait for those that are: one takes up to 100 us to compile, all 30 ms.
    return matcher_of(compile_set([f"(?m){prefix}(?:{arm.source})"], _MEMORY))
