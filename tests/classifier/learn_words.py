"""Learns the weights of words anew from the replies of these tests: ``python -m tests.classifier.learn_words``.

Only our own replies teach, never the measuring corpus, so that what it measures stays honest.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from pathlib import Path

import config
from classifier.matcher import subject_of
from classifier.words import BIAS, SCALE, tokens_of
from model.cause import SPECS, Cause, Reason

FILE = Path(config.__file__).parent / "rules" / "99-words.toml"
_HEAD = """\
# Written by "python -m tests.classifier.learn_words" from tests/classifier/replies*.toml: do not edit.
# How much each word (cut to six letters) and code speaks for a class, where no rule is certain.

source = "tests/classifier/replies*.toml"
words = '''
"""


def read_texts() -> list[tuple[str, Reason]]:
    """Return our replies with their classes, without those that mean something else at one provider.

    Nor those of a round that are our own wordings of what rules were just given: they show that the rules hold, and
    would only tell the weights how often we tried.
    """
    texts: list[tuple[str, Reason]] = []
    for path in sorted(Path(__file__).parent.glob("replies*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8"))["group"]:
            if "host" not in group and "reason" not in group and not group.get("round", "").endswith("own"):
                reason = SPECS[Cause(group["cause"])].reason
                texts += [(subject_of(reply), reason) for reply in group["replies"]]
    return texts


def learn(texts: Iterable[tuple[str, Reason]], *, rounds: int = 12, rate: float = 0.5, decay: float = 1e-3) -> str:
    """Return the table that ``texts``, each with its class, teach: a stochastic descent with AdaGrad steps.

    The same texts give the same table, whatever their order. ``rounds`` is how often each text is looked at, ``rate``
    the length of a step, ``decay`` how strongly weights are drawn to zero.
    """
    samples = [(sorted(tokens_of(text)), reason) for text, reason in sorted(texts)]
    reasons = sorted({reason for _, reason in samples}, key=list(Reason).index)
    place_of = {reason: place for place, reason in enumerate(reasons)}
    width = len(reasons)
    weights = {token: [0.0] * width for tokens, _ in samples for token in [*tokens, BIAS]}
    squares = {token: [1e-8] * width for token in weights}
    for turn in range(rounds):
        # Walked with a stride that shares no factor with their number, so that neighbours in the file are far apart.
        for place in _strewn(len(samples), turn):
            tokens, reason = samples[place]
            tokens = [*tokens, BIAS]
            share = 1 / math.sqrt(len(tokens))
            sums = [sum(weights[token][k] for token in tokens) * share for k in range(width)]
            highest = max(sums)
            odds = [math.exp(value - highest) for value in sums]
            whole = sum(odds)
            errors = [(value / whole - (k == place_of[reason])) * share for k, value in enumerate(odds)]
            for token in tokens:
                row, square = weights[token], squares[token]
                for k, error in enumerate(errors):
                    slope = error + decay * row[k]
                    square[k] += slope * slope
                    row[k] -= rate * slope / math.sqrt(square[k])
    lines = [" ".join(reason.value for reason in reasons)]
    lines += [
        f"{token} " + " ".join(str(round(value * SCALE)) for value in weights[token]) for token in sorted(weights)
    ]
    return "\n".join(lines)


def _strewn(count: int, turn: int) -> Iterable[int]:
    stride = int(count * 0.618) + turn
    while count > 1 and math.gcd(stride, count) != 1:
        stride += 1
    return ((turn + step * stride) % count for step in range(count))


def render() -> str:
    """Return the file of weights that our replies teach."""
    return f"{_HEAD}{learn(read_texts())}\n'''\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(render(), encoding="utf-8")
    print(f"{FILE}: {len(FILE.read_bytes()):,} octets")


if __name__ == "__main__":
    main()
