"""What the words of a reply make probable, where no rule is certain: a logistic regression.

The weights stand in a rule file (``words``) and are learned from the replies that our own tests hold
(``python -m tests.classifier.learn_words``). A guess is a guess: its confidence suppresses nobody.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from classifier.wordings import Wordings
from model.cause import Cause, Reason

#: A guess counts from this probability on.
LEAST_PROBABILITY = 0.5
#: ... and when so many words of the text are known.
_LEAST_WORDS = 2
#: Without codes, which are the same in every language, so large a share of the words must be known.
_LEAST_KNOWN = 0.8
#: Longest text looked at, in characters: the words of a long notification are about anything.
_MAX_TEXT = 1_000
_CACHE_SIZE = 4_096
#: Words of so many characters at most are remembered, and so many of them.
_MAX_CHUNK, _MOST_CHUNKS = 32, 8_192
#: Words are cut to so many letters, so that "recipient" and "recipients", "delivered" and "delivery" are one.
_STEM = 6
#: Weights are whole numbers in the file, so many times as large.
SCALE = 100
#: The name of the weight that every text has.
BIAS = "="

#: The weights of a word are kept in one number, a field of bits for each class, so that all are added at once.
_MOST_WEIGHT, _FIELD = 32_767, 32
_MASK = (1 << _FIELD) - 1

_TOKEN = re.compile(r"[^\W\d_]{2,}|(?<![\w.])[45]\d\d(?![\w.])|(?<![\w.])[45]\.\d\.\d{1,3}")
# Of them, a code, its class, a status, and the parts of one.
_CODE_TOKEN = re.compile(r"\d|x\.\d")
# Host names and versions are no words; nor are URLs and addresses.
_NAME = re.compile(r"[^\W\d_]\.\w|\w\.[^\W\d_]")
# Writing without spaces between words: two characters each stand for a word.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# What mail systems write around the reply of another, and headings, in lower case: no word of it says why.
_AROUND = Wordings(
    ("(in reply to ", r"\(in reply to [^()]*\)"),
    ("smtp error ", r"smtp (?<!\wsmtp )error from remote mail server after [^:]{1,40}:(?:x@x:?)?"),
    ("does not like ", r"does (?<!\wdoes )not like recipient\."),
    ("failed after ", r"failed (?<!\wfailed )after i sent the message\."),
    ("remote host ", r"remote (?<!\wremote )host said:"),
    ("giving up on ", r"giving (?<!\wgiving )up on \S+"),
    ("host ", r"host (?<!\whost )[\w.-]+(?: ?\[[\da-f.:]+\](?::\d+)?:?(?: said:)?| said:)"),
    ("the error that ", r"the (?<!\wthe )error that the other server returned was:"),
    ("(state ", r"\(state \d+\)"),
    ("****", r"\*{4,}+[^*]{1,80}\*{4,}"),
    flags=re.ASCII,
)
# What may stand around a word, and is part of no other token.
_PUNCTUATION = ".,:;!?()[]<>{}\"'*-"
#: The plainest cause of each class: words tell classes apart, not more.
_CAUSES = {
    Reason.USER_UNKNOWN: Cause.USER_UNKNOWN,
    Reason.HOST_UNKNOWN: Cause.HOST_UNKNOWN,
    Reason.REJECTED: Cause.POLICY_REJECTED,
    Reason.MAILBOX_FULL: Cause.MAILBOX_FULL,
    Reason.TIMEOUT: Cause.CONNECTION_FAILED,
    Reason.RELAY_ERROR: Cause.RELAY_DENIED,
    Reason.SERVER_CONFIG_ERROR: Cause.REMOTE_CONFIG_ERROR,
    Reason.USER_CONFIG_ERROR: Cause.MAILBOX_CONFIG_ERROR,
    Reason.ADDRESS_SYNTAX_ERROR: Cause.ADDRESS_SYNTAX,
    Reason.OTHER: Cause.NO_REASON,
    Reason.UNPARSABLE: Cause.UNPARSABLE,
}
#: Words that speak for these say nothing: codes and the words of rules, however weak, say more.
_SAYS_NOTHING = frozenset({Reason.OTHER, Reason.UNPARSABLE})


@dataclass(frozen=True, slots=True)
class Guess:
    """What words make probable."""

    reason: Reason
    cause: Cause
    #: of the reason, from 0 to 1
    probability: float


class WordWeights:
    """How much each word speaks for each class."""

    def __init__(self, table: str) -> None:
        """Read ``table``: a line of classes, then a line a word with a whole number for each class.

        Raises ValueError, which says which line is wrong.
        """
        lines = table.strip().splitlines()
        try:
            self._reasons = [Reason(name) for name in lines[0].split()]
            self._causes = [_CAUSES[reason] for reason in self._reasons]
        except (IndexError, ValueError, KeyError):
            raise ValueError("the first line does not name classes") from None
        bias: tuple[int, ...] = (0,) * len(self._reasons)
        self._weights: dict[str, int] = {}
        for number, line in enumerate(lines[1:], 2):
            word, *numbers = line.split()
            try:
                weights = tuple(map(int, numbers))
            except ValueError:
                weights = ()
            if len(weights) != len(self._reasons):
                raise ValueError(f"line {number} is no word and {len(self._reasons)} whole numbers")
            if max(map(abs, weights), default=0) > _MOST_WEIGHT:
                raise ValueError(f"line {number} has a number beyond {_MOST_WEIGHT:,}")
            if word == BIAS:
                bias = weights
            else:
                self._weights[word] = sum((weight + _MOST_WEIGHT) << (_FIELD * at) for at, weight in enumerate(weights))
        self._bias = bias
        self._remembered = lru_cache(maxsize=_CACHE_SIZE)(self._weighed)

    def __len__(self) -> int:
        """Return how many words have weights."""
        return len(self._weights)

    def guess(self, text: str, *, with_codes: bool = True) -> Guess | None:
        """Return what the words of ``text`` make probable; None when they are too few or too undecided.

        ``with_codes``: whether reply codes and statuses in ``text`` are weighed too.
        """
        return self._remembered(text[:_MAX_TEXT], with_codes)

    def _weighed(self, text: str, with_codes: bool) -> Guess | None:
        tokens = self._tokens_in(text)
        if not with_codes:
            tokens = {token for token in tokens if not _CODE_TOKEN.match(token)}
        known = self._known_among(tokens)
        if not _has_words(known) or (not with_codes and len(known) < len(tokens) * _LEAST_KNOWN):
            return None
        share = 1 / (SCALE * math.sqrt(len(known) + 1))
        total, least = sum([packed for _, packed in known]), len(known) * _MOST_WEIGHT
        sums = [(own + _weight_at(total, at) - least) * share for at, own in enumerate(self._bias)]
        highest = max(sums)
        probability = 1 / sum([math.exp(value - highest) for value in sums])
        place = sums.index(highest)
        if probability < LEAST_PROBABILITY or self._reasons[place] in _SAYS_NOTHING:
            return None
        return Guess(self._reasons[place], self._causes[place], probability)

    def words_for(self, reason: Reason, text: str) -> tuple[str, ...]:
        """Return the words of ``text`` (their stems) that speak for ``reason``: five at most, strongest first."""
        place = self._reasons.index(reason)
        known = self._known_among(self._tokens_in(text[:_MAX_TEXT]))
        for_it = sorted([(_MOST_WEIGHT - _weight_at(packed, place), token) for token, packed in known])
        return tuple([token for weight, token in for_it[:5] if weight < 0])

    @staticmethod
    def _tokens_in(text: str) -> set[str]:
        return tokens_of(_AROUND.blanked_in(text.lower()))

    def _known_among(self, tokens: set[str]) -> list[tuple[str, int]]:
        return [(token, found) for token in tokens if (found := self._weights.get(token))]


def _weight_at(packed: int, place: int) -> int:
    return (packed >> (_FIELD * place)) & _MASK


def _has_words(known: list[tuple[str, int]]) -> bool:
    """Whether enough of ``known`` are words, not codes."""
    count = 0
    for token, _ in known:
        count += token.isalpha()
        if count >= _LEAST_WORDS:
            return True
    return False


def tokens_of(text: str) -> set[str]:
    """Return the stems and codes of ``text``: of a status also its subject and detail, of a reply code its class."""
    found: set[str] = set()
    for chunk in text.lower().split():
        word = chunk.strip(_PUNCTUATION)
        if word.isalpha() and word.isascii():
            if len(word) > 1:
                found.add(word[:_STEM])
        else:
            found.update(_tokens_in_short(chunk) if len(chunk) <= _MAX_CHUNK else _tokens_in(chunk))
    return found


def _tokens_in(chunk: str) -> tuple[str, ...]:
    if "@" in chunk or "://" in chunk or ("." in chunk and _NAME.search(chunk)):
        return ()
    found: list[str] = []
    for token in _TOKEN.findall(chunk):
        if token[0].isdigit():
            found.append(token)
            found += (f"x{token[1:]}", f"x{token[1:3]}") if "." in token else (f"{token[0]}xx",)
        elif _UNSPACED.match(token):
            found += [token[place : place + 2] for place in range(len(token) - 1)]
        else:
            found.append(token[:_STEM])
    return tuple(found)


# Most words come again, in the next text about the same mail if not in the next mail.
_tokens_in_short = lru_cache(maxsize=_MOST_CHUNKS)(_tokens_in)
