"""Every case is two files: NNN-name.eml and NNN-name.expect.toml. Drop files in to add one.

``cases`` grew with the readers; ``blind`` holds mails that were written, with what they mean, before anybody looked at
how the readers would take them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from classifier.classify import Classifier
from model.reading import Reading, RecipientReading

HERE = Path(__file__).parent
CASES = sorted((HERE / "cases").glob("*.eml")) + sorted((HERE / "blind").glob("*.eml"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 600
    assert all(case.with_suffix(".expect.toml").exists() for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_case(case: Path, classifier: Classifier) -> None:
    expected = tomllib.loads(case.with_suffix(".expect.toml").read_text(encoding="utf-8"))
    reading = classifier.read(case.read_bytes(), explain=True)
    shown = "\n".join(reading.steps)
    recipients = expected.pop("recipient", [])
    returned = expected.pop("returned", None)
    assert {key: _value(getattr(reading, key)) for key in expected} == expected, shown
    # A mail that names nobody has a recipient without an address.
    wanted = [item.get("address") for item in recipients]
    assert [recipient.address for recipient in reading.recipients] == wanted, shown
    for item, recipient in zip(recipients, reading.recipients, strict=True):
        assert {key: _recipient_value(recipient, key) for key in item} == item, shown
    if returned is not None:
        _check_returned(reading, returned)


def _check_returned(reading: Reading, returned: dict[str, str]) -> None:
    assert reading.returned.message_id == returned["message_id"]
    assert reading.returned.to == returned["to"]
    names = [name for name, _ in reading.returned.token_headers]
    assert returned["token"].lower() in names
    assert names[0] == returned.get("first_token", "return-path")
    assert any("tok3n" in value for _, value in reading.returned.token_headers)


def _recipient_value(recipient: RecipientReading, key: str) -> Any:
    source = recipient if hasattr(recipient, key) else recipient.verdict
    return _value(getattr(source, key))


def _value(value: Any) -> Any:
    return getattr(value, "value", value)
