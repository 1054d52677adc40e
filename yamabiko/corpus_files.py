"""Mails and replies from files, for commands that try rules on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

#: A directory may hold notes beside the mails.
_NOT_MAIL = frozenset({".toml", ".json", ".jsonl", ".md", ".txt", ".py", ".readme", ".csv"})


def read_mails(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name, octets) of the mail ``path``, or of every mail below the directory ``path``. Raises OSError."""
    if not path.is_dir():
        yield path.name, path.read_bytes()
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.suffix.lower() not in _NOT_MAIL and not file.name.startswith("."):
            yield str(file.relative_to(path)), file.read_bytes()


def read_replies(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (file:line, text) of the replies in ``path``, one a line; empty lines are none. Raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{path.name}:{number}", line.strip()
