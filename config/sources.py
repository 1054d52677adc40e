"""Where settings come from: a TOML file and the environment, each value checked against its row."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from config.row import PREFIX, SettingRow


def read_file(file: Path, rows: Sequence[SettingRow], found: dict[str, Any], problems: list[str]) -> None:
    """Put what ``file`` sets into ``found`` by dotted key, and what is wrong with it into ``problems``."""
    try:
        text = file.read_text("utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}). Check --config and the file's permissions.")
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: is not TOML: {error}. config/settings.example.toml shows the form.")
        return
    known = {row.key: row for row in rows}
    sections = {row.section for row in known.values() if row.section}
    for key, value in _flatten(content, sections):
        section, _, name = key.rpartition(".")
        where = f"{file}, line {_line_of(text, section, name)}: {key}"
        row = known.get(key)
        if row is None:
            problems.append(f"{where}: there is no such setting.{_suggestion(key, list(known) + sorted(sections))}")
            continue
        problem = _problem_with(row, value)
        if problem:
            problems.append(f"{where}: {problem}")
        else:
            found[key] = value


def _flatten(content: Mapping[str, Any], sections: set[str]) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if name in sections and isinstance(value, dict):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", inner_value
        else:
            yield name, value


def _line_of(text: str, section: str, name: str) -> int:
    """Return where a key stands; good enough to point at: the last line if it is spelled in an unusual way."""
    current, number = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            current = stripped.strip("[] ")
            if current == name and not section:
                return number
        elif current == section and stripped.partition("=")[0].strip().strip('"') == name:
            return number
    return number


def read_environment(
    environment: Mapping[str, str], rows: Sequence[SettingRow], found: dict[str, Any], problems: list[str]
) -> None:
    """The same for the variables ``YAMABIKO_SECTION_KEY`` of ``environment``."""
    known = {row.variable: row for row in rows}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        row = known.get(variable)
        if row is None:
            problems.append(f"environment: {variable}: there is no such setting.{_suggestion(variable, list(known))}")
            continue
        text = environment[variable]
        if row.kind is Path and not text:
            # As everywhere: an empty variable is one that is not set. The path "" would be the working directory.
            continue
        try:
            value = _from_text(row, text)
        except ValueError:
            problems.append(f"environment: {variable}: must be {_kind_name(row)}, is {text!r}.")
            continue
        problem = _problem_with(row, value)
        if problem:
            problems.append(f"environment: {variable}: {problem}")
        else:
            found[row.key] = value


def _from_text(row: SettingRow, text: str) -> Any:
    if row.kind is int:
        return int(text)
    if row.kind is str or row.kind is Path:
        return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _problem_with(row: SettingRow, value: object) -> str | None:
    if row.kind is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif row.kind is str or row.kind is Path:
        fits = isinstance(value, str)
    else:
        fits = isinstance(value, list) and all(isinstance(part, str) for part in value)
    if not fits:
        return f"must be {_kind_name(row)}, is {value!r}. The default is {row.default!r}."
    return row.check(value) if row.check else None


def _kind_name(row: SettingRow) -> str:
    return {int: "a whole number", str: "a text", Path: "a path"}.get(row.kind, "a list of texts")


def _suggestion(key: str, candidates: Sequence[str]) -> str:
    by_name = {candidate.removeprefix(PREFIX): candidate for candidate in candidates}
    # Above the usual 0.6: a section in common is not yet a likeness.
    close = get_close_matches(key.removeprefix(PREFIX), by_name, n=1, cutoff=0.75)
    return f" Did you mean {by_name[close[0]]}?" if close else " docs/settings.md lists them all; remove this one."
