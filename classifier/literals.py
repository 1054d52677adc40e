"""Finds literals that every match of a pattern must contain, so that most rules are passed over unasked.

It reads the part of RE2's syntax that rules are written in and gives up on the rest: no literals means that the
pattern must always be asked. A literal is searched as RE2 searches it, ignoring case.
"""

from __future__ import annotations

from typing import NamedTuple

#: Literals of which one must occur.
Clause = tuple[str, ...]
_CLASS_ESCAPES = frozenset("dDsSwWA")
_MIN_OCTETS = 2
_MAX_CLAUSES = 4


class Arm(NamedTuple):
    """One alternative of a pattern."""

    #: what holds in every text it matches, the most telling first, at most four; none: it must always be asked
    clauses: list[Clause]
    #: it is nothing but its one literal, and so matches wherever that occurs
    is_literal: bool
    #: the alternative as it stands in the pattern
    source: str
    #: nothing in it is repeated without a limit
    is_bounded: bool = False


def arms_of(pattern: str) -> list[Arm]:
    """Return the alternatives of ``pattern``; a pattern that is not understood is one alternative without clauses."""
    reader = _Reader(pattern)
    try:
        arms = reader.read_alternatives()
    except (ValueError, IndexError, RecursionError):
        return [Arm([], False, pattern)]
    return arms if reader.at == len(pattern) else [Arm([], False, pattern)]


class _Reader:
    """A recursive descent over alternatives, concatenations and repeated items."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        #: repetitions without a limit that were met
        self._endless = 0

    def read_alternatives(self) -> list[Arm]:
        arms = [self._read_arm()]
        while self._next_is("|"):
            self.at += 1
            arms.append(self._read_arm())
        return arms

    def _next_is(self, characters: str) -> bool:
        return self.at < len(self.pattern) and self.pattern[self.at] in characters

    def _read_arm(self) -> Arm:
        """Read one alternative."""
        clauses: list[Clause] = []
        run = ""
        is_literal = True
        start, endless = self.at, self._endless
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if self.pattern.startswith(("\\b", "\\B"), self.at):
                # They take no room: what stands before and behind is adjacent.
                self.at += 2
                is_literal = False
                continue
            literal, group = self._read_item()
            least, is_repeated = self._read_repetition()
            if literal and not is_repeated:
                run += literal
                continue
            is_literal = False
            if literal and least:
                run += literal
            clauses.append((run,))
            run = ""
            if least:
                clauses += group
        clauses.append((run,))
        useful = dict.fromkeys(clause for clause in clauses if _weight(clause)[0] >= _MIN_OCTETS)
        kept = sorted(useful, key=_weight, reverse=True)[:_MAX_CLAUSES]
        is_bounded = self._endless == endless
        return Arm(kept, is_literal and bool(kept), self.pattern[start : self.at], is_bounded)

    def _read_item(self) -> tuple[str, list[Clause]]:
        """Read one item; returns it if it is a character, and its clauses if it is a group."""
        character = self.pattern[self.at]
        self.at += 1
        if character == "(":
            return "", self._read_group()
        if character == "[":
            self._skip_class()
            return "", []
        if character in "*+?{":
            raise ValueError(character)
        if character == "\\":
            escaped = self.pattern[self.at]
            self.at += 1
            if not escaped.isalnum():
                return escaped, []
            if escaped not in _CLASS_ESCAPES:
                raise ValueError(escaped)
            return "", []
        return ("", []) if character in ".^$" else (character, [])

    def _read_group(self) -> list[Clause]:
        if self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self.pattern.startswith("?", self.at):
            raise ValueError("flags or a name")
        arms = self.read_alternatives()
        if self.pattern[self.at] != ")":
            raise ValueError("unbalanced")
        self.at += 1
        if len(arms) == 1:
            return arms[0].clauses
        if not all(arm.clauses for arm in arms):
            return []
        # One of the alternatives occurs, so the best clause of one of them holds.
        return [tuple(dict.fromkeys(literal for arm in arms for literal in arm.clauses[0]))]

    def _skip_class(self) -> None:
        self.at += self._next_is("^")
        self.at += self._next_is("]")
        while self.pattern[self.at] != "]":
            if self.pattern.startswith("[:", self.at):
                raise ValueError("named class")
            self.at += 2 if self.pattern[self.at] == "\\" else 1
        self.at += 1

    def _read_repetition(self) -> tuple[int, bool]:
        """Read what follows an item; returns how often it occurs at least, and whether anything was there."""
        if self._next_is("*+?"):
            least = 1 if self.pattern[self.at] == "+" else 0
            self._endless += not self._next_is("?")
            self.at += 1
        elif self._next_is("{"):
            end = self.pattern.index("}", self.at)
            digits, comma, last = self.pattern[self.at + 1 : end].partition(",")
            self._endless += bool(comma and not last)
            if not digits.isdecimal():
                raise ValueError(digits)
            least = int(digits)
            self.at = end + 1
        else:
            return 1, False
        self.at += self._next_is("?")
        return least, True


def _weight(clause: Clause) -> tuple[int, int]:
    """Return how much a clause tells: the octets of its shortest literal, up to 6, then how few they are."""
    return min(6, *(len(literal.encode()) for literal in clause)), -len(clause)
