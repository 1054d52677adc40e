"""Finds literals that every match of a pattern must contain, so that most rules are passed over unasked.

It also tells which patterns stay within a sentence wherever they match. It reads the part of RE2's syntax that rules
are written in and gives up on the rest: no literals means that the pattern must always be asked. A literal is searched
as RE2 searches it, ignoring case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

#: Literals of which one must occur.
Clause = tuple[str, ...]
# Characters that stand for themselves.
_PLAIN = re.compile(r"[^\\()\[\]{}*+?.^$|]+")
_ENDS_OF_ARM = "|", ")"
_CLASS_ESCAPES = frozenset("dDsSwWA")
_MIN_OCTETS = 2
_MAX_CLAUSES = 4
_ONCE = 1, 1
_EMPTY: Clause = ("",)
#: Texts that a piece of a pattern may match are listed up to so many, members of a class up to so many. With more,
#: fewer automata are asked, and more literals are looked for: up to 24 it costs as much as it gives.
_MOST_TEXTS, _MOST_MEMBERS = 4, 4
#: How often what is repeated without a limit occurs at most; RE2 allows 1,000 times.
_ENDLESS = 1_001


class Shape(NamedTuple):
    """What a piece of a pattern may match at its ends, to see whether ". ", which ends a sentence, may be in it."""

    may_be_empty: bool = False
    #: it may begin with a blank
    has_blank: bool = False
    #: it may end with a full stop
    has_stop: bool = False
    #: it may hold the end of a sentence, or asks where the text begins or ends
    crosses: bool = False

    @cache  # noqa: B019 - there are 16 shapes
    def then(self, other: Shape) -> Shape:
        """Return the shape of this piece with ``other`` behind it."""
        return Shape(
            self.may_be_empty and other.may_be_empty,
            self.has_blank or (self.may_be_empty and other.has_blank),
            other.has_stop or (other.may_be_empty and self.has_stop),
            self.crosses or other.crosses or (self.has_stop and other.has_blank),
        )

    def repeated(self, least: int, most: int) -> Shape:
        """Return the shape of this piece, ``least`` to ``most`` times."""
        whole = self.then(self) if most > 1 else self
        return whole._replace(may_be_empty=self.may_be_empty or not least)


#: It takes no room.
_NOTHING = Shape(may_be_empty=True)
#: What is not understood may be anything.
_ANYTHING = Shape(may_be_empty=True, has_blank=True, has_stop=True, crosses=True)
_ANY_CHARACTER = Shape(has_blank=True, has_stop=True)
_OF_ESCAPE = {
    "s": Shape(has_blank=True),
    "S": Shape(has_stop=True),
    "W": _ANY_CHARACTER,
    "D": _ANY_CHARACTER,
    "A": Shape(may_be_empty=True, crosses=True),
}


class _Item(NamedTuple):
    """What stands in a pattern between two repetitions: a character, a class or a group."""

    shape: Shape
    #: all it may match, where that can be listed
    texts: Clause = ()
    #: what holds wherever it matches
    clauses: Sequence[Clause] = ()
    #: it matches each of ``texts``, whatever stands around
    is_sure: bool = False


class Arm(NamedTuple):
    """One alternative of a pattern."""

    #: what holds in every text it matches, the most telling first, at most four; none: it must always be asked
    clauses: list[Clause]
    #: it is nothing but the literals of its one clause, and so matches wherever one of them occurs
    is_literal: bool
    #: the alternative as it stands in the pattern
    source: str
    #: nothing in it is repeated without a limit
    is_bounded: bool = False
    shape: Shape = _ANYTHING
    #: all it may match, where that can be listed; not sure where more is asked, such as the start of a word
    texts: Clause = ()
    is_sure: bool = False


def arms_of(pattern: str, most_texts: int = _MOST_TEXTS) -> list[Arm]:
    """Return the alternatives of ``pattern``; a pattern that is not understood is one alternative without clauses.

    Arguments: ``most_texts`` is up to how many texts a literal is read on through groups and options; 1: not at all.
    """
    reader = _Reader(pattern, most_texts)
    try:
        arms = reader.read_alternatives()
    except (ValueError, IndexError, RecursionError):
        return [Arm([], False, pattern)]
    return arms if reader.at == len(pattern) else [Arm([], False, pattern)]


class _Reader:
    """A recursive descent over alternatives, concatenations and repeated items."""

    def __init__(self, pattern: str, most_texts: int) -> None:
        self.pattern = pattern
        self.most_texts = most_texts
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
        if (arm := self._read_literal()) is not None:
            return arm
        clauses: list[Clause] = []
        run: Clause = _EMPTY
        is_whole = is_sure = True
        shape = _NOTHING
        start, endless = self.at, self._endless
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if self.pattern.startswith(("\\b", "\\B"), self.at):
                # They take no room: what stands before and behind is adjacent.
                self.at += 2
                is_sure = False
                continue
            if text := self._read_plain():
                run = tuple([before + text for before in run])
                shape = shape.then(_shape_of(text[0]))
                continue
            item = self._read_item()
            least, most = self._read_repetition()
            shape = shape.then(item.shape if (least, most) == _ONCE else item.shape.repeated(least, most))
            is_sure = is_sure and item.is_sure
            texts = item.texts
            if texts and most == 1:
                texts = texts if least else (*texts, "")
                if len(run) * len(texts) <= self.most_texts:
                    run = tuple(dict.fromkeys([before + text for before in run for text in texts]))
                    continue
                clauses.append(run)
                run = texts
            else:
                if texts and least and len(run) * len(texts) <= self.most_texts:
                    run = tuple([before + text for before in run for text in texts])
                clauses.append(run)
                run = _EMPTY
            is_whole = False
            if least:
                clauses += item.clauses
        clauses.append(run)
        kept = _most_telling(clauses)
        return Arm(
            kept,
            is_whole and is_sure and bool(kept),
            self.pattern[start : self.at],
            self._endless == endless,
            shape,
            run if is_whole else (),
            is_sure,
        )

    def _read_literal(self) -> Arm | None:
        """Read an alternative that is a literal, as most are; None, and nothing is read, when it is more than that."""
        match = _PLAIN.match(self.pattern, self.at)
        if match is None or not self.pattern.startswith(_ENDS_OF_ARM, end := match.end()) and end < len(self.pattern):
            return None
        text = match[0]
        self.at = end
        clauses: list[Clause] = [(text,)] if len(text.encode()) >= _MIN_OCTETS else []
        shape = _NOTHING.then(_shape_of(text[0]))
        return Arm(clauses, bool(clauses), text, is_bounded=True, shape=shape, texts=(text,), is_sure=True)

    def _read_plain(self) -> str:
        """Read the characters that stand for themselves, and once; "" where none does. No full stop is one."""
        match = _PLAIN.match(self.pattern, self.at)
        if match is None:
            return ""
        end = match.end()
        # What follows repeats the last of them.
        end -= end < len(self.pattern) and self.pattern[end] in "*+?{"
        text = self.pattern[self.at : end]
        self.at = end
        return text

    def _read_item(self) -> _Item:
        """Read one item."""
        character = self.pattern[self.at]
        self.at += 1
        if character == "(":
            return self._read_group()
        if character == "[":
            return self._read_class()
        if character in "*+?{":
            raise ValueError(character)
        if character == "\\":
            character = self.pattern[self.at]
            self.at += 1
            if character.isalnum():
                if character not in _CLASS_ESCAPES:
                    raise ValueError(character)
                return _Item(_OF_ESCAPE.get(character, Shape()))
        elif character in "^$":
            return _Item(_OF_ESCAPE["A"])
        elif character == ".":
            return _Item(_ANY_CHARACTER)
        return _Item(_shape_of(character), (character,), is_sure=True)

    def _read_group(self) -> _Item:
        if self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self.pattern.startswith("?", self.at):
            raise ValueError("flags or a name")
        arms = self.read_alternatives()
        if self.pattern[self.at] != ")":
            raise ValueError("unbalanced")
        self.at += 1
        shape = Shape(*(any(values) for values in zip(*(arm.shape for arm in arms), strict=True)))
        clauses: list[Clause] = []
        if len(arms) == 1:
            clauses = arms[0].clauses
        elif all(arm.clauses for arm in arms):
            # One of the alternatives occurs, so the best clause of one of them holds.
            clauses = [tuple(dict.fromkeys([literal for arm in arms for literal in arm.clauses[0]]))]
        texts = tuple(dict.fromkeys([text for arm in arms for text in arm.texts]))
        if len(texts) > self.most_texts or not all(arm.texts for arm in arms):
            return _Item(shape, (), clauses)
        return _Item(shape, texts, clauses, all(arm.is_sure for arm in arms))

    def _read_class(self) -> _Item:
        is_negated = self._next_is("^")
        self.at += is_negated
        has_blank = has_stop = False
        members = ""
        is_listed = not is_negated
        start = self.at
        while self.pattern[self.at] != "]" or self.at == start:
            if self.pattern.startswith("[:", self.at):
                raise ValueError("named class")
            own, character = self._read_member()
            members += character
            if self._next_is("-") and self.pattern[self.at + 1] != "]":
                self.at += 1
                last = self._read_member()[1]
                own = Shape(has_blank=character <= " " <= last, has_stop=character <= "." <= last)
                is_listed = False
            has_blank, has_stop = has_blank or own.has_blank, has_stop or own.has_stop
        is_listed = is_listed and len(members) <= _MOST_MEMBERS and "\\" not in self.pattern[start : self.at]
        self.at += 1
        shape = Shape(has_blank=has_blank != is_negated, has_stop=has_stop != is_negated)
        return _Item(shape, tuple(members) if is_listed else (), is_sure=is_listed)

    def _read_member(self) -> tuple[Shape, str]:
        """Read one member of a class; returns its shape and the character it is."""
        character = self.pattern[self.at]
        self.at += 1
        if character != "\\":
            return _shape_of(character), character
        escaped = self.pattern[self.at]
        self.at += 1
        return (_OF_ESCAPE.get(escaped, Shape()) if escaped.isalnum() else _shape_of(escaped)), escaped

    def _read_repetition(self) -> tuple[int, int]:
        """Read what follows an item; returns how often it occurs at least and at most."""
        if self._next_is("*+?"):
            least = 1 if self.pattern[self.at] == "+" else 0
            most = 1 if self._next_is("?") else _ENDLESS
            self.at += 1
        elif self._next_is("{"):
            end = self.pattern.index("}", self.at)
            digits, comma, last = self.pattern[self.at + 1 : end].partition(",")
            if not digits.isdecimal():
                raise ValueError(digits)
            least = int(digits)
            most = int(last or _ENDLESS) if comma else least
            self.at = end + 1
        else:
            return _ONCE
        self._endless += most == _ENDLESS
        self.at += self._next_is("?")
        return least, most


_OF_CHARACTER = {" ": Shape(has_blank=True), ".": Shape(has_stop=True)}
_OTHER_CHARACTER = Shape()


def _shape_of(character: str) -> Shape:
    return _OF_CHARACTER.get(character, _OTHER_CHARACTER)


def _shortest(clause: Clause) -> Clause:
    """Return ``clause`` without those that hold another of it: where they occur, that does."""
    if len(clause) == 1:
        return clause
    return tuple([text for text in clause if not any(other in text and other != text for other in clause)])


def _most_telling(clauses: list[Clause]) -> list[Clause]:
    """Return those of ``clauses`` that tell most, at most four, each once and without what tells nothing more."""
    if len(clauses) == 1 and len(clauses[0]) == 1:
        return clauses if len(clauses[0][0].encode()) >= _MIN_OCTETS else []
    weights = {clause: _weight(clause) for clause in map(_shortest, clauses)}
    useful = [clause for clause, weight in weights.items() if weight[0] >= _MIN_OCTETS]
    return sorted(useful, key=weights.__getitem__, reverse=True)[:_MAX_CLAUSES]


def _weight(clause: Clause) -> tuple[int, int]:
    """Return how much a clause tells: the octets of its shortest literal, up to 6, then how few they are."""
    return min(6, *[len(literal.encode()) for literal in clause]), -len(clause)
