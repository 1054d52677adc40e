"""What people to forget are called, and whether a search that somebody kept names one of them (N14).

A search (``q``) finds people by a part of a name or an address; it stays in the request of an export and in the audit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from model.detail import Planned
from store.roster import fold_text


def calls_of(detail: Planned) -> set[str]:
    """Return how a listed person is called, folded as searches are. A surname alone is many people's."""
    last, first = detail.last_name or "", detail.first_name or ""
    said = [detail.address, detail.address.rpartition("@")[0]]
    if last and first:
        said += [last + first, f"{last} {first}", f"{first} {last}", first + last]
    return {folded for text in said if (folded := fold_text(text).strip())}


def names_anybody(search: str, calls: Iterable[str]) -> bool:
    """Whether a search names one of those called so.

    It does when it is a whole name, an address or what stands before its @, or a part of an address with the @ and
    something before. A domain alone, or a few letters, are nobody.
    """
    folded = fold_text(search).strip()
    is_of_address = folded.find("@") > 0
    return any(folded == call or (is_of_address and "@" in call and folded in call) for call in calls)


def rewrite_json(text: str, rewrite: Callable[[str, str], str]) -> str:
    """Return JSON with every string in it rewritten, as it was if nothing changed or it is no JSON.

    ``rewrite`` is given the name under which a string stands, empty in lists, and the string.
    """
    try:
        said = json.loads(text)
    except ValueError:
        return rewrite("", text)
    rewritten = _walk("", said, rewrite)
    return text if rewritten == said else json.dumps(rewritten, ensure_ascii=False)


def _walk(name: str, value: Any, rewrite: Callable[[str, str], str]) -> Any:
    if isinstance(value, str):
        return rewrite(name, value)
    if isinstance(value, dict):
        return {key: _walk(key, inner, rewrite) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk("", inner, rewrite) for inner in value]
    return value
