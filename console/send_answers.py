"""The answers to rows of POST /v1/sends, as lines of JSON (console.schema.SEND_ANSWERS)."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat

from console.schema import SendRefused, encode
from model.bulk import TokenColumns, cut, token_frames
from model.detail import ExcludedKind
from model.mint import TOKEN_HEADER, Hosts


@cache
def _pieces(hosts: Hosts, *, is_html: bool) -> list[str]:
    """Return an answer in pieces: each second one is the name of what stands there, in which nothing needs escaping."""
    frames = token_frames(hosts)
    path = "\0return_path\0".join(frames.return_path)
    pixel = "\0pixel_url\0".join(frames.pixel_url)
    pixel = f'"{pixel}"' if is_html else "null"
    url = "\0unsubscribe_url\0".join(frames.unsubscribe_url)
    address = "\0unsubscribe_address\0".join(frames.unsubscribe_address)
    text = (
        f'{{"row":\0row\0,"recipient":"\0recipient\0","return_path":"{path}",'
        f'"pixel_url":{pixel},"unsubscribe_url":"{url}","unsubscribe_address":"{address}","headers":'
        f'{{"List-Unsubscribe":"<{url}>, <mailto:{address}>","List-Unsubscribe-Post":"List-Unsubscribe=One-Click",'
        f'"{TOKEN_HEADER}":"\0message\0"}},"envid":"\0message\0"}}\n'
    )
    return text.split("\0")


def accepted(
    hosts: Hosts, rows: Iterable[int], recipients: Sequence[bytes], tokens: TokenColumns, *, is_html: bool
) -> list[bytes]:
    """Return the answers for recipients to be mailed: numbers of their rows, their own numbers, their tokens."""
    digits = hexlify(b"".join(recipients))
    columns: dict[str, Iterable[bytes]] = {
        **tokens._asdict(),
        "row": [b"%d" % row for row in rows],
        "recipient": cut(digits, 16),
    }
    pieces = _pieces(hosts, is_html=is_html)
    constant = [repeat(piece.encode("ascii")) for piece in pieces[::2]]
    filled_in = [columns[name] for name in pieces[1::2]]
    # Piece by piece of all answers at once; the last one is behind the last name.
    in_turns = [column for pair in zip(constant, filled_in, strict=False) for column in pair]
    return [b"".join(answer) for answer in zip(*in_turns, constant[-1], strict=False)]


def excluded(row: int, kind: ExcludedKind, detail: str) -> bytes:
    """Return the answer for a recipient that is not mailed."""
    return b'{"row":%d,"excluded":"%s","detail":%s}\n' % (row, kind.name.lower().encode(), encode(detail))


def refused(row: int, why: str) -> bytes:
    """Return the answer to a line that is no row, or could not be stored."""
    return encode(SendRefused(row, why)) + b"\n"
