"""Who was mailed in a broadcast, in the order listed: pages of rows that can be read, and searched, without the log.

A page's value is a checksum and MessagePack: earliest and latest time listed, the rows, and one text of all rows'
searchable words, folded (NFKC, case), a line each. Searching looks for octets in the text; only what fits is read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgpack
import msgspec

from model.detail import Planned
from store import keys
from store.environment import Environment
from store.errors import StoreCorruptError
from store.sealed import pack_value, unpack_value
from store.transaction import Transaction

PAGE_ROWS = 256
#: Between the words of a row's line; no listed text may hold it.
_SEPARATOR = "\x1f"


class RosterRow(NamedTuple):
    """A delivery as it was listed; all but ``recipient``, ``seq`` and ``at_us`` empty where only mail came back."""

    #: 8 octets
    recipient: bytes
    #: number of the fact that listed it, or that came back first
    seq: int
    at_us: int
    is_listed: bool
    address: str = ""
    last_name: str | None = None
    first_name: str | None = None
    company: str | None = None
    contact_ref: str | None = None
    tags: tuple[str, ...] = ()
    mail_type: str | None = None
    api_user: str | None = None
    request_ip: str | None = None
    recipient_source: str | None = None
    schedule_task_id: str | None = None
    user_ref: str | None = None
    list_ref: str | None = None


#: The same octets as msgpack's, in half the time.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[RosterRow]).decode


@dataclass(frozen=True, slots=True)
class RosterPage:
    """A page: its number, when the first and the last of it were listed, its rows and their searchable text."""

    number: int
    first_us: int
    last_us: int
    rows: list[RosterRow]


def row_of(recipient: bytes, seq: int, at_us: int, planned: Planned | None) -> RosterRow:
    """Return the row of a delivery."""
    if planned is None:
        return RosterRow(recipient, seq, at_us, is_listed=False)
    return RosterRow(
        recipient, seq, at_us, True, planned.address, planned.last_name, planned.first_name, planned.company,
        planned.contact_ref, planned.tags, planned.mail_type, planned.api_user, planned.request_ip,
        planned.recipient_source, planned.schedule_task_id, planned.user_ref, planned.list_ref,
    )  # fmt: skip


def fold_text(text: str) -> str:
    """Return ``text`` in the form in which it is searched: full width is half width, case plays no part (R15)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold()


class RosterWriter:
    """Adds rows to the rosters of one transaction; ``finish`` writes the pages."""

    def __init__(self, env: Environment, txn: Transaction) -> None:
        """``txn`` is an open write transaction."""
        self._env = env
        self._txn = txn
        self._new: dict[bytes, list[RosterRow]] = {}

    def add(self, broadcast: bytes, row: RosterRow) -> None:
        """Add a row to the roster of the broadcast with the 8 octets ``broadcast``."""
        self._new.setdefault(broadcast, []).append(row)

    def add_all(self, broadcasts: Sequence[bytes], rows: Sequence[RosterRow]) -> None:
        """Add many rows, each to the roster of the broadcast in its place."""
        if len(set(broadcasts)) == 1:
            self._new.setdefault(broadcasts[0], []).extend(rows)
            return
        for broadcast, row in zip(broadcasts, rows, strict=True):
            self.add(broadcast, row)

    def finish(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) of every page to write."""
        for broadcast, rows in self._new.items():
            number, page = self._last_page(broadcast)
            page.extend(rows)
            for start in range(0, len(page), PAGE_ROWS):
                key = keys.page_key(broadcast, number + start // PAGE_ROWS)
                yield key, _pack(key, page[start : start + PAGE_ROWS])

    def _last_page(self, broadcast: bytes) -> tuple[int, list[RosterRow]]:
        """Return number and rows of the page to go on with; an empty one when the last is full."""
        last = last_page(self._env, self._txn, broadcast)
        if last is None:
            return 0, []
        return (last.number + 1, []) if len(last.rows) >= PAGE_ROWS else (last.number, last.rows)


def _pack(key: bytes, rows: list[RosterRow]) -> bytes:
    times = [row.at_us for row in rows]
    short = [row if row.is_listed else row[:4] for row in rows]
    try:
        packed = _encode(short)
    except UnicodeError:  # a lone surrogate
        packed = msgpack.packb(short, unicode_errors="surrogatepass")
    return pack_value(key, (min(times), max(times), packed, _searched(rows).encode("utf-8", "surrogatepass")))


def _searched(rows: list[RosterRow]) -> str:
    """Return the searchable words of rows, a line each."""
    lines: list[str] = []
    for row in rows:
        if not row.is_listed:
            lines.append("")
            continue
        last, first, company = row.last_name or "", row.first_name or "", row.company or ""
        lines.append(
            f"{row.address}{_SEPARATOR}{last} {first}{_SEPARATOR}{last}{first}{_SEPARATOR}{first} {last}"
            f"{_SEPARATOR}{company}"
        )
    text = "\n".join(lines)
    if text.count("\n") >= len(lines):
        text = "\n".join([line.replace("\n", " ") for line in lines])
    # Neither a line's end nor what separates words becomes part of what is folded, so that this is each line folded.
    return fold_text(text)


def last_page(env: Environment, txn: Transaction, broadcast: bytes) -> RosterPage | None:
    """Return the last page of a roster; None when it has none."""
    with txn.cursor(db=env.db(keys.ROSTER)) as cursor:
        is_there = cursor.set_range(keys.page_key(broadcast, 2**32 - 1))
        is_there = cursor.prev() if is_there else cursor.last()
        if not is_there or not cursor.key().startswith(broadcast):
            return None
        return read_page(cursor.key(), cursor.value())


def read_page(key: bytes, value: bytes) -> RosterPage:
    """Return a stored page. Raises StoreCorruptError when it is none."""
    first_us, last_us, packed, _ = unpack_value(key, value)
    try:
        try:
            listed = _decode(packed)
        except (msgspec.MsgspecError, UnicodeError):
            # Words with lone surrogates, which only msgpack reads.
            rows = msgpack.unpackb(packed, use_list=False, unicode_errors="surrogatepass")
            listed = [RosterRow(*row) for row in rows]
        return RosterPage(int.from_bytes(key[8:], "big"), first_us, last_us, listed)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise StoreCorruptError(f"a page of a roster cannot be read: {error}") from error


def find_in_page(key: bytes, value: bytes, needle: bytes) -> list[int]:
    """Return the places of the rows of a stored page whose searchable text has ``needle`` (as ``fold_text`` folds).

    ``value`` is looked through as octets first: of a page that has none, nothing is read.
    """
    if value.find(needle) < 0:
        return []
    text: bytes = unpack_value(key, value)[3]
    places: list[int] = []
    at = text.find(needle)
    while at >= 0:
        place = text.count(b"\n", 0, at)
        places.append(place)
        end = text.find(b"\n", at)
        if end < 0:
            break
        at = text.find(needle, end)
    return places
