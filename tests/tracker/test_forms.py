"""tracker.forms: urlencoded and multipart bodies."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from tracker.forms import FormError, parse_form

URLENCODED = "application/x-www-form-urlencoded"


def test_urlencoded() -> None:
    assert parse_form(b"a=1&b=%E3%81%82+x&a=2&c", URLENCODED) == {"a": "1", "b": "あ x", "c": ""}
    assert parse_form(b"", URLENCODED) == {}
    assert parse_form(b"a=\xff", "") == {"a": "\ufffd"}
    with pytest.raises(FormError):
        parse_form(b"&".join([b"a=1"] * 21), URLENCODED)


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
        b"preamble\r\n--x\r\nContent-Type: text/plain\r\ncontent-disposition: FORM-DATA; name=a\r\n\r\n1\r\n--x--",
        b'--x\nContent-Disposition: form-data; filename="f"; name="a"\n\n1\n--x--\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
    ],
)
def test_multipart(body: bytes) -> None:
    assert parse_form(body, "Multipart/Form-Data; charset=x; BOUNDARY=x") == {"a": "1"}
    assert parse_form(body, 'multipart/form-data; boundary="x"') == {"a": "1"}


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/x; boundary=" + "a" * 71 + "]"]
)
def test_multipart_without_a_boundary(kind: str) -> None:
    if kind.endswith("]"):
        assert parse_form(b"x", kind) == {}
        return
    with pytest.raises(FormError):
        parse_form(b"x", kind)


def test_too_many_parts() -> None:
    with pytest.raises(FormError):
        parse_form(b"--x\r\n\r\n" * 50, "multipart/form-data; boundary=x")


def test_any_octets_are_a_form_or_an_error() -> None:
    number = random.Random(5)  # seed 5
    pieces = [
        b"--x",
        b"\r\n",
        b'name="',
        b'"',
        b"=",
        b"&",
        b"Content-Disposition: ",
        b"form-data;",
        b"\x00",
        b"\xff",
        b"--",
    ]
    for _ in range(3_000):
        body = b"".join(number.choices(pieces, k=number.randrange(30)))
        for kind in ("multipart/form-data; boundary=x", URLENCODED):
            with suppress(FormError):
                assert all(isinstance(value, str) for value in parse_form(body, kind).values())
