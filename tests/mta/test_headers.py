"""Fields, identity and line ends, found the short way: the same as the long way finds, whatever a mail looks like."""

from __future__ import annotations

import re
from hashlib import blake2b

from mta.headers import _USUAL, MAX_FIELDS, count_hops, origin_of, parse_headers, split
from tests.mta.harness import IS_TORTURE, seeded

ATOMS = [
    b"Message-ID: <1@x>", b"message-id:<2@x>", b"DATE: Wed,  1 Apr", b"Subject", b"Subject:", b"From: \xff\xe3\x81",
    b"X-Date: no", b"Auto-Submitted:\tauto-replied; x", b"Received: by a", b"received : by b", b":", b" ", b"\t", b"\r",
    b"\r\n", b"\n", b"\r\n ", b"\r\n\t", b"\n\n", b"\r\n\r\n", b"\n\r\n", b"From ", b">From x", b"\nFrom x",
    b"\n>From y", b"a", b"\0", b"\x1c", b"\xc2\x85", b"\x0b", "\u3000".encode(), b"From a@b Wed\r\n", b"Date:\r\n",
    b"Subject: x\r\n y\r\n\tz\r\n",
]  # fmt: skip


def fields_the_long_way(header: bytes) -> list[tuple[str, str]]:
    """Unfold, cut into lines, take each apart: slow and simple."""
    found = []
    for line in re.sub(rb"\r?\n(?=[ \t])", b"", header).split(b"\n")[:MAX_FIELDS]:
        match = re.match(rb"([!-9;-~]+)[ \t]*:(.*)\Z", line, re.DOTALL)
        if match:
            found.append((match[1].decode().lower(), match[2].strip().decode("utf-8", "surrogateescape")))
    return found


def split_the_long_way(content: bytes) -> tuple[bytes, bytes]:
    while match := re.match(rb">*From [^\n]*\n", content):
        content = content[match.end() :]
    if re.match(rb"\r?\n", content):
        return b"", content.lstrip(b"\r\n")
    places = [found.span() for mark in (rb"\n\n", rb"\n\r\n") if (found := re.search(mark, content))]
    start, end = min(places, default=(len(content), len(content)))
    return content[:start], content[end:]


def origin_the_long_way(header: bytes, body: bytes) -> bytes:
    fields = fields_the_long_way(header)
    digest = blake2b(digest_size=16, person=b"yamabiko-origin")
    for name in ("message-id", "date", "subject", "from"):
        value = next((value for key, value in fields if key == name), "")
        digest.update(" ".join(value.split()).encode("utf-8", "surrogateescape") + b"\0")
    text = re.sub(rb"^>+(?=From )", b"", body.replace(b"\r\n", b"\n"), flags=re.MULTILINE)
    digest.update(text.rstrip(b"\n"))
    return digest.digest()


def test_random_mails_are_read_as_the_long_way() -> None:
    generator = seeded()
    known = clean = 0
    for _ in range(200_000 if IS_TORTURE else 20_000):
        content = b"".join(generator.choice(ATOMS) for _ in range(generator.randrange(1, 14)))
        assert split(content) == split_the_long_way(content), content
        header, body = split(content)
        headers, expected = parse_headers(header), fields_the_long_way(header)
        assert headers.fields == tuple(expected), header
        for name in (*(name.decode() for name in _USUAL), "received", "x-date"):
            values = [value for key, value in expected if key == name]
            assert headers.first(name) == (values[0] if values else None), (name, header)
            assert parse_headers(header).first(name) == headers.first(name)
            assert headers.all(name) == values
            known += bool(values)
        # A NUL is what ends each value within the hash; a mail that holds one is flagged and proves nothing.
        if b"\0" not in header:
            assert origin_of(headers, body) == origin_the_long_way(header, body), content
        if body.count(b"\r") == body.count(b"\r\n"):
            clean += 1
            assert origin_of(headers, body, has_no_bare_cr=True) == origin_of(headers, body)
        end = content.find(b"\r\n\r\n")
        lines = (content if end < 0 else content[:end]).split(b"\n")
        assert count_hops(content) == sum(bool(re.match(rb"(?i)received[ \t]*:", line)) for line in lines), content
    assert known > 1_000
    assert clean > 1_000


def test_only_so_many_lines_count() -> None:
    header = b"X: y\r\n Z\r\n" * (MAX_FIELDS - 1) + b"Subject: in\r\nDate: out\r\n"
    headers = parse_headers(header)
    assert (headers.first("subject"), headers.first("date")) == ("in", None)
    assert parse_headers(b"X: y\r\n" + header).first("subject") is None
    assert len(headers.fields) == MAX_FIELDS


def test_a_bare_cr_makes_another_mail() -> None:
    """Negative control: deleting every CR, where one is bare, is not the same."""
    headers = parse_headers(b"Subject: x\r\n")
    assert origin_of(headers, b"a\rb", has_no_bare_cr=True) != origin_of(headers, b"a\rb")
