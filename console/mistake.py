"""What is wrong with input, in words for who wrote the client: msgspec's message, made whole."""

from __future__ import annotations

import ast
import re
from typing import Any

from msgspec import inspect

#: msgspec ends a message with the place, where there is one: "... - at `$.rows[2].status`".
_PLACED = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<place>[^`]*)`)?", re.DOTALL)
#: The frame that console.schema.whole puts around a pattern says nothing to a reader.
_PATTERN = re.compile(r"matching regex (?P<quoted>'\^\(\?:(?:.*)\)\(\?!\\\\n\)\$')", re.DOTALL)
_FRAME = len("^(?:"), len(r")(?!\n)$")
_EXAMPLE_TIME = "write it like 2026-04-01T09:00:00+09:00"


def of_body(error: Exception, kind: Any) -> str:
    """Return what is wrong with a JSON text that should be a ``kind``. ``error`` is what decoding it raised."""
    what, place = _split(str(error))
    what = _whole(what, kind, place)
    return f"{what} - at `{place}`" if place else what


def of_parameters(error: Exception, kind: Any) -> str:
    """Return what is wrong with parameters of a path or query, which are the fields of ``kind``."""
    what, place = _split(str(error))
    what = _whole(what, kind, place)
    what = what.replace("Object missing required field", "There is no value for the parameter")
    what = what.replace("Object contains unknown field", "This path has no parameter")
    return f"`{place}`: {what}" if place else what


def _split(message: str) -> tuple[str, str]:
    found = _PLACED.fullmatch(message)
    return (found["what"], found["place"] or "") if found else (message, "")


def _whole(what: str, kind: Any, place: str) -> str:
    """Return ``what`` with the choices, the bare pattern or an example, where msgspec leaves its reader without."""
    if what.startswith("Invalid enum value"):
        choices = _choices(inspect.type_info(kind), place)
        return f"{what}; it is one of {', '.join(choices)}" if choices else what
    if what.startswith("Invalid RFC3339"):
        return f"{what}; {_EXAMPLE_TIME}"
    return _PATTERN.sub(_bare, what)


def _bare(found: re.Match[str]) -> str:
    begin, end = _FRAME
    return f"matching `{ast.literal_eval(found['quoted'])[begin:-end]}`"


def _choices(kind: inspect.Type, place: str) -> list[str]:
    """Return what an enumeration at ``place`` of ``kind`` may be; nothing if it is not found."""
    kinds = [kind]
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", place):
        kinds = [inner for outer in _alternatives(kinds) for inner in _inside(outer, step)]
    return [
        str(value.value) for kind in _alternatives(kinds) if isinstance(kind, inspect.EnumType) for value in kind.cls
    ]


def _alternatives(kinds: list[inspect.Type]) -> list[inspect.Type]:
    """Return ``kinds`` without annotations, and unions as the types they are made of."""
    bare = [kind.type if isinstance(kind, inspect.Metadata) else kind for kind in kinds]
    return [inner for kind in bare for inner in (kind.types if isinstance(kind, inspect.UnionType) else (kind,))]


def _inside(kind: inspect.Type, step: str) -> list[inspect.Type]:
    """Return the type of a field, or of the items of an array."""
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.ListType | inspect.VarTupleType | inspect.SetType) and step.startswith("["):
        return [kind.item_type]
    return []
