"""A client that asks wrongly is told what would be right."""

from __future__ import annotations

import gzip
import itertools
import json

import msgspec
import pytest

from console import mistake
from console.route import JSON, NDJSON
from console.table import ROUTES
from tests.console.api import Api

REPORT = "/v1/broadcasts/spring/report"


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("GET", f"{REPORT}?profile=other", None,
         "`profile`: Invalid enum value 'other'; it is one of native, sansan, relation, engagelab, karte, bales."),
        ("GET", f"{REPORT}?colour=red", None, "This path has no parameter `colour`."),
        ("GET", "/v1/broadcasts/spring/period", None, "There is no value for the parameter `from`."),
        ("GET", "/v1/project?from=yesterday&to=today", None,
         "`from`: Invalid RFC3339 encoded datetime; write it like 2026-04-01T09:00:00+09:00."),
        ("GET", "/v1/usage?month=2026-13", None, r"`month`: Expected `str` matching `\d{4}-(0[1-9]|1[0-2])`."),
        ("PUT", "/v1/broadcasts/a%20b", {}, "`id`: Expected `str` matching `[A-Za-z0-9._-]{1,64}`."),
        ("PUT", "/v1/broadcasts/spring", {"status": "gone"},
         "The body is not what this path takes: Invalid enum value 'gone'; it is one of draft, scheduled, sending, "
         "sent, cancelled - at `status`."),
        ("PUT", "/v1/broadcasts/spring", {"nmae": "x"},
         "The body is not what this path takes: Object contains unknown field `nmae`."),
        ("PUT", "/v1/broadcasts/spring", [], "The body is not what this path takes: Expected `object`, got `array`."),
        ("PUT", "/v1/notices", {"notify_on": ["open", "shut"]},
         "The body is not what this path takes: Invalid enum value 'shut'; it is one of open, click, unsubscribe, "
         "complaint, bounce, reply - at `notify_on[1]`."),
    ],
)  # fmt: skip
async def test_the_answer_says_what_would_be_right(api: Api, method: str, path: str, body: object, detail: str) -> None:
    answer = await api.call(method, path, **({} if body is None else {"json": body}))  # type: ignore[arg-type]
    assert (answer.status, answer.json["detail"]) == (400, detail)


async def test_a_row_of_attempts_is_told_too(api: Api) -> None:
    rows = json.dumps({"outcome": "lost"})
    answer = await api.call("POST", "/v1/attempts", data=rows.encode(), **{"Content-Type": NDJSON})
    assert json.loads(answer.text)["error"] == (
        "Not a row: Invalid enum value 'lost'; it is one of accepted, deferred, failed, cancelled - at `outcome`"
    )


def test_no_wrong_value_of_any_field_is_told_badly() -> None:
    """Each enumeration with its words, no pattern in its frame, whatever field of whatever type."""
    wrong = ("zz", 5, -1, None, [], {}, ["zz"], [{"zz": 1}], [None], 1e300, True, "a\n")
    told = 0
    for route in ROUTES:
        for kind, is_body in ((route.path_type, False), (route.query_type, False), (route.body_type, True)):
            if kind is None or kind is str:
                continue
            say = mistake.of_body if is_body else mistake.of_parameters
            for field, value in itertools.product(msgspec.structs.fields(kind), wrong):
                try:
                    msgspec.convert({field.encode_name: value}, kind, strict=is_body)
                except msgspec.ValidationError as error:
                    text = say(error, kind)
                    told += 1
                    assert "(?!" not in text and "`$" not in text, text
                    assert "enum" not in text or "it is one of" in text, text
    assert told > 1_000


@pytest.mark.parametrize("path", ["/v1/broadcasts/spring", "/v1/sends", "/v1/blocks/import"])
async def test_a_body_that_is_not_encoded_as_stated_is_the_clients_fault(
    api: Api, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    method, kind = {"/v1/broadcasts/spring": ("PUT", JSON), "/v1/sends": ("POST", NDJSON)}.get(
        path, ("POST", "text/csv")
    )
    headers = {"Content-Type": kind, "Content-Encoding": "gzip"}
    answer = await api.call(method, path, data=b"{}", **headers)
    assert (answer.status, answer.json["type"]) == (400, "urn:yamabiko:problem:bad-request"), answer.text
    assert "Content-Encoding" in answer.json["detail"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    whole = await api.call(method, path, data=gzip.compress(b"{}"), **headers)
    assert "Content-Encoding" not in whole.text and whole.status < 500


@pytest.mark.parametrize(
    ("path", "takes"), [("/v1/broadcasts/spring", "GET, PUT"), ("/v1/sends", "POST"), ("/healthz", "GET")]
)
async def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_takes(
    api: Api, path: str, takes: str
) -> None:
    """RFC 9110 15.5.6: the answer 405 must have the header Allow."""
    answer = await api.call("PATCH", path)
    assert (answer.status, answer.headers["Allow"]) == (405, takes)
    assert takes in answer.json["detail"]
