"""The OpenAPI 3.1 document, made from the route table and the msgspec types the handlers really use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from console.route import NDJSON, Answer, Public, Route, refusal

_REF = "#/components/schemas/{name}"


def answers_of(route: Route) -> list[Answer]:
    """Return everything a route may answer: its own answers and those of the checks before it."""
    own = {answer.status for answer in route.answers}
    return [*route.answers, *(answer for answer in _checks(route) if answer.status not in own)]


def document(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """Return the document as JSON-ready values."""
    routes = list(routes)
    types = _types(routes)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_type, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Yamabiko", "version": version, "description": "Return paths, tracking and their numbers."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`yamabiko token create`"}
            },
        },
    }


def _types(routes: Iterable[Route]) -> list[Any]:
    found: dict[int, Any] = {}
    for route in routes:
        for kind in (route.path_type, route.query_type, route.body_type):
            if kind is not None:
                found[id(kind)] = kind
        for answer in answers_of(route):
            for kind in _bodies(answer):
                found[id(kind)] = kind
    return list(found.values())


def _operation(route: Route, by_type: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [] if isinstance(route.access, Public) else [{"token": [route.access.value]}],
        "parameters": list(_parameters(route, components)),
        "responses": {str(answer.status): _response(answer, by_type) for answer in answers_of(route)},
    }
    if not operation["parameters"]:
        del operation["parameters"]
    if route.body_type is not None:
        media: dict[str, Any] = {"schema": by_type[id(route.body_type)]}
        if route.body_media_type == NDJSON:
            media = {"schema": {"type": "string"}, "x-line-schema": by_type[id(route.body_type)]}
        operation["requestBody"] = {"required": True, "content": {route.body_media_type: media}}
    return operation


def _parameters(route: Route, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for where, kind in (("path", route.path_type), ("query", route.query_type)):
        if kind is None:
            continue
        schema = components[kind.__name__]
        for name, field in schema["properties"].items():
            is_needed = where == "path" or name in schema.get("required", ())
            yield {"name": name, "in": where, "required": is_needed, "schema": field}
    for name, text in route.headers:
        yield {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}


def _response(answer: Answer, by_type: dict[int, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.text}
    if answer.body is not None:
        schemas = [by_type[id(kind)] for kind in _bodies(answer)]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        media: dict[str, Any] = {"schema": schema}
        if answer.media_type == NDJSON:
            media = {"schema": {"type": "string"}, "x-line-schema": schema}
        response["content"] = {answer.media_type: media}
    elif answer.status != 204:
        response["content"] = {answer.media_type: {"schema": {"type": "string"}}}
    return response


def _bodies(answer: Answer) -> tuple[Any, ...]:
    if answer.body is None:
        return ()
    return answer.body if isinstance(answer.body, tuple) else (answer.body,)


def _checks(route: Route) -> Iterator[Answer]:
    """Yield the errors that come before a handler runs, or instead of its answer."""
    if route.path_type or route.query_type or route.body_type or route.headers:
        yield refusal(400, "The request is not what this document says.")
    if not isinstance(route.access, Public):
        yield refusal(401, "No token, or one that is not known or has expired.")
        yield refusal(403, f"The token lacks the scope {route.access.value}.")
    if route.body_type is not None:
        yield refusal(408, "The body did not come in time.")
        yield refusal(413, "The body is too large.")
        yield refusal(415, f"The body must be {route.body_media_type}.")
    yield refusal(421, "The Host header is not one of this server.")
    yield refusal(500, "A fault of ours; it is in the log.")
    if route.uses_store:
        yield refusal(503, "The store cannot take or give data just now; nothing was promised.")
