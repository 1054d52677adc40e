"""What commands print of words from outside: for people to read, and for no terminal to obey."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from yamabiko.json_line import json_line


@pytest.mark.parametrize(
    "text",
    [
        "購読解除",
        "Ünïcode 山彦 ✓",
        "\x1b[2J\x9b2J",
        "a\nb\r\tc",
        "\u202egnp.exe",
        "\U000e0041 tag",
        '"\\"',
        "\u2028",
        "\ud800",
    ],
)
def test_every_text_is_one_printable_line_and_comes_back(text: str) -> None:
    line = json_line({"said": text, "at": datetime(2026, 4, 1, tzinfo=UTC)})
    assert line.isprintable()
    assert json.loads(line) == {"said": text, "at": "2026-04-01 00:00:00+00:00"}
    assert (text in line) is text.isprintable()
