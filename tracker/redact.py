"""What of a request may stand in a log: never an address, never a whole token (T8)."""

from __future__ import annotations

_KEPT = 8
_ROUTES = frozenset(("o", "c", "u"))
_PLAIN = frozenset(("/healthz", "/robots.txt", "/favicon.ico"))


def redact_path(path: str) -> str:
    """Return the route of ``path`` with at most 8 characters of its token; anything else becomes ``/-``.

    Characters outside the token alphabet are dropped, so that a log line cannot be split or an address get in.
    """
    parts = path.partition("?")[0].split("/")
    if len(parts) >= 3 and not parts[0] and parts[1] in _ROUTES:
        token = "".join(char for char in parts[2][:_KEPT] if char.isascii() and (char.isalnum() or char in "-_"))
        return f"/{parts[1]}/{token}~"
    return path if path in _PLAIN else "/-"
