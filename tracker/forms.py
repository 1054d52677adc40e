"""Read the small forms an unsubscribe is posted with: urlencoded or multipart (RFC 8058 3.2). Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from model.errors import RemoteError

_MAX_FIELDS = 20
# RFC 2046 5.1.1: boundary := 0*69<bchars> bcharsnospace, quoted or not.
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
# RFC 7578 4.2
_NAME = re.compile(
    rb'^content-disposition:[^\r\n]*?;[ \t]*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE | re.MULTILINE
)


class FormError(RemoteError):
    """A posted form cannot be read."""


def parse_form(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a form; the first of several with one name counts.

    Whatever does not call itself multipart is read as urlencoded, since some mail services send no type.
    Raises FormError when the boundary is missing or there are more than 20 fields.
    """
    if content_type.strip().lower().startswith("multipart/"):
        pairs = _parse_multipart(body, content_type)
    else:
        try:
            pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
        except ValueError:
            raise FormError("the form has too many fields") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value.strip())
    return fields


def _parse_multipart(body: bytes, content_type: str) -> list[tuple[str, str]]:
    found = _BOUNDARY.search(content_type)
    if not found:
        raise FormError("the form has no boundary")
    delimiter = b"--" + (found.group(1) or found.group(2)).encode("utf-8", "replace")
    parts = body.split(delimiter, _MAX_FIELDS + 2)
    if len(parts) > _MAX_FIELDS + 2:
        raise FormError("the form has too many fields")
    pairs = []
    for part in parts[1:]:
        if part.startswith(b"--"):
            break
        # RFC 2046 5.1.1 wants CRLF; a bare LF does no harm here.
        head, blank, value = part.replace(b"\r\n", b"\n").partition(b"\n\n")
        named = _NAME.search(head.lstrip(b"\n"))
        if named and blank:
            name = named.group(1) if named.group(1) is not None else named.group(2)
            pairs.append((name.decode("utf-8", "replace"), value.decode("utf-8", "replace")))
    return pairs
