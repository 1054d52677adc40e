"""Log lines stay lines, whatever is logged (S31)."""

from __future__ import annotations

import io
import json
import logging
import os
import random

import pytest

from yamabiko.logs import MAX_VALUE, JsonFormatter

SEED = int(os.environ.get("SEED", random.randrange(2**32)))


def logged(*records: tuple[str, dict[str, object]]) -> str:
    """What is written for some records."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("smtp-0"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    for event, extra in records:
        logger.warning(event, extra=extra)
    return stream.getvalue()


def hostile(rng: random.Random) -> str:
    """Text of the kind that has fooled terminals, collectors and parsers."""
    pieces = ["\r\n", "\n", "\0", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x85", "\u2028", "\u202e", "\ud800", '"']
    pieces += ["\\", "}", '{"level":"info"}', "%s", "%(x)s", "あ", "\U0001f4a3", "x" * 300, "\x9b31m", "{0}", "\t"]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 12)))


def test_ten_thousand_hostile_events_are_ten_thousand_lines() -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED)
    records = [(hostile(rng), {"peer": hostile(rng), "reply": hostile(rng).encode("utf-8", "surrogatepass")})
               for _ in range(10_000)]  # fmt: skip
    text = logged(*((event.replace("%", "%%"), extra) for event, extra in records))
    raw = text.encode("ascii")
    assert raw.count(b"\n") == 10_000
    assert not [octet for octet in raw if (octet < 0x20 and octet != 0x0A) or octet > 0x7E]
    for line in text.splitlines():
        for value in json.loads(line).values():
            assert len(json.dumps(value)) <= MAX_VALUE + 2


def test_a_naive_formatter_would_fail_that() -> None:
    """Negative control."""
    rng = random.Random(1)
    assert any("\n" in f"event {hostile(rng)}" for _ in range(100))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1, 1), (True, True), (None, None), (1.5, 1.5), (float("nan"), None), (float("inf"), None),
        (2**70, str(2**70)), ([1, "a\n"], [1, "a\n"]), (b"\xff\n", "\\xff\n"), ("x" * 999, "x" * 255 + "…"),
    ],
)  # fmt: skip
def test_values_keep_their_kind(value: object, shown: object) -> None:
    found = json.loads(logged(("event", {"value": value})))["value"]
    if isinstance(shown, str) and shown.endswith("…"):
        assert found.startswith("x" * 200)
        assert len(found) <= MAX_VALUE
    else:
        assert found == shown


def test_what_is_extra_cannot_pose_as_what_we_say() -> None:
    line = json.loads(logged(("event", {"level": "info", "worker": "console-0", "at": "never"})))
    assert (line["level"], line["worker"], line["event"]) == ("warning", "smtp-0", "event")


def test_an_error_is_one_line_with_its_place() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("smtp-0"))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    try:
        raise ValueError("bad\nthing")
    except ValueError as error:
        logger.error("failed", exc_info=error)
    assert stream.getvalue().count("\n") == 1
    line = json.loads(stream.getvalue())
    assert (line["error"], line["error_text"]) == ("ValueError", "bad\nthing")
    assert "test_an_error_is_one_line_with_its_place" in line["trace"][0]
