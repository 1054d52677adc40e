"""Learns the weights of words anew from the replies of these tests: ``python -m tests.classifier.learn_words``.

Only our own replies teach, never the measuring corpus, so that what it measures stays honest.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import config
from classifier.matcher import subject_of
from classifier.words import learn
from model.cause import SPECS, Cause, Reason

FILE = Path(config.__file__).parent / "rules" / "99-words.toml"
_HEAD = """\
# Written by "python -m tests.classifier.learn_words" from tests/classifier/replies*.toml: do not edit.
# How much each word (cut to six letters) and code speaks for a class, where no rule says more than a code does.

source = "tests/classifier/replies*.toml"
words = '''
"""


def read_texts() -> list[tuple[str, Reason]]:
    """Return our replies with their classes, without those that mean something else at one provider."""
    texts: list[tuple[str, Reason]] = []
    for path in sorted(Path(__file__).parent.glob("replies*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8"))["group"]:
            if "host" not in group and "reason" not in group:
                reason = SPECS[Cause(group["cause"])].reason
                texts += [(subject_of(reply), reason) for reply in group["replies"]]
    return texts


def render() -> str:
    """Return the file of weights that our replies teach."""
    return f"{_HEAD}{learn(read_texts())}\n'''\n"


def main() -> None:
    """Write the file."""
    FILE.write_text(render(), encoding="utf-8")
    print(f"{FILE}: {len(FILE.read_bytes()):,} octets")


if __name__ == "__main__":
    main()
