"""Times in requests that no store can hold, no zone can show, or that are yet to come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.console.api import Api

FAR = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00"]


async def rows(api: Api, path: str, lines: list[dict[str, Any]]) -> list[Any]:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    answer = await api.call("POST", path, data=text, Content_Type="application/x-ndjson")
    assert answer.status == 200, answer.text
    return answer.lines


@pytest.mark.parametrize("at", FAR)
async def test_a_list_can_still_be_shown_after_a_time_beyond_all_zones(api: Api, at: str) -> None:
    """Each of these made the list it stands in fail from then on."""
    refused = [
        await api.call("PUT", "/v1/broadcasts/spring", json={"scheduled_at": at}),
        await api.call("POST", "/v1/blocks", json={"kind": "address", "value": "a@example.jp", "expires_at": at}),
        await api.call("GET", f"/v1/broadcasts?from={at.replace('+', '%2B')}"),
        await api.call("POST", "/v1/exports", json={"type": "events", "from": at}),
    ]
    for answer in refused:
        assert answer.status == 400 and "1970 to 2199" in answer.text, answer.text
    assert (await api.call("GET", "/v1/broadcasts")).json["broadcasts"] == []
    assert (await api.call("GET", "/v1/blocks")).json["blocks"] == []


@pytest.mark.parametrize("at", FAR)
async def test_one_impossible_time_stops_no_other_row(api: Api, at: str) -> None:
    """A row before 1970 made the whole request fail, with the advice to send it again."""
    await api.sends([{"broadcast": "spring", "address": f"p{n}@example.jp"} for n in range(3)])
    named = [{"broadcast": "spring", "address": f"p{n}@example.jp"} for n in range(3)]
    said = [{**named[0], "outcome": "accepted"}, {**named[1], "outcome": "accepted", "at": at},
            {**named[2], "outcome": "failed", "reply": "550 5.1.1", "at": "1970-01-01T00:00:00Z"}]  # fmt: skip
    answers = await rows(api, "/v1/attempts", said)
    assert [line.get("taken", False) for line in answers] == [True, False, True]
    assert "1970 to 2199" in answers[1]["error"]
    bought = await rows(api, "/v1/conversions", [{**named[0], "at": at}, named[1]])
    assert [line.get("taken", False) for line in bought] == [False, True]


async def test_what_is_yet_to_come_has_not_happened(api: Api) -> None:
    """Nine hours ahead is what 09:00 in Japan becomes where it is written as UTC."""
    await api.sends([{"broadcast": "spring", "address": "p@example.jp"}])
    row = {"broadcast": "spring", "address": "p@example.jp"}
    now = api.services.now_us() / 1e6
    for hours, is_taken in ((0.9, True), (9, False)):
        at = datetime.fromtimestamp(now + hours * 3_600, UTC).isoformat()
        for path, more in (("/v1/attempts", {"outcome": "accepted"}), ("/v1/conversions", {})):
            (answer,) = await rows(api, path, [{**row, **more, "at": at}])
            assert answer.get("taken", False) is is_taken, answer
            assert is_taken or "future" in answer["error"]
