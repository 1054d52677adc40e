"""The end of DATA: only CRLF.CRLF, wherever the chunks are cut (S1, S11, M1-M4)."""

from __future__ import annotations

import random
import resource
import time

import pytest

from mta.data_reader import DataReader, has_bare_newline
from tests.mta.harness import IS_TORTURE, seeded

#: S1: everything that some server once took for the end of a message, or that stands close to it
SMUGGLING = [
    b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\0\n", b"\0\r\n.\0\n", b"\n\n.\r\n", b"\r\n\n.\r\n", b"\n\r.\n\r",
    b"\r\n.\n\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n .\r\n", b"\r\n\x85.\r\n", b"\n.\n\r\n", b"\r\r.\r\r",
    b"\r\n.\x0b\r\n", b"\xe2\x80\xa8.\r\n",
]  # fmt: skip
#: these hold the legal end, so they end the message; what follows must be treated as commands of a new group
LEGAL = [b"\r\r\n.\r\n", b"\r\r\r\n.\r\n", b"\n\r\n.\r\n"]
TAIL = b"MAIL FROM:<>\r\nRCPT TO:<x@y>\r\n"


def reference(data: bytes) -> tuple[bytes, bytes] | None:
    """Return content and rest, by lines: slow, simple, and written without looking at the other."""
    lines = data.split(b"\r\n")
    content: list[bytes] = []
    for number, line in enumerate(lines[:-1]):
        if line == b".":
            return b"".join(part + b"\r\n" for part in content), b"\r\n".join(lines[number + 1 :])
        content.append(line[1:] if line.startswith(b".") else line)
    return None


def read(pieces: list[bytes], limit: int = 10**9) -> tuple[bytes, bytes] | None:
    reader = DataReader(limit)
    for number, piece in enumerate(pieces):
        if reader.feed(piece):
            return reader.content(), reader.unused + b"".join(pieces[number + 1 :])
    return None


def cut(data: bytes, generator: random.Random) -> list[bytes]:
    places = sorted(generator.randrange(len(data) + 1) for _ in range(generator.randrange(6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def test_random_splits_equal_the_reference() -> None:
    generator = seeded()
    atoms = [b"\r\n", b".", b"\r", b"\n", b"a", b"\r\n.", b"\r\n.\r\n", b"..", b"\0", b"\xff"]
    ends = 0
    for _ in range(400_000 if IS_TORTURE else 40_000):
        data = b"".join(generator.choice(atoms) for _ in range(generator.randrange(1, 12)))
        expected = reference(data)
        ends += expected is not None
        assert read(cut(data, generator)) == expected, data
    assert ends > 1_000


def test_a_naive_scanner_fails_the_same_test() -> None:
    """Negative control (M4): looking for the end in each chunk alone misses it where it is cut."""

    def naive(pieces: list[bytes]) -> bool:
        return any(b"\r\n.\r\n" in piece for piece in pieces)

    generator = seeded()
    data = b"abc\r\n.\r\n"
    assert any(not naive(cut(data, generator)) for _ in range(200))


@pytest.mark.parametrize("sequence", SMUGGLING, ids=repr)
def test_smuggling_sequences_do_not_end(sequence: bytes) -> None:
    data = b"Subject: x\r\n\r\nhello" + sequence + TAIL
    for place in range(len(data)):
        assert read([data[:place], data[place:]]) is None
    assert read([bytes((octet,)) for octet in data]) is None
    whole = read([data + b"\r\n.\r\n"])
    assert whole is not None
    assert TAIL in whole[0]


@pytest.mark.parametrize("sequence", LEGAL, ids=repr)
def test_sequences_that_hold_the_legal_end_are_flagged(sequence: bytes) -> None:
    data = b"Subject: x\r\n\r\nhello" + sequence + TAIL
    for place in range(len(data)):
        result = read([data[:place], data[place:]])
        assert result is not None
        content, rest = result
        assert rest == TAIL
        # The session ends after a message with a bare newline, so that the rest is never obeyed.
        assert has_bare_newline(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\r\nb\r\n", False),
        (b"", False),
        (b"a\nb", True),
        (b"a\rb", True),
        (b"a\r\r\n", True),
        (b"\0", True),
        (b"\n\r", True),
    ],
)
def test_bare_newlines_are_seen(content: bytes, expected: bool) -> None:
    assert has_bare_newline(content) is expected


@pytest.mark.parametrize("size", [9, 10, 11, 19, 20, 21])
def test_limit(size: int) -> None:
    for step in (1, 3, 100):
        data = b"x" * (size - 2) + b"\r\n"
        reader = DataReader(10)
        ended = False
        for at in range(0, len(data), step):
            ended = reader.feed(data[at : at + step])
            if reader.is_overrun:
                break
        if not reader.is_overrun:
            ended = reader.feed(b".\r\nREST")
        assert reader.is_overrun or ended
        assert reader.is_too_large is (size > 10)
        if ended:
            assert reader.unused == b"REST"
            assert reader.content() == (data if size <= 10 else b"")


@pytest.mark.parametrize("size", range(2, 26))
def test_limits_do_not_depend_on_where_the_message_is_cut(size: int) -> None:
    """Neither a message just at the limit nor one at twice the limit: the end mark itself counts for nothing."""
    data = b"x" * (size - 2) + b"\r\n.\r\n"
    for place in range(len(data)):
        for pieces in ([data[:place], data[place:]], [bytes((octet,)) for octet in data]):
            reader = DataReader(10)
            for piece in pieces:
                if reader.feed(piece) or reader.is_overrun:
                    break
            assert (reader.is_too_large, reader.is_overrun) == (size > 10, size > 20)


def rss() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_an_endless_line_takes_no_memory() -> None:
    before, chunk, reader = rss(), b"x" * 65_536, DataReader(1024 * 1024)
    for _ in range((1024 if IS_TORTURE else 200) * 16):
        reader.feed(chunk)
    assert reader.is_overrun
    assert reader.stored < 10
    assert rss() - before < 8 * 1024 * 1024


def test_millions_of_empty_lines_take_little_time() -> None:
    data, reader = b"\r\n" * 4_000_000 + b".\r\n", DataReader(32 * 1024 * 1024)
    started, slowest = time.process_time(), 0.0
    for at in range(0, len(data), 65_536):
        step = time.process_time()
        reader.feed(data[at : at + 65_536])
        slowest = max(slowest, time.process_time() - step)
    content = reader.content()
    assert not has_bare_newline(content)
    assert len(content) == 8_000_000
    assert time.process_time() - started <= 0.3
    assert slowest <= 0.05
