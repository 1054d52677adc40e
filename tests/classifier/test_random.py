"""read() never raises and always answers, whatever the octets."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from classifier.classify import Classifier
from classifier.rulefile import load_rules
from model.reading import Action, Kind

CLASSIFIER = Classifier(load_rules(Path(__file__).parents[2] / "config" / "rules"))
SEEDS = [path.read_bytes() for path in sorted((Path(__file__).parent / "cases").glob("*.eml"))]
# print_blob prints what replays a failure.
PROFILE = settings(
    max_examples=150, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], database=None
)


def check(raw: bytes) -> None:
    reading = CLASSIFIER.read(raw, explain=True)
    assert reading.form != "unreadable", reading.steps
    assert CLASSIFIER.read(raw, explain=True) == reading
    if reading.kind is Kind.BOUNCE:
        assert any(recipient.action is Action.FAILED and recipient.verdict for recipient in reading.recipients)
    if reading.kind is Kind.DELAY_WARNING:
        assert all(recipient.action is not Action.FAILED for recipient in reading.recipients)


@given(st.binary(max_size=4_096))
@example(b"")
@example(b"\n")
@PROFILE
def test_random_bytes(raw: bytes) -> None:
    check(raw)


@given(st.data())
@PROFILE
def test_mutated_mail(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 40))
        raw[at : at + cut] = data.draw(st.binary(max_size=20))
    check(bytes(raw))


@given(st.sampled_from(SEEDS), st.integers(0, 4_000))
@PROFILE
def test_truncated_mail(raw: bytes, length: int) -> None:
    check(raw[:length])
