"""What URL a link leads to, as a browser would read it, or why it is left alone.

The URL is not normalised further than needed to be signed and sent in a header: whoever follows the redirect does
the rest. Sections of https://url.spec.whatwg.org/ are named where they are followed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from model.errors import RemoteError
from model.mint import check_target

MAX_TARGET_OCTETS = 4_096
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_WEB = re.compile(r"(https?):([/\\]*)", re.IGNORECASE)
# Fields a mail merge fills in later: {{x}}, {% x %}, *|x|*, %%x%%, ${x}, [[x]].
_MERGE_FIELD = re.compile(r"\{\{|\{%|\*\||%%[^%]{1,100}%%|\$\{|\[\[")
_CONTROL_OR_SPACE = "".join(map(chr, range(0x21)))
_ESCAPED = re.compile('[\x00-\x20\x7f"<>`\\\\]')
_PARTS = re.compile(r"(https?://)([^/?#]*)([^?#]*)(\?[^#]*)?", re.DOTALL)
# 3.1, forbidden host code points. Browsers decode "%" in a host, and few others do: nobody means it.
_BAD_IN_HOST = frozenset("%^{|}\N{REPLACEMENT CHARACTER}")


class Left(StrEnum):
    """Why a link is left as it is."""

    #: empty, or a place in the mail itself
    FRAGMENT = "fragment"
    #: not http or https: mailto, tel, cid and the like
    SCHEME = "scheme"
    #: runs a script; mail programs refuse it
    SCRIPT = "script"
    #: a mail merge has yet to fill it in
    MERGE_FIELD = "merge_field"
    #: relative, and the mail names no base
    RELATIVE = "relative"
    #: already one of ours
    OURS = "ours"
    #: cannot be signed: no host, user-info, too long
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The absolute URL of a link, or None and the reason."""

    url: str | None
    left: Left | None = None


def resolve(href: str, base: str | None, origins: Collection[str]) -> Resolved:
    """Return where ``href`` leads.

    Arguments: ``href`` is the attribute's value, character references already replaced; ``base`` an absolute
    http(s) URL or None; ``origins`` our own, as ``origin_of`` writes them. Never raises.
    """
    # 4.4, steps 1 and 3: trim, then drop tabs and newlines wherever they are.
    text = href.strip(_CONTROL_OR_SPACE).translate({9: None, 10: None, 13: None})
    if not text or text.startswith("#"):
        return Resolved(None, Left.FRAGMENT)
    if _MERGE_FIELD.search(text):
        return Resolved(None, Left.MERGE_FIELD)
    url = absolute(text, base)
    if url is None:
        scheme = _SCHEME.match(text)
        if scheme is None:
            return Resolved(None, Left.RELATIVE)
        is_script = scheme.group(1).lower() in ("javascript", "vbscript")
        return Resolved(None, Left.SCRIPT if is_script else Left.SCHEME)
    if origin_of(url) in origins:
        return Resolved(None, Left.OURS)
    try:
        check_target(url)
        is_odd = not _BAD_IN_HOST.isdisjoint(urlsplit(url).netloc)
        if is_odd or len(url.encode("utf-8")) > MAX_TARGET_OCTETS:
            return Resolved(None, Left.UNSAFE)
    except (RemoteError, UnicodeEncodeError):
        return Resolved(None, Left.UNSAFE)
    return Resolved(url)


def absolute(text: str, base: str | None) -> str | None:
    """Return ``text`` as an absolute http(s) URL; None if it is of another scheme or there is no ``base``.

    Backslashes count as slashes before the query, and how many slashes follow the scheme does not matter
    (4.4, special authority states). Characters that no URL may hold are percent-encoded.
    """
    web = _WEB.match(text)
    if web:
        scheme, slashes = web.group(1).lower(), len(web.group(2))
        rest = text[web.end() :]
        # "http:path" under a base of the same scheme is relative (4.4, scheme state).
        if slashes >= 2 or base is None or not base.startswith(scheme + ":"):
            return _escape(f"{scheme}://{_straighten(rest)}")
        text = "/" * slashes + rest
    elif base is None or _SCHEME.match(text):
        return None
    return _escape(_join(_straighten(text), base))


def origin_of(url: str) -> str:
    """Return ``scheme://host`` in lower case, with the port unless it is the scheme's own; empty if it is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    default = 443 if parts.scheme == "https" else 80
    name = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, default) else "")


def _join(reference: str, base: str) -> str:
    """Resolve a relative reference (RFC 3986 5.2.2); dot segments are left to whoever follows the link."""
    parts = _PARTS.match(base)
    if parts is None:
        return ""
    scheme, authority, path, query = parts.groups("")
    if reference.startswith("//"):
        return scheme + reference.lstrip("/")
    if reference.startswith("/"):
        return scheme + authority + reference
    if not reference or reference.startswith("#"):
        return scheme + authority + path + query + reference
    if reference.startswith("?"):
        return scheme + authority + path + reference
    return scheme + authority + (path.rpartition("/")[0] + "/" if path else "/") + reference


def _straighten(text: str) -> str:
    """Turn backslashes before the query or fragment into slashes."""
    if "\\" not in text:
        return text
    end = min((at for at in (text.find("?"), text.find("#")) if at >= 0), default=len(text))
    return text[:end].replace("\\", "/") + text[end:]


def _escape(url: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found.group()):02X}", url)
