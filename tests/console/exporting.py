"""Ask for an export and wait for it; a broadcast with something of everything."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

from model.cause import Cause, Channel, Permanence
from model.detail import Agent, Complained, Engaged, Excluded, ExcludedKind, Planned, Report, Trust
from model.fact import DeliveryKey, Fact, FactType
from tests.console.api import ADMIN, Api
from tests.store.world import HOUR, SECOND, T0_US

SPRING = "spring"


async def export(api: Api, *, token: str = ADMIN, **request: Any) -> dict[str, Any]:
    """POST an export and wait until it is no longer running."""
    asked = await api.call("POST", "/v1/exports", token=token, json=request)
    assert asked.status == 201, asked.text
    return await ended(api, asked.json["id"], token=token)


async def ended(api: Api, export_id: str, *, token: str = ADMIN) -> dict[str, Any]:
    """Wait until an export is no longer running."""
    for _ in range(1_200):
        shown: dict[str, Any] = (await api.call("GET", f"/v1/exports/{export_id}", token=token)).json
        if shown["state"] != "running":
            return shown
        await asyncio.sleep(0.05)
    raise AssertionError(f"still running: {shown}")


async def download(api: Api, shown: dict[str, Any], *, token: str = ADMIN) -> tuple[bytes, dict[str, str]]:
    """GET the file of an export that succeeded."""
    assert shown["state"] == "succeeded", shown
    headers = {"Authorization": f"Bearer {token}"}
    async with api.session.get(api.origin + shown["url"], headers=headers) as response:
        assert response.status == 200, await response.text()
        return await response.read(), dict(response.headers)


async def exported(api: Api, *, token: str = ADMIN, **request: Any) -> list[list[str]]:
    """Return the rows of a CSV export, headings first."""
    content, _ = await download(api, await export(api, token=token, **request), token=token)
    return rows_of(content)


def rows_of(content: bytes, encoding: str = "utf-8-sig") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


def place(recipient: int, number: int) -> DeliveryKey:
    return DeliveryKey(1, number, recipient)


def number_of(api: Api, broadcast: str = SPRING, tenant: int = 1) -> int:
    return api.services.keys().broadcast_number(tenant, broadcast)


def planned(
    number: int, recipient: int, *, last: str | None = None, first: str | None = None, company: str | None = None,
    address: str | None = None, at: int = T0_US, **more: Any,
) -> Fact:  # fmt: skip
    """A listed recipient with a name."""
    detail = Planned(address or f"r{recipient}@example.jp", b"row%05d" % recipient, None, last, first, company, **more)
    return Fact(FactType.PLANNED, place(recipient, number), at, detail, is_html=True)


def failed(
    number: int, recipient: int, *, at: int = T0_US + HOUR, diagnostic: str = "550 5.1.1 User unknown",
    channel: Channel = Channel.OUT_OF_BAND, status: str = "5.1.1",
) -> Fact:  # fmt: skip
    """A failure."""
    detail = Report(
        channel, b"f%d-%d" % (number, recipient), Cause.USER_UNKNOWN, Permanence.PERMANENT, Trust.SUPPRESS,
        status=status, reply_code=550, diagnostic=diagnostic, rule="user-unknown",
    )  # fmt: skip
    return Fact(FactType.FAILED, place(recipient, number), at, detail, is_html=True)


def hit(
    number: int, recipient: int, fact_type: FactType, *, at: int, link: int = 0, agent: Agent = Agent.PERSON
) -> Fact:
    """An open or a click."""
    target = f"https://example.jp/{link}" if link else None
    detail = Engaged(agent, link, 3 if link else 0, ip="192.0.2.0", user_agent="Mozilla/5.0 (X11)", target=target)
    return Fact(fact_type, place(recipient, number), at, detail, is_html=True)


async def spring(api: Api) -> int:
    """A broadcast of six: two failed, one excluded, one opened, one clicked and complained, one without news."""
    await api.call("PUT", f"/v1/broadcasts/{SPRING}", json={"name": "春のご案内", "format": "html", "status": "sent"})
    number = number_of(api)
    facts = [
        planned(number, 1, last="山田", first="太郎", company="株式会社例", recipient_source="csv", api_user="shop"),
        planned(number, 2, last="鈴木", first="花子", company="例商事", mail_type="news", tags=("a", "b")),
        planned(number, 3, last="佐藤", first="次郎", company="株式会社例"),
        planned(number, 4, last="高橋"),
        planned(number, 5, last="田中", request_ip="203.0.113.7"),
        planned(number, 6),
        failed(number, 1, at=T0_US + HOUR),
        failed(number, 2, at=T0_US + 2 * HOUR, channel=Channel.IN_SESSION, diagnostic="550 5.1.1 No such user here"),
        Fact(
            FactType.EXCLUDED, place(3, number), T0_US + SECOND,
            Excluded(ExcludedKind.BOUNCE, "Blacklist: Bounce (worker:address in bounce list)"), is_html=True,
        ),
        hit(number, 4, FactType.OPENED, at=T0_US + 3 * HOUR),
        hit(number, 5, FactType.CLICKED, at=T0_US + 4 * HOUR, link=2),
        hit(number, 5, FactType.CLICKED, at=T0_US + 9 * HOUR, link=1, agent=Agent.MACHINE),
        Fact(FactType.COMPLAINED, place(5, number), T0_US + 5 * HOUR, Complained("abuse", b"c5"), is_html=True),
    ]  # fmt: skip
    await api.services.writer.submit(facts)
    return number
