"""Bare replies in many wordings and languages, written before the rules were asked: replies.toml and its followers."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from classifier.classify import Classifier
from classifier.judge import BY_WORDS
from model.cause import SPECS, Cause

_FILES = sorted(Path(__file__).parent.glob("replies*.toml"))
_GROUPS = [group for file in _FILES for group in tomllib.loads(file.read_text(encoding="utf-8"))["group"]]
REPLIES = [(group, reply) for group in _GROUPS for reply in group["replies"]]


def test_there_are_many_and_each_cause_of_a_server_has_some() -> None:
    assert len(REPLIES) >= 2_500
    named = {group["cause"] for group, _ in REPLIES}
    # What is decided before sending, no server says.
    local = {"suppressed_list", "suppressed_unsubscribed", "submit_failed", "render_failed"}
    assert named | local == set(Cause)


@pytest.mark.parametrize(("group", "reply"), REPLIES, ids=[f"{group['cause']}-{reply}" for group, reply in REPLIES])
def test_reply(group: dict[str, Any], reply: str, classifier: Classifier) -> None:
    verdict = classifier.diagnose(
        reply, status=group.get("status"), host=group.get("host"), command=group.get("command")
    )
    cause = Cause(group["cause"])
    assert verdict.reason.value == group.get("reason", SPECS[cause].reason.value), verdict.rule
    # Words tell classes apart, not more.
    assert verdict.cause is cause or verdict.rule == BY_WORDS, verdict.rule
