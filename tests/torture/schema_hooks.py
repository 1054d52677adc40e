"""Teaches schemathesis bodies and answers of many JSON lines; loaded by it, as SCHEMATHESIS_HOOKS says.

The API's description has a line's schema beside the media type (``x-line-schema``), which OpenAPI 3.1 has no word for.
For schemathesis such a body becomes a list of lines, written and read a line each.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis

_NDJSON = "application/x-ndjson"
_LINE = "x-line-schema"
_MAX_LINES = 5
#: Seconds a request may wait for events at most: longer ones only take time.
_MAX_WAIT = 1


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Turn every body of lines into a list, and let nothing wait for long."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            for said in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = said.get("content", {}).get(_NDJSON)
                if content is not None:
                    content["schema"] = {"type": "array", "items": content[_LINE]}
            lines = operation.get("requestBody", {}).get("content", {}).get(_NDJSON)
            if lines is not None:
                lines["schema"]["maxItems"] = _MAX_LINES
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "wait":
                    parameter["schema"]["maximum"] = _MAX_WAIT


@schemathesis.serializer(_NDJSON)
def write_lines(_context: Any, value: Any) -> bytes:
    """Write a line each; what is no list, as is sent on purpose, is one line."""
    rows = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(row).encode("utf-8", "surrogatepass") + b"\n" for row in rows)


@schemathesis.deserializer(_NDJSON)
def read_lines(context: Any, response: Any) -> Any:
    """Read a line each. Raises ValueError when one is no JSON. The file of an export is a file, whatever is in it."""
    if context.operation.path.endswith("/file"):
        return response.text
    return [json.loads(line) for line in response.content.splitlines()]
