"""Passes over most patterns unasked: by the words of a text, it names those alternatives that may match. Pure.

Every alternative of a pattern needs one or two words, or pieces of words. What a word of a text fulfils is remembered,
since most words come again; so a text that nobody has seen costs little more than a look-up for each of its words,
where an automaton would have to build states for it. Of a text with several sentences each is looked at by itself, as
most alternatives never match beyond one: few sentences have the words of an alternative, and they come again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import re2

from classifier.literals import Arm, Clause, arms_of
from classifier.samples import Samples

#: What ends a sentence; no abbreviation matters, as what is parted there is only looked at apart.
_SENTENCE_END = ". "
#: Shorter texts are looked at as a whole.
_SHORT = 250
#: Sentences of a text that are told apart at most; the rest is one.
_MAX_SENTENCES = 64
#: Sentences of so many characters at most are remembered, and so many of them; then all are forgotten.
_MAX_SENTENCE, _MOST_SENTENCES = 400, 2_048
#: The same of words.
_MAX_WORD, _MAX_WORDS = 64, 16_384
# Memory of an automaton at most, and of all together. A Set of all patterns would remember, for every text, which of
# hundreds of half-matched patterns are open at once, and build 1,000 us of new states for each unknown reply; so the
# alternatives that are left are asked one by one, strongest first.
_MOST_MEMORY = 32 * 1024 * 1024
_LEAST_MEMORY = 1024 * 1024
_ALL_MEMORY = 256 * 1024 * 1024
#: Longest text that is searched, in octets (S21).
MAX_SUBJECT = 64 * 1024
#: A third lane would spare one search in a hundred, and each word would have half as many bits again to fetch.
_LANES = 2
#: How often a literal without such a piece is taken to occur in the samples.
_OFTEN = 10_000
# What a word beyond ASCII has that has a piece of ASCII: two letters beside each other, as a piece has at least.
_ASCII_PIECE = re.compile(r"[!-~]{2}")
#: Returns the numbers of the patterns that occur in some octets.
Match = Callable[[bytes], list[int]]


class _Sentence:
    """A sentence of a text, or all of it: what its words fulfil, and which alternatives were found in it."""

    __slots__ = ("asked", "candidates", "folded", "held", "is_ascii", "matched", "octets", "text")

    def __init__(self, text: str, folded: str, held: int) -> None:
        self.text = text
        self.folded = folded
        self.held = held
        #: alternatives that may match, and those of them that were asked, and that matched
        self.candidates = 0
        self.asked = 0
        self.matched = 0
        self.is_ascii = text.isascii()
        self.octets = b""


class Prefilter:
    """Names the patterns that may match a text; it may name too many, never too few.

    A bit stands for one need of one alternative, higher bits for stronger patterns; a lane holds one need of each.
    Every word sets the bits of the needs it fulfils; an alternative whose bits are set in all lanes may match.

    Most alternatives match within a sentence only, so that each sentence is looked at by itself: few have the words of
    an alternative, they are short, and they come again, in the next text about the same mail and in the next mail.
    """

    def __init__(self, patterns: list[tuple[int, str]], samples: Iterable[str]) -> None:
        """Arguments: ``patterns`` are rank and pattern, strongest first; ``samples`` show which words are rare."""
        arms = [(rank, arm) for rank, pattern in patterns for arm in arms_of(pattern)]
        arms.reverse()
        self._ranks = [rank for rank, _ in arms]
        self._bits_of: dict[int, int] = {}
        for number, rank in enumerate(self._ranks):
            self._bits_of[rank] = self._bits_of.get(rank, 0) | 1 << number
        self._sure = [arm.is_literal for _, arm in arms]
        #: the alternatives that never match beyond a sentence
        self._within = sum(1 << number for number, (_, arm) in enumerate(arms) if not arm.shape.crosses)
        memory = min(_MOST_MEMORY, max(_LEAST_MEMORY, _ALL_MEMORY // max(1, len(arms))))
        self._matchers = [matcher_of(compile_set([arm.source], memory)) for _, arm in arms]
        #: clauses of an arm that its needs tell too little of, so that they are looked for in the text
        self._rest: list[list[Clause]] = []
        self._width = len(arms)
        #: the needs that are not there, and so are fulfilled by every text
        self._free = 0
        pieces = self._file([arm for _, arm in arms], Samples(samples))
        self._ascii = _Pieces({piece: bits for piece, bits in pieces.items() if piece.isascii()})
        #: those that words without a letter may have: few, so that dates, addresses of hosts and lines cost little
        self._figures = _Pieces(
            {piece: bits for piece, bits in pieces.items() if piece.isascii() and not piece.islower()}
        )
        self._foreign = _Pieces({piece: bits for piece, bits in pieces.items() if not piece.isascii()})
        self._words: dict[str, int] = {}
        self._shared: dict[int, int] = {}
        #: a text casefolded, and the needs its words fulfil; remembered, as recipients of one mail may share a text
        self._fold = lru_cache(maxsize=8)(self._fold_and_hold)
        #: the last word that was too long to be among them
        self._longest = "", 0
        self._sentences: dict[str, _Sentence] = {}

    def scope_of(self, ranks: Iterable[int]) -> int:
        """Return the bits of all patterns of ``ranks``: a scope for ``matching``."""
        scope = 0
        for rank in ranks:
            scope |= self._bits_of.get(rank, 0)
        return scope

    def matching(self, text: str, scope: int, limit: int) -> Iterator[int]:
        """Yield the rank of each pattern that matches the collapsed ``text``, strongest first; some more than once.

        Arguments: ``scope`` is what counts, ``limit`` the rank to stop before.
        """
        if len(text) > _SHORT and _SENTENCE_END in text:
            yield from self._by_sentence(text, scope, limit)
            return
        folded, held = self._fold(text)
        left = held & (held >> self._width) & scope
        is_ascii = text.isascii()
        octets = b""
        rest, ranks, sure, matchers = self._rest, self._ranks, self._sure, self._matchers
        while left:
            number = left.bit_length() - 1
            left ^= 1 << number
            if ranks[number] >= limit:
                return
            if rest[number] and not holds_all(folded, rest[number]):
                continue
            # How letters beyond ASCII fold is RE2's business; full folding equates more.
            if sure[number] and is_ascii:
                yield ranks[number]
                continue
            octets = octets or text.encode("utf-8", "replace")[:MAX_SUBJECT]
            if matchers[number](octets):
                yield ranks[number]

    def _by_sentence(self, text: str, scope: int, limit: int) -> Iterator[int]:
        """Do the same for a text of several sentences."""
        sentences = [self._read(sentence) for sentence in sentences_of(text)]
        held = within = 0
        for sentence in sentences:
            held |= sentence.held
            within |= sentence.candidates
        beyond = held & (held >> self._width) & scope & ~self._within
        left = (within & scope & self._within) | beyond
        whole = _Sentence(text, text.casefold(), held) if beyond else sentences[0]
        ranks = self._ranks
        while left:
            number = left.bit_length() - 1
            bit = 1 << number
            left ^= bit
            if ranks[number] >= limit:
                return
            if bit & beyond:
                if self._is_in(number, whole):
                    yield ranks[number]
                continue
            for sentence in sentences:
                if sentence.candidates & bit:
                    if not sentence.asked & bit:
                        if self._is_in(number, sentence):
                            sentence.matched |= bit
                        sentence.asked |= bit
                    if sentence.matched & bit:
                        yield ranks[number]
                        break

    def _is_in(self, number: int, sentence: _Sentence) -> bool:
        """Whether the alternative ``number`` matches in ``sentence``."""
        if self._rest[number] and not holds_all(sentence.folded, self._rest[number]):
            return False
        if self._sure[number] and sentence.is_ascii:
            return True
        octets = sentence.octets
        if not octets:
            octets = sentence.octets = sentence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
        return bool(self._matchers[number](octets))

    def _fold_and_hold(self, text: str) -> tuple[str, int]:
        folded = text.casefold()
        return folded, self._held(folded)

    def _held(self, folded: str) -> int:
        """Return the needs that the words of ``folded`` fulfil."""
        held = self._free
        known = self._words
        for word in folded.split(" "):
            bits = known.get(word)
            if bits is None:
                bits = self._look_up(word)
            if bits:
                held |= bits
        return held

    def _read(self, text: str) -> _Sentence:
        """Return the sentence ``text`` with what its words fulfil; short ones are remembered."""
        sentence = self._sentences.get(text)
        if sentence is not None:
            return sentence
        folded = text.casefold()
        sentence = _Sentence(text, folded, self._held(folded))
        sentence.candidates = sentence.held & (sentence.held >> self._width)
        if len(text) <= _MAX_SENTENCE:
            if len(self._sentences) >= _MOST_SENTENCES:
                self._sentences.clear()
            self._sentences[text] = sentence
        return sentence

    def _file(self, arms: list[Arm], samples: Samples) -> dict[str, int]:
        """Return the bits that each piece of a word fulfils."""
        bits: dict[str, int] = {}
        for number, arm in enumerate(arms):
            needs, rest = _needs_of(arm, samples)
            self._rest.append(rest)
            for lane in range(_LANES):
                bit = 1 << (number + lane * self._width)
                if lane >= len(needs):
                    self._free |= bit
                    continue
                for piece in needs[lane]:
                    bits[piece] = bits.get(piece, 0) | bit
        return bits

    def _look_up(self, word: str) -> int:
        """Return the bits that ``word``, casefolded, sets, and remember them."""
        if word == self._longest[0]:
            return self._longest[1]
        # A piece may need a blank before or behind it.
        blanked = f" {word} "
        if not word.isascii():
            held = self._foreign.search(blanked)
            if _ASCII_PIECE.search(word):
                held |= self._ascii.search(blanked)
        else:
            held = (self._ascii if word.islower() else self._figures).search(blanked)
        if len(word) > _MAX_WORD:
            # No word at all, but the same in each text of its mail.
            self._longest = word, held
            return held
        if len(self._words) >= _MAX_WORDS:
            self._words.clear()
            self._shared.clear()
        # Words that fulfil the same share one number: a few hundred of them are all there is.
        held = self._words[word] = self._shared.setdefault(held, held)
        return held


class _Pieces:
    """Pieces of words, and the bits that each sets.

    It finds the longest piece at each place of a word; the shorter ones are those it begins with, so their bits are
    added.
    """

    def __init__(self, bits: dict[str, int]) -> None:
        self._bits: dict[str, int] = {}
        tree: dict[str, Any] = {}
        for piece in sorted(bits):
            branch = tree
            self._bits[piece] = bits[piece]
            for size, letter in enumerate(piece, 1):
                branch = branch.setdefault(letter, {})
                if size < len(piece) and piece[:size] in self._bits:
                    self._bits[piece] |= self._bits[piece[:size]]
            branch[""] = {}
        # Where there is no piece, it finds nothing anywhere. A letter that begins none is told by one look at a set,
        # not by hundreds of alternatives one after the other.
        first = "".join(map(re.escape, tree))
        self._find = re.compile(f"(?=[{first}])(?=({_pattern_of(tree)}))" if tree else "(?!)").findall

    def search(self, word: str) -> int:
        """Return the bits that the pieces in ``word`` set."""
        held = 0
        for piece in self._find(word):
            held |= self._bits[piece]
        return held


def _pattern_of(branch: dict[str, Any]) -> str:
    """Return the pattern of what ``branch`` of a tree of letters holds."""
    arms = [re.escape(letter) + _pattern_of(below) for letter, below in branch.items() if letter]
    if "" in branch and arms:
        # An empty alternative costs ``re`` less than a group that may be left out.
        arms.append("")
    return arms[0] if len(arms) == 1 else f"(?:{'|'.join(arms)})" if arms else ""


def sentences_of(text: str) -> list[str]:
    """Return the sentences of the collapsed ``text``, each with the blank before it; the last holds what is left."""
    if _SENTENCE_END not in text:
        return [text]
    first, *others = text.split(_SENTENCE_END, _MAX_SENTENCES)
    last = others.pop()
    return [f"{first}.", *[f" {sentence}." for sentence in others], f" {last}"]


def holds_all(lowered: str, clauses: list[Clause]) -> bool:
    """Whether ``lowered``, in lower case or casefolded as ``clauses`` are, holds a literal of each of them."""
    for clause in clauses:
        for literal in clause:
            if literal in lowered:
                break
        else:
            return False
    return True


def _needs_of(arm: Arm, samples: Samples) -> tuple[list[frozenset[str]], list[Clause]]:
    """Return up to two needs of ``arm``, the least likely first: pieces of words, of which one must occur.

    And the clauses, casefolded, that hold by no means wherever the needs do, the least likely first.
    """
    costs: dict[frozenset[str], int] = {}
    clauses = [tuple([literal.casefold() for literal in clause]) for clause in arm.clauses]
    for clause in clauses:
        pieces = [samples.pieces_of(literal) for literal in clause]
        if not all(pieces):
            continue
        for place in range(max(map(len, pieces))):
            # A literal of fewer words is asked for by its rarest once more.
            need = frozenset(found[place] if place < len(found) else found[0] for found in pieces)
            costs[need] = sum(map(samples.rarity_of, need))
    needs = sorted(costs, key=lambda need: costs[need])[:_LANES]

    def chance(literal: str) -> int:
        return min(map(samples.rarity_of, samples.pieces_of(literal)), default=_OFTEN)

    rest: list[Clause] = []
    for clause in clauses:
        # The ends of a text count as blanks there, and are none.
        if frozenset(clause) not in needs or any(" " in literal for literal in clause):
            # Of a literal and a longer one the shorter tells of both; what stands most often is tried first.
            kept = [literal for literal in clause if not any(other != literal and other in literal for other in clause)]
            rest.append(tuple(sorted(dict.fromkeys(kept), key=chance, reverse=True)))
    return needs, sorted(rest, key=lambda clause: sum(map(chance, clause)))


def compile_set(patterns: list[str], memory: int) -> re2.Set:
    """Compile ``patterns`` to a Set that ignores case; even of one it answers in a third of the time of a search."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.max_mem = memory
    compiled = re2.Set.SearchSet(options)
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled


def matcher_of(compiled: re2.Set) -> Match:
    """Return ``compiled.Match`` for octets, empty without a match.

    What the package has around the engine's own function takes as long as a search of a hundred octets.
    """
    own = getattr(compiled, "_set", None)
    match: Match = own.Match if own is not None else lambda text: compiled.Match(text) or []
    return match
