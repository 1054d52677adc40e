"""JSON for people at a terminal: readable, and nothing that a terminal obeys, since words from outside are in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def json_line(value: Any, default: Callable[[Any], Any] = str) -> str:
    """Return ``value`` as JSON on one line; ``default`` turns what JSON does not have into something it has.

    Characters that show as themselves stay, Japanese ones too; all others (controls, marks that turn the direction of
    writing) are escaped.
    """
    text = json.dumps(value, default=default, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]
