"""The API's own description is served, complete and true (T20)."""

from __future__ import annotations

import re
from pathlib import Path

import console
from console.openapi import answers_of, document
from console.route import Public
from console.table import ROUTES
from tests.console.api import Api


async def test_it_is_served_to_everybody_and_has_every_route(api: Api) -> None:
    answer = await api.call("GET", "/openapi.json", token=None)
    served = answer.json
    assert served["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in served["paths"].items() for method in methods}
    routed = {
        (route.method, route.resource.canonical)
        for route in api_routes(api)
        if route.method not in ("HEAD", "OPTIONS") and route.resource is not None
    }
    assert described == routed == {(route.method, route.path) for route in ROUTES}


def api_routes(api: Api):  # type: ignore[no-untyped-def]
    """The routes aiohttp really has."""
    from console.app import build_app

    return list(build_app(api.services).router.routes())


def test_references_lead_somewhere_and_names_are_unique() -> None:
    made = document(ROUTES, "1")
    schemas = made["components"]["schemas"]
    for reference in re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(made)):
        assert reference in schemas
    names = [operation["operationId"] for methods in made["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_every_operation_states_its_errors_and_parameters() -> None:
    for route in ROUTES:
        statuses = {answer.status for answer in answers_of(route)}
        assert {421, 500} <= statuses
        if route.path.startswith("/v1"):
            assert {401, 403} <= statuses, route.name
        if route.body_type:
            assert {400, 408, 413, 415} <= statuses, route.name
        operation = document(ROUTES, "1")["paths"][route.path][route.method.lower()]
        in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", route.path))


def test_the_page_for_people_names_every_route_scope_and_problem() -> None:
    root = Path(console.__file__).parent
    page = (root.parent / "docs" / "api.md").read_text("utf-8")
    for route in ROUTES:
        assert f"{route.method} {route.path}" in page, route.path
        if not isinstance(route.access, Public):
            assert f"`{route.access.value}`" in page
    source = "".join(path.read_text("utf-8") for path in root.glob("*.py"))
    slugs = set(re.findall(r"ProblemError\(\s*\d+,\s*\"([a-z-]+)\"", source))
    assert len(slugs) > 8
    for slug in slugs:
        assert f"`{slug}`" in page, slug


def test_the_checker_of_answers_finds_lies() -> None:
    """Negative control: what tests.console.api.check must refuse."""
    import pytest

    from tests.console.api import Answer, check

    headers = {"X-Content-Type-Options": "nosniff", "Content-Type": "application/json"}
    for status, text in ((418, "{}"), (200, "{}"), (200, '{"ok":true,"checks":[],"more":1}')):
        with pytest.raises(AssertionError):
            check("GET", "/healthz", Answer(status, headers, text))
    check("GET", "/healthz", Answer(200, headers, '{"ok":true,"checks":[]}'))


def test_what_people_read_are_whole_sentences() -> None:
    for route in ROUTES:
        for text in (route.summary, *(answer.text for answer in answers_of(route))):
            assert re.search(r"[\w`)]\.$", text), f"{route.method} {route.path}: {text!r}"


def test_no_pattern_takes_a_line_feed_at_the_end() -> None:
    patterns = set(re.findall(r"'pattern': '((?:[^'\\\\]|\\\\.)*)'", str(document(ROUTES, "1"))))
    assert len(patterns) > 10
    for pattern in patterns:
        pattern = pattern.replace("\\\\", "\\")
        assert pattern.startswith("^(?:") and pattern.endswith(r")(?!\n)$"), pattern
