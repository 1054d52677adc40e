"""Custom blocks as CSV: read leniently, told by line what is wrong; written so that it can be read again (E36)."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from console.instants import END, FIRST
from console.schema_suppressions import BlockIn, BlockKind
from model.address import Address, to_ascii_domain
from model.errors import AddressError

#: Columns that may stand in a first line; without one, each line is an address or a domain.
COLUMNS = ("address", "domain", "company", "value", "expires_at", "note")
#: The headings of our own files (docs/exports.md) and of others in Japanese, by the column each stands for.
_JAPANESE = {
    "アドレス": "address", "メールアドレス": "address", "email": "address", "mail": "address", "宛先": "address",
    "ドメイン": "domain", "受信ドメイン": "domain", "会社": "company", "会社名": "company", "有効期限": "expires_at",
    "メモ": "note", "備考": "note",
}  # fmt: skip
_HEADINGS = "; if this line has headings, call a column address, domain or company"
_MAX_CELL = 1_000
#: A date as Japanese Excel writes it, perhaps with a time.
_SLASHED = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class CsvLine:
    """A line: the block it says, or what is wrong with it."""

    number: int
    block: BlockIn | None
    problem: str = ""


def read_text(content: bytes) -> str:
    """Return a CSV file's text: UTF-8, with or without a mark at its beginning, else as Japanese Excel writes it.

    That is Shift_JIS, or UTF-16 with a mark where it is saved as Unicode text. Raises ValueError when it is neither.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp932")


def read_lines(text: str, zone: tzinfo = UTC) -> Iterator[CsvLine]:
    """Yield what each line says. The first may name the columns; tabs may stand for commas.

    ``zone`` is that of dates that name none.
    """
    head = text.partition("\n")[0]
    separator = "\t" if "\t" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: list[str] | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield CsvLine(reader.line_num, None, f"not CSV: {error}")
            continue
        cells = [_cell(text) for text in row]
        if not any(cells):
            continue
        if columns is None:
            names = [_column(cell) for cell in cells]
            columns = names if set(names) & set(COLUMNS[:4]) else ["value", "expires_at", "note"]
            if columns is names:
                continue
        yield _read_row(reader.line_num, dict(zip(columns, cells, strict=False)), zone)


def _column(heading: str) -> str:
    name = unicodedata.normalize("NFKC", heading).strip().lower()
    return _JAPANESE.get(name, name)


def _cell(text: str) -> str:
    """Return a cell without the mark that keeps spreadsheets from taking it for a formula."""
    text = text.strip()
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@" else text


def _read_row(number: int, cells: dict[str, str], zone: tzinfo) -> CsvLine:
    given = [(name, cells[name]) for name in COLUMNS[:4] if cells.get(name)]
    if len(given) == 2 and _is_own_domain(cells.get("address", ""), cells.get("domain", "")):
        given = given[:1]
    if len(given) != 1:
        return CsvLine(number, None, "a line names one address, domain or company")
    (name, value), expires, note = given[0], cells.get("expires_at", ""), cells.get("note", "")
    if len(value) > _MAX_CELL or len(note) > 200:
        return CsvLine(number, None, "too long")
    kind = name if name != "value" else "address" if "@" in value else "domain"
    try:
        until = read_time(expires, zone)
        block = BlockIn(BlockKind(kind), value, until, note)
        check_value(block)
    except AddressError as error:
        problem = str(error)
    except ValueError:
        problem = "expires_at is no date from 1970 to 2199; write 2027-03-31"
    else:
        return CsvLine(number, block)
    return CsvLine(number, None, f"{problem}{_HEADINGS if number == 1 else ''}")


def _is_own_domain(address: str, domain: str) -> bool:
    """Whether a column beside an address names that address's domain, as our own files do."""
    try:
        return Address.parse(address).domain == to_ascii_domain(domain)
    except AddressError:
        return False


def read_time(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return a date or time (ISO 8601, or with slashes; of ``zone`` if it names none), None for an empty text.

    Raises ValueError.
    """
    if not text:
        return None
    slashed = _SLASHED.fullmatch(text)
    parts = [int(part or 0) for part in slashed.groups()] if slashed else []
    at = datetime(*parts) if parts else datetime.fromisoformat(text)  # type: ignore[arg-type]
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    if not FIRST <= at < END:
        raise ValueError("beyond what can be kept")
    return at


def ended_at(block: BlockIn, now_us: int) -> datetime | None:
    """Return when a block ended; None while it holds at ``now_us``. One that has ended keeps nobody out."""
    until = block.expires_at
    return until if until is not None and until.timestamp() * 1e6 <= now_us else None


def check_value(block: BlockIn) -> str:
    """Return what a block names in the form it is compared in. Raises AddressError when it names nothing.

    An address as written, a domain in A-labels, behind ``*.`` for all below it; a company as written.
    """
    value = block.value.strip()
    if block.kind is BlockKind.ADDRESS:
        return str(Address.parse(value))
    if block.kind is BlockKind.COMPANY:
        if not value:
            raise AddressError("a company has a name")
        return value
    star = "*." if value.startswith("*.") else ""
    domain = to_ascii_domain(value[len(star) :].removeprefix("@"))
    if "." not in domain and not domain.startswith("["):
        raise AddressError("a domain has a dot")
    return star + domain
