"""Passes over most patterns unasked: by the words of a text, it names those alternatives that may match. Pure.

Every alternative of a pattern needs one or two words, or pieces of words. What a word of a text fulfils is remembered,
since most words come again; so a text that nobody has seen costs little more than a look-up for each of its words,
where an automaton would have to build states for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import re2

from classifier.literals import Arm, Clause, arms_of

# Texts are looked up word by word up to this many characters, words up to that many; the rest goes to an automaton,
# which is linear whatever the text (S21).
_MAX_TEXT = 4_096
_MAX_WORD = 64
#: Words of one text that are looked up anew at most; then the automaton reads the whole.
_MAX_UNSEEN = 64
#: Words remembered at most; then all are forgotten.
_MAX_WORDS = 16_384
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
_LEAST_PIECE = 2
#: How often a literal without such a piece is taken to occur in the samples.
_OFTEN = 10_000
_ASCII_RUN = re.compile(r"[\x00-\x7f]{2,}")
#: The one letter beyond ASCII that is another form of one within and stays what it is in lower case.
_LONG_S = "\u017f"
#: Returns the numbers of the patterns that occur in some octets.
Match = Callable[[bytes], list[int]]


class Prefilter:
    """Names the patterns that may match a text; it may name too many, never too few.

    A bit stands for one need of one alternative, higher bits for stronger patterns; a lane holds one need of each.
    Every word sets the bits of the needs it fulfils; an alternative whose bits are set in all lanes may match.
    """

    def __init__(self, patterns: list[tuple[int, str]], samples: Iterable[str]) -> None:
        """Arguments: ``patterns`` are rank and pattern, strongest first; ``samples`` show which words are rare."""
        arms = [(rank, arm) for rank, pattern in patterns for arm in arms_of(pattern)]
        arms.reverse()
        self._ranks = [rank for rank, _ in arms]
        self._sure = [arm.is_literal for _, arm in arms]
        memory = min(_MOST_MEMORY, max(_LEAST_MEMORY, _ALL_MEMORY // max(1, len(arms))))
        self._matchers = [matcher_of(compile_set([arm.source], memory)) for _, arm in arms]
        #: clauses of an arm that its needs tell too little of, so that they are looked for in the text
        self._rest: list[list[Clause]] = []
        self._width = len(arms)
        #: the needs that are not there, and so are fulfilled by every text
        self._free = 0
        self._pieces = self._file([arm for _, arm in arms], "\n".join(samples).lower())
        self._find_pieces, self._chains = _compile_pieces(self._pieces)
        self._words: dict[str, int] = {}
        self._shared: dict[int, int] = {}
        self._all = _Pieces(self._pieces)
        #: the pieces that are not ASCII alone: a smaller set, which knows its way sooner
        self._foreign = _Pieces({piece: bits for piece, bits in self._pieces.items() if not piece.isascii()})

    def scope_of(self, ranks: Iterable[int]) -> int:
        """Return the bits of all patterns of ``ranks``: a scope for ``candidates``."""
        wanted = set(ranks)
        return sum(1 << number for number, rank in enumerate(self._ranks) if rank in wanted)

    def matching(self, text: str, scope: int, limit: int) -> Iterator[int]:
        """Yield the rank of each pattern that matches the collapsed ``text``, strongest first; some more than once.

        Arguments: ``scope`` is what counts, ``limit`` the rank to stop before.
        """
        subject = b""
        is_ascii = text.isascii()
        lowered = text.lower()
        held = self._free
        if len(text) <= _MAX_TEXT and _LONG_S not in text:
            known = self._words
            unseen = 0
            for word in lowered.split(" "):
                bits = known.get(word)
                if bits is None:
                    unseen += 1
                    if unseen > _MAX_UNSEEN:
                        # Made of nothing but new words: no reply is.
                        held |= self._all.search(text)
                        break
                    bits = self._look_up(word)
                if bits:
                    held |= bits
        else:
            held |= self._all.search(text)
        left = held & (held >> self._width) & scope
        rest, ranks = self._rest, self._ranks
        while left:
            number = left.bit_length() - 1
            left ^= 1 << number
            if ranks[number] >= limit:
                return
            # How letters beyond ASCII fold is RE2's business.
            if is_ascii:
                if rest[number] and not holds_all(lowered, rest[number]):
                    continue
                if self._sure[number]:
                    yield ranks[number]
                    continue
            subject = subject or text.encode("utf-8", "replace")[:MAX_SUBJECT]
            if self._matchers[number](subject):
                yield ranks[number]

    def _file(self, arms: list[Arm], sampled: str) -> dict[str, int]:
        """Return the bits that each piece of a word fulfils."""
        rarity: dict[str, int] = {}
        bits: dict[str, int] = {}
        for number, arm in enumerate(arms):
            needs, rest = _needs_of(arm, sampled, rarity)
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
        """Return the bits that ``word`` sets, and remember them."""
        if word.isascii():
            held = self._look_into(word)
        else:
            held = self._foreign.search(word)
            for run in _ASCII_RUN.findall(word):
                held |= self._look_into(run)
        if len(word) > _MAX_WORD:
            return held
        if len(self._words) >= _MAX_WORDS:
            self._words.clear()
            self._shared.clear()
        # Words that fulfil the same share one number: a few hundred of them are all there is.
        held = self._words[word] = self._shared.setdefault(held, held)
        return held

    def _look_into(self, word: str) -> int:
        """Return the bits of the pieces in ``word``, which is ASCII."""
        if len(word) > _MAX_WORD:
            return self._all.search(word)
        held = 0
        chains = self._chains
        for piece in self._find_pieces(word):
            held |= chains[piece]
        return held


class _Pieces:
    """Pieces of words, and the bits that each sets; found in a text by an automaton."""

    def __init__(self, bits: dict[str, int]) -> None:
        self._match = matcher_of(compile_set(list(bits), _MOST_MEMORY, literal=True))
        self._bits = list(bits.values())

    def search(self, text: str) -> int:
        """Return the bits that the pieces in ``text`` set."""
        held = 0
        # Empty, a Set cannot be asked.
        for hit in self._match(text.encode("utf-8", "replace")) if self._bits else ():
            held |= self._bits[hit]
        return held


def _compile_pieces(pieces: dict[str, int]) -> tuple[Callable[[str], list[str]], dict[str, int]]:
    """Return a search for the pieces of ASCII in a word, and the bits of each piece it finds.

    It finds the longest piece at each place; the shorter ones are those it begins with, so their bits are added.
    """
    chains: dict[str, int] = {}
    tree: dict[str, Any] = {}
    for piece in sorted(piece for piece in pieces if piece.isascii()):
        branch = tree
        chains[piece] = pieces[piece]
        for size, letter in enumerate(piece, 1):
            branch = branch.setdefault(letter, {})
            if size < len(piece) and piece[:size] in chains:
                chains[piece] |= chains[piece[:size]]
        branch[""] = {}
    return re.compile(f"(?=({_pattern_of(tree)}))").findall if tree else lambda _: [], chains


def _pattern_of(branch: dict[str, Any]) -> str:
    """Return the pattern of what ``branch`` of a tree of letters holds."""
    arms = [re.escape(letter) + _pattern_of(below) for letter, below in branch.items() if letter]
    if not arms:
        return ""
    joined = arms[0] if len(arms) == 1 and "" not in branch else f"(?:{'|'.join(arms)})"
    return f"{joined}?" if "" in branch else joined


def holds_all(lowered: str, clauses: list[Clause]) -> bool:
    """Whether ``lowered``, a text in lower case, holds a literal of each of ``clauses``."""
    for clause in clauses:
        for literal in clause:
            if literal in lowered:
                break
        else:
            return False
    return True


def _needs_of(arm: Arm, sampled: str, rarity: dict[str, int]) -> tuple[list[frozenset[str]], list[Clause]]:
    """Return up to two needs of ``arm``, the least likely first: pieces of words, of which one must occur.

    And the clauses, in lower case, that hold by no means wherever the needs do, the least likely first.
    """
    costs: dict[frozenset[str], int] = {}
    clauses = [tuple(literal.lower() for literal in clause) for clause in arm.clauses]
    for clause in clauses:
        pieces = [_pieces_of(literal, sampled, rarity) for literal in clause]
        if not all(pieces):
            continue
        for place in range(max(map(len, pieces))):
            # A literal of fewer words is asked for by its rarest once more.
            need = frozenset(found[place] if place < len(found) else found[0] for found in pieces)
            costs[need] = sum(rarity[piece] for piece in need)
    needs = sorted(costs, key=lambda need: costs[need])[:_LANES]

    def chance(literal: str) -> int:
        return min((rarity[piece] for piece in _pieces_of(literal, sampled, rarity)), default=_OFTEN)

    rest: list[Clause] = []
    for clause in clauses:
        if frozenset(clause) not in needs:
            # Of a literal and a longer one the shorter tells of both; what stands most often is tried first.
            kept = [literal for literal in clause if not any(other != literal and other in literal for other in clause)]
            rest.append(tuple(sorted(dict.fromkeys(kept), key=chance, reverse=True)))
    return needs, sorted(rest, key=lambda clause: sum(map(chance, clause)))


def _pieces_of(literal: str, sampled: str, rarity: dict[str, int]) -> list[str]:
    """Return the words of ``literal``, in lower case, the one that occurs least in the samples first."""
    pieces = [piece for piece in literal.lower().split(" ") if len(piece) >= _LEAST_PIECE]
    for piece in pieces:
        if piece not in rarity:
            rarity[piece] = sampled.count(piece)
    return sorted(pieces, key=lambda piece: (rarity[piece], -len(piece), piece))


def compile_set(patterns: list[str], memory: int, *, literal: bool = False) -> re2.Set:
    """Compile ``patterns`` to a Set that ignores case; even of one it answers in a third of the time of a search."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.literal = literal
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
