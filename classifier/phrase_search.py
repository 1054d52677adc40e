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

from classifier.literals import Arm, Clause, arms_of
from classifier.prefilter import compile_set, holds_all, matcher_of

#: Subjects and senders repeat; so many of so many characters at most are remembered for each list of phrases.
_MAX_REMEMBERED, _MAX_SHORT = 1_024, 200
_MEMORY = 1024 * 1024
_WHOLE_MEMORY = 8 * 1024 * 1024
# A letter that no backslash changes into something else.
_LETTER = re.compile(r"(\\.)|([A-Z])")

#: Whether an alternative occurs in a text of ASCII in lower case.
Search = Callable[[str], object]


class Phrases:
    """Alternatives searched at once, in linear time, ignoring case."""

    __slots__ = ("_always", "_by_hint", "_hints", "_match_whole", "_remembered")

    def __init__(self, *alternatives: str, prefix: str = "") -> None:
        """Compile ``alternatives``; each must follow ``prefix``. ``^`` and ``$`` stand for the ends of a line."""
        joined = "|".join(alternatives)
        self._match_whole = matcher_of(compile_set([f"(?m){prefix}(?:{joined})"], _WHOLE_MEMORY))
        #: by hint, the alternatives it speaks for: what else they need, and None if that is all
        self._by_hint: dict[str, list[tuple[list[Clause], Search | None]]] = {}
        #: alternatives without a hint
        self._always: list[Search] = []
        found: list[tuple[list[Clause], Search | None]] = []
        for arm in arms_of(joined):
            clauses = [tuple(literal.lower() for literal in clause if literal.isascii()) for clause in arm.clauses]
            if not all(clauses):
                # No text of ASCII holds it; others are searched as a whole.
                continue
            search = None if arm.is_literal and not prefix else _search_for(arm, prefix)
            if clauses:
                found.append((clauses, search))
            elif search is not None:
                self._always.append(search)
        words = {hint for clauses, _ in found for hint in clauses[0]}
        # Where a word is part of another, its being there is looked for once.
        shortest = sorted(word for word in words if not any(other in word for other in words - {word}))
        for clauses, search in found:
            for hint in dict.fromkeys(next(word for word in shortest if word in hint) for hint in clauses[0]):
                # What the hint alone does not prove is looked for.
                needed = clauses if clauses[0] != (hint,) else clauses[1:]
                self._by_hint.setdefault(hint, []).append((needed, search))
        self._hints = tuple(self._by_hint)
        self._remembered = lru_cache(maxsize=_MAX_REMEMBERED)(self.are_in)

    def are_in(self, text: str) -> bool:
        """Whether one of the phrases occurs in ``text``."""
        # What is white space beside a vertical tab, the two engines see differently.
        if not text.isascii() or "\v" in text:
            return bool(self._match_whole(text.encode("utf-8", "replace")))
        lowered = text.lower()
        found = [hint for hint in self._hints if hint in lowered]
        if not found and not self._always:
            return False
        for hint in found:
            for clauses, search in self._by_hint[hint]:
                if holds_all(lowered, clauses) and (search is None or search(lowered)):
                    return True
        return any([search(lowered) for search in self._always])

    def are_in_short(self, text: str) -> bool:
        """The same, remembered: for subjects and senders."""
        return self._remembered(text) if len(text) <= _MAX_SHORT else self.are_in(text)

    def are_in_the_long_way(self, text: str) -> bool:
        """The same by one automaton of all phrases: what every shortcut must agree with."""
        return bool(self._match_whole(text.encode("utf-8", "replace")))


def _search_for(arm: Arm, prefix: str) -> Search:
    source = _LETTER.sub(lambda match: match[1] or match[2].lower(), f"{prefix}(?:{arm.source})")
    if arm.is_bounded:
        return re.compile(source, re.ASCII | re.MULTILINE).search
    match = matcher_of(compile_set([f"(?m){source}"], _MEMORY))
    return lambda lowered: match(lowered.encode())
