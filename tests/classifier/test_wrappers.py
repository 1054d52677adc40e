"""What a server answered means the same in whatever notice it stands: answers of replies*.toml in wrappers.toml."""

from __future__ import annotations

import os
import random
import tomllib
from pathlib import Path

import pytest

from classifier.classify import Classifier
from model.reading import Kind

HERE = Path(__file__).parent
WRAPPERS = tomllib.loads((HERE / "wrappers.toml").read_text(encoding="utf-8"))
OF_TWO = tomllib.loads((HERE / "wrappers-of-two.toml").read_text(encoding="utf-8"))
SEED = int(os.environ.get("TEST_SEED", "20261127"))
MAILED = "mika@hamabe.example"
OTHER = "sora@yamate.example"
_SAMPLE = 80
#: Of so many answers so few may mean something else where words stand around them.
_MOST_CHANGED = 4


def _answers() -> list[str]:
    """Return answers that begin with a reply code; one that names an address would name another than the notice."""
    found: list[str] = []
    for file in sorted(HERE.glob("replies*.toml")):
        for group in tomllib.loads(file.read_text(encoding="utf-8"))["group"]:
            found += [reply for reply in group["replies"] if reply[:1] in "45" and reply[1:3].isdigit()]
    return [reply for reply in found if reply.isascii() and "\n" not in reply and "@" not in reply and len(reply) < 300]


ANSWERS = random.Random(SEED).sample(_answers(), _SAMPLE)


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_an_answer_means_the_same_in_a_notice(name: str, classifier: Classifier) -> None:
    print(f"TEST_SEED={SEED}")
    changed: list[str] = []
    for answer in ANSWERS:
        reading = classifier.read(_mail(name, answer))
        assert [recipient.address for recipient in reading.recipients] == [MAILED], answer
        if "will " not in answer:
            # A server that says it will try speaks of its own queue.
            assert reading.kind is Kind.BOUNCE, answer
        verdict = reading.recipients[0].verdict
        assert verdict is not None
        # A notice may say which command was answered, or not.
        bare = {classifier.diagnose(answer, command=command).reason for command in (None, "RCPT", "DATA")}
        if verdict.reason not in bare:
            changed.append(f"{answer}: {verdict.reason.value} by {verdict.rule}")
    assert len(changed) <= _MOST_CHANGED, changed


@pytest.mark.parametrize("name", sorted(OF_TWO))
def test_each_of_two_recipients_has_its_own_answer(name: str, classifier: Classifier) -> None:
    print(f"TEST_SEED={SEED}")
    wrapper = OF_TWO[name]
    changed: list[str] = []
    for first, second in zip(ANSWERS[::2], ANSWERS[1::2], strict=True):
        text = wrapper["head"].replace("{a}", MAILED).replace("{b}", OTHER)
        for address, answer in ((MAILED, first), (OTHER, second)):
            text += wrapper["each"].replace("{a}", address).replace("{r}", answer)
        reading = classifier.read(_with_header(wrapper, text + wrapper["tail"]))
        if "will " in first + second:
            continue
        assert [recipient.address for recipient in reading.recipients] == [MAILED, OTHER], (first, second)
        for recipient, answer in zip(reading.recipients, (first, second), strict=True):
            bare = {classifier.diagnose(answer, command=command).reason for command in (None, "RCPT", "DATA")}
            if recipient.verdict is None or recipient.verdict.reason not in bare:
                changed.append(f"{answer}: {recipient.verdict}")
    assert len(changed) <= _MOST_CHANGED, changed


def _mail(name: str, answer: str) -> bytes:
    wrapper = WRAPPERS[name]
    return _with_header(wrapper, wrapper["text"].replace("{a}", MAILED).replace("{r}", answer))


def _with_header(wrapper: dict[str, str], text: str) -> bytes:
    header = (
        f"Return-Path: <>\nFrom: {wrapper['from']}\nTo: b+tok3n@bounce.example.com\nSubject: {wrapper['subject']}\n"
        "Date: Fri, 27 Nov 2026 09:12:33 +0900\nContent-Type: text/plain; charset=utf-8\n\n"
    )
    return f"{header}{text}".encode()
