"""The protocol of tcp_table(5): ``get KEY`` and a line of answer, both percent-encoded."""

from __future__ import annotations

import re

from console.lookup.answer import Answer, Ask, Kind, answer, trouble

#: Postfix itself takes no longer line.
MAX_LINE = 4_096
_CODES = {Kind.FOUND: 200, Kind.TROUBLE: 400, Kind.NOT_FOUND: 500}
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
#: All but % and what a line cannot hold.
_PLAIN = frozenset(range(0x21, 0x7F)) - {ord("%")}


def reply(line: bytes, ask: Ask) -> bytes:
    """Return the reply to one request, both without the newline."""
    word, _, rest = line.partition(b" ")
    if word.lower() != b"get" or not rest:
        # Not a question: nothing here can be changed. A temporary error, so that no mail passes or dies of it.
        return _encode(trouble("only get is answered"))
    try:
        key = _decode(rest)
    except ValueError:
        return _encode(trouble("the key is not encoded as tcp_table(5) says"))
    # The stream is not told in this protocol: what ends one stream only does not stop mail (docs/postfix.md).
    return _encode(answer(key, "", ask))


def _decode(text: bytes) -> str:
    if b" " in text or _ESCAPE.sub(b"", text).count(b"%"):
        raise ValueError("malformed")
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), text).decode("utf-8")


def _encode(said: Answer) -> bytes:
    text = said.text or "not found"
    encoded = "".join(chr(octet) if octet in _PLAIN else f"%{octet:02X}" for octet in text.encode("utf-8"))
    return f"{_CODES[said.kind]} {encoded}".encode("ascii")
