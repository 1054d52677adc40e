"""The header fields of a message, a part or a returned original, found in one pass and decoded when asked for."""

from __future__ import annotations

import re

from classifier.charsets import decode, decode_words

# S19: each limit bounds the work before any form looks at the mail.
MAX_HEADER_BLOCK = 256 * 1024
MAX_HEADER_LINES = 1_000
MAX_HEADER_LINE = 64 * 1024
_MAX_VALUES = 50

#: The fields that anybody asks for, in lower case: the pass over a block remembers no others.
FIELDS = frozenset({
    "auto-submitted", "content-transfer-encoding", "content-type", "date", "delivered-to", "feedback-id", "from",
    "in-reply-to", "list-id", "list-unsubscribe", "message-id", "precedence", "references", "reply-to", "return-path",
    "sender", "subject", "to", "x-apple-unsubscribe", "x-auto-response-suppress", "x-autorespond", "x-autoreply",
    "x-beenthere", "x-failed-recipients", "x-list-administrivia", "x-mlserver", "x-yamabiko-token",
})  # fmt: skip
#: What is asked of a returned original.
FIELDS_OF_ORIGINAL = frozenset({
    "feedback-id", "list-unsubscribe", "message-id", "return-path", "to", "x-yamabiko-token",
})  # fmt: skip
_NAMES = {name.encode(): name for name in FIELDS}


def _compile_fields(names: frozenset[str]) -> re.Pattern[bytes]:
    """Compile a search for ``names`` in lower case, or the empty line.

    RFC 5322 2.2: a field-name begins a line; 4.5 lets white space stand before the colon. ``re`` skips to line ends,
    and an alternative costs next to nothing where its first letter is another.
    """
    return re.compile(rb"\n(?:(%s)[ \t]*:|\n)" % "|".join(sorted(names, reverse=True)).encode())


_FIELD = _compile_fields(FIELDS)
_FIELD_OF_ORIGINAL = _compile_fields(FIELDS_OF_ORIGINAL)
# Field-name: printable ASCII without colon.
_ANY_FIELD = re.compile(rb"^[!-9;-~]+[ \t]*:", re.MULTILINE)
_BLANKS = (b" ", b"\t")
_FOLD = re.compile(r"\n[ \t]+")


class Headers:
    """The fields of one header block; names are given in lower case and must be among ``FIELDS``."""

    __slots__ = ("_block", "_decoded", "_field", "_more", "_places")

    def __init__(self, block: bytes, *, is_original: bool = False) -> None:
        """Take ``block``, the octets before the empty line; what follows one is left out. The limits of S19 hold.

        Arguments: ``is_original`` when only ``FIELDS_OF_ORIGINAL`` will be asked for.
        """
        self._block = b"\n" + _cut_block(block)
        self._field = _FIELD_OF_ORIGINAL if is_original else _FIELD
        #: where the first value of a field begins, and where its others do
        self._places: dict[str, int] | None = None
        self._more: dict[str, list[int]] = {}
        self._decoded: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in (self._places if self._places is not None else self._find_all())

    def __bool__(self) -> bool:
        """Whether there is any field at all."""
        return _ANY_FIELD.search(self._block) is not None

    def raw(self, name: str) -> str:
        """Return the first value of ``name`` unfolded, encoded-words untouched; "" when absent."""
        value = self._decoded.get(name)
        if value is None:
            places = self._places if self._places is not None else self._find_all()
            start = places.get(name, 0)
            value = self._decoded[name] = self._value(start) if start else ""
        return value

    def get(self, name: str) -> str:
        """Return the first value of ``name``, decoded (RFC 2047); "" when absent."""
        return decode_words(self.raw(name))

    def all(self, name: str) -> list[str]:
        """Return all values of ``name``, at most 50, unfolded."""
        places = self._places if self._places is not None else self._find_all()
        if name not in places:
            return []
        if name not in self._more:
            return [self.raw(name)]
        return [self._value(start) for start in (places[name], *self._more[name][: _MAX_VALUES - 1])]

    def may_hold(self, text: str) -> bool:
        """Whether a value may hold ``text``, ASCII in lower case without white space, in any case."""
        return text.encode() in self._block.lower()

    def _find_all(self) -> dict[str, int]:
        """Find where the value of each field begins."""
        places: dict[str, int] = {}
        more: dict[str, list[int]] = {}
        for match in self._field.finditer(self._block.lower()):
            found = match[1]
            if found is None:
                break
            name = _NAMES[found]
            if name not in places:
                places[name] = match.end()
            else:
                more.setdefault(name, []).append(match.end())
        self._more = more
        self._places = places
        return places

    def _value(self, start: int) -> str:
        """Return the value that begins at ``start`` with its continuation lines (RFC 5322 2.2.3), unfolded."""
        block = self._block
        end = block.find(b"\n", start)
        if end >= 0 and block[end + 1 : end + 2] not in _BLANKS:
            value = block[start:end]
            if value.isascii() and b"\x1b" not in value and end - start <= MAX_HEADER_LINE:
                return value.decode("ascii").strip()
        while end >= 0 and block[end + 1 : end + 2] in _BLANKS:
            end = block.find(b"\n", end + 1)
        value = block[start : end if end >= 0 else len(block)].lstrip(b" \t")
        text = decode(value[:MAX_HEADER_LINE])
        return _FOLD.sub(" ", text).strip() if "\n" in text else text.strip()


def _cut_block(block: bytes) -> bytes:
    # A field takes three octets at least: counting lines is for long blocks.
    if len(block) <= 3 * MAX_HEADER_LINES:
        return block
    block = block[:MAX_HEADER_BLOCK]
    if len(block) > MAX_HEADER_LINE or block.count(b"\n") > MAX_HEADER_LINES:
        lines = block.split(b"\n", MAX_HEADER_LINES)[:MAX_HEADER_LINES]
        block = b"\n".join(line[:MAX_HEADER_LINE] for line in lines)
    return block
