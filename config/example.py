"""The example file, made from the settings themselves; ``config/settings.example.toml`` is this, written down."""

from __future__ import annotations

import textwrap
from pathlib import Path

from config.settings import rows

_WIDTH = 110


def example_toml() -> str:
    """Return a TOML file that sets every setting to its default, each with its why."""
    lines = [
        "# Every setting of Yamabiko with its default. Copy what you change to HOME/yamabiko.toml.",
        "# Each can also be set in the environment: YAMABIKO_SECTION_KEY, e.g. YAMABIKO_SMTP_PORT=25.",
    ]
    section = ""
    for row in rows():
        if row.section != section:
            section = row.section
            lines += ["", f"[{section}]"]
        lines.append("")
        lines += textwrap.wrap(row.why, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"{row.name} = {_toml(row.default)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    text = str(value) if isinstance(value, str | Path) else repr(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
