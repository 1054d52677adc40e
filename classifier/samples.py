"""How often pieces of words occur in samples: what an alternative is asked by should be rare. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

#: letters that a piece has at least
_LEAST_PIECE = 2
# Words that share a blank both have it.
_WORD = re.compile(r"(?=((?:^| )[^ ]+ ?))")


class Samples:
    """How often pieces of words occur in samples, and of which pieces literals consist: each is found out once."""

    def __init__(self, samples: Iterable[str]) -> None:
        """Count the words of ``samples``."""
        #: how often each word occurs, with the blanks around it
        self._words = {f" {word} ": count for word, count in Counter(" ".join(samples).casefold().split(" ")).items()}
        #: the words that have two letters beside each other: a piece is looked for in few of them
        self._by_pair: dict[str, list[str]] = {}
        for word in self._words:
            for pair in {word[at : at + 2] for at in range(len(word) - 1)}:
                self._by_pair.setdefault(pair, []).append(word)
        self._rarity: dict[str, int] = {}
        self._pieces: dict[str, list[str]] = {}

    def rarity_of(self, piece: str) -> int:
        """Return how often ``piece`` occurs."""
        rarity = self._rarity.get(piece)
        if rarity is None:
            if piece[0] == piece[-1] == " ":
                rarity = self._words.get(piece, 0)
            else:
                few = min([self._by_pair.get(piece[at : at + 2], []) for at in range(len(piece) - 1)], key=len)
                rarity = sum([word.count(piece) * self._words[word] for word in few])
            self._rarity[piece] = rarity
        return rarity

    def pieces_of(self, literal: str) -> list[str]:
        """Return the words of ``literal``, casefolded, the one that occurs least in the samples first.

        Each has the blanks that stand before and behind it, which tell it from parts of other words.
        """
        pieces = self._pieces.get(literal)
        if pieces is None:
            words = [piece for piece in _WORD.findall(literal.casefold()) if len(piece.strip()) >= _LEAST_PIECE]
            pieces = sorted(words, key=lambda piece: (self.rarity_of(piece), -len(piece), piece))
            self._pieces[literal] = pieces
        return pieces
