"""The header fields of a message, a part or a returned original, found in one pass and decoded when asked for."""

from __future__ import annotations

import re

from classifier.banners import without_marks
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
    "rt-ticket", "sender", "subject", "to", "x-apple-unsubscribe", "x-auto-response-suppress", "x-autorespond",
    "x-autoreply", "x-beenthere", "x-bugzilla-reason", "x-failed-recipients", "x-github-reason", "x-jira-fingerprint",
    "x-list-administrivia", "x-ml-name", "x-mlserver", "x-redmine-host", "x-yamabiko-token",
})  # fmt: skip
#: What is asked of a returned original.
FIELDS_OF_ORIGINAL = frozenset({
    "feedback-id", "list-unsubscribe", "message-id", "return-path", "to", "x-yamabiko-token",
})  # fmt: skip


def _pattern_of(names: frozenset[str]) -> str:
    """Return a pattern for a field of ``names`` with its value, continuation lines included (RFC 5322 2.2.3).

    RFC 5322 2.2: a field-name begins a line; 4.5 lets white space stand before the colon. ``re`` skips to line ends and
    passes over an alternative whose first letter is another; that is lost when it ignores case itself.
    """
    by_letter: dict[str, list[str]] = {}
    for name in sorted(names, reverse=True):
        by_letter.setdefault(name[0], []).append(_in_any_case(name[1:]))
    name = "|".join(f"{_in_any_case(letter)}(?:{'|'.join(rest)})" for letter, rest in by_letter.items())
    letters = "".join(f"{letter}{letter.upper()}" for letter in by_letter)
    # One look at the first letter is enough for most lines.
    return rf"\n(?=[{letters}])({name})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)"


def _in_any_case(text: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else re.escape(letter) for letter in text)


#: How most write them, and the names in lower case.
_AS_WRITTEN = {name.title(): name for name in FIELDS} | {"Message-ID": "message-id"}
_FIELD = _pattern_of(FIELDS)
_FIELD_OF_ORIGINAL = _pattern_of(FIELDS_OF_ORIGINAL)
#: for blocks of ASCII, and for all others
_FIND = re.compile(_FIELD).findall, re.compile(_FIELD.encode()).findall
_FIND_OF_ORIGINAL = re.compile(_FIELD_OF_ORIGINAL).findall, re.compile(_FIELD_OF_ORIGINAL.encode()).findall
# Field-name: printable ASCII without colon.
_ANY_FIELD = re.compile(rb"^[!-9;-~]+[ \t]*:", re.MULTILINE)
_FOLD = re.compile(r"\n[ \t]+")


class Headers:
    """The fields of one header block; names are given in lower case and must be among ``FIELDS``."""

    __slots__ = ("_block", "_decoded", "_find", "_lowered", "_more", "_subject", "_values")

    def __init__(self, block: bytes, *, is_original: bool = False) -> None:
        """Take ``block``, the octets before the empty line; what follows one is left out. The limits of S19 hold.

        Arguments: ``is_original`` when only ``FIELDS_OF_ORIGINAL`` will be asked for.
        """
        if is_original:
            # A whole mail may follow, of which nothing need be counted.
            end = block.find(b"\n\n")
            block = block[: end + 1] if end >= 0 else block
        self._block = b"\n" + _cut_block(block)
        #: the same in lower case, once it is asked for
        self._lowered: bytes | None = None
        self._find = _FIND_OF_ORIGINAL if is_original else _FIND
        #: the first value of each field, octets until it is asked for unless all are ASCII
        self._values: dict[str, str | bytes] | None = None
        #: all values of those that occur more than once
        self._more: dict[str, list[str | bytes]] = {}
        #: values with encoded-words, decoded
        self._decoded: dict[str, str] = {}
        self._subject: str | None = None

    def __contains__(self, name: str) -> bool:
        return name in (self._values if self._values is not None else self._read())

    def __bool__(self) -> bool:
        """Whether there is any field at all."""
        return _ANY_FIELD.search(self._block) is not None

    def raw(self, name: str) -> str:
        """Return the first value of ``name`` unfolded, encoded-words untouched; "" when absent."""
        values = self._values if self._values is not None else self._read()
        value = values.get(name, "")
        if value.__class__ is bytes:
            value = values[name] = _text_of(value)
        return value  # type: ignore[return-value]

    def get(self, name: str) -> str:
        """Return the first value of ``name``, decoded (RFC 2047); "" when absent."""
        value = self.raw(name)
        if "=?" not in value:
            return value
        if name not in self._decoded:
            self._decoded[name] = decode_words(value)
        return self._decoded[name]

    @property
    def subject(self) -> str:
        """The decoded subject without the marks that filters on the way put before it."""
        subject = self._subject
        if subject is None:
            subject = self._subject = without_marks(self.get("subject"))
        return subject

    def all(self, name: str) -> list[str]:
        """Return all values of ``name``, at most 50, unfolded."""
        values = self._values if self._values is not None else self._read()
        if name not in values:
            return []
        if name not in self._more:
            return [self.raw(name)]
        return [_text_of(value) if isinstance(value, bytes) else value for value in self._more[name][:_MAX_VALUES]]

    def may_hold(self, text: str) -> bool:
        """Whether a value may hold ``text``, ASCII in lower case without white space, in any case."""
        if self._lowered is None:
            self._lowered = self._block.lower()
        return text.encode() in self._lowered

    def _read(self) -> dict[str, str | bytes]:
        """Find all fields, the first value of each and its others."""
        block = self._block
        end = block.find(b"\n\n")
        if end >= 0:
            block = block[: end + 1]
        values: dict[str, str | bytes] = {}
        # A longer line is cut where it is decoded.
        if block.isascii() and b"\x1b" not in block and len(block) <= MAX_HEADER_LINE:
            for written, text in self._find[0](block.decode("ascii")):
                name = _AS_WRITTEN.get(written) or written.lower()
                value = _FOLD.sub(" ", text).strip() if "\n" in text else text.strip()
                if name not in values:
                    values[name] = value
                else:
                    self._more.setdefault(name, [values[name]]).append(value)
        else:
            for written_so, octets in self._find[1](block):
                name = written_so.decode("ascii").lower()
                if name not in values:
                    values[name] = octets
                else:
                    self._more.setdefault(name, [values[name]]).append(octets)
        self._values = values
        return values


def _text_of(value: bytes) -> str:
    """Return the octets of a value with its continuation lines as text, unfolded."""
    text = decode(value.lstrip(b" \t")[:MAX_HEADER_LINE])
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
