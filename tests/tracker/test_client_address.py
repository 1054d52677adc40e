"""Forty forms of the forwarding header (T11), and what is kept of an address (T8)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.tracker.conftest import MakeEdge
from tracker.client_address import apply_policy, find_client
from tracker.settings import IpPolicy

TRUSTED = tuple(ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8"))
PROXY, STRANGER = "10.0.0.1", "203.0.113.9"

# peer, values of the header, what comes out behind TRUSTED
FORMS: list[tuple[str | None, list[str], str | None]] = [
    (STRANGER, ["198.51.100.7"], STRANGER),
    (STRANGER, ["198.51.100.7, 10.0.0.1"], STRANGER),
    (STRANGER, ["127.0.0.1"], STRANGER),
    (STRANGER, [""], STRANGER),
    (STRANGER, [], STRANGER),
    ("2001:db8::5", ["198.51.100.7"], "2001:db8::5"),
    (PROXY, [], PROXY),
    (PROXY, [""], PROXY),
    (PROXY, ["198.51.100.7"], "198.51.100.7"),
    (PROXY, [" 198.51.100.7 "], "198.51.100.7"),
    (PROXY, ["\t198.51.100.7\t"], "198.51.100.7"),
    (PROXY, ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
    (PROXY, ["1.1.1.1", "198.51.100.7"], "198.51.100.7"),
    (PROXY, ["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
    (PROXY, ["1.1.1.1, 198.51.100.7, 10.9.9.9, 10.0.0.2"], "198.51.100.7"),
    (PROXY, ["198.51.100.7,10.0.0.2"], "198.51.100.7"),
    (PROXY, ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    (PROXY, ["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
    (PROXY, ["198.51.100.7:4711"], "198.51.100.7"),
    (PROXY, ["[2001:db8::7]:4711"], "2001:db8::7"),
    (PROXY, ["[2001:db8::7]"], "2001:db8::7"),
    (PROXY, ["2001:db8::7"], "2001:db8::7"),
    (PROXY, ["2001:DB8:0::0007"], "2001:db8::7"),
    (PROXY, ["::ffff:198.51.100.7"], "198.51.100.7"),
    ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ("fd00::1", ["2001:db8::7, fd00::2"], "2001:db8::7"),
    (PROXY, ["fe80::1%eth0"], "fe80::1"),
    (PROXY, ['"198.51.100.7"'], "198.51.100.7"),
    (PROXY, ['"[2001:db8::7]:80"'], "2001:db8::7"),
    (PROXY, ["unknown"], PROXY),
    (PROXY, ["198.51.100.7, unknown"], PROXY),
    (PROXY, ["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
    (PROXY, ["198.51.100.7,"], PROXY),
    (PROXY, ["198.51.100.7, , 10.0.0.2"], "10.0.0.2"),
    (PROXY, ["for=198.51.100.7"], PROXY),
    (PROXY, ["198.51.100.7:port"], PROXY),
    (PROXY, ["198.51.100.7:999999"], PROXY),
    (PROXY, ["[2001:db8::7"], PROXY),
    (PROXY, ["[2001:db8::7]x"], PROXY),
    (PROXY, ["198.51.100"], PROXY),
    (PROXY, ["0x7f.1"], PROXY),
    (PROXY, ["198.051.100.007"], PROXY),
    (PROXY, ["１98.51.100.7"], PROXY),
    (PROXY, ["a" * 5_000], PROXY),
    (PROXY, [", ".join(["10.0.0.2"] * 5_000)], "10.0.0.2"),
    (PROXY, ["1.1.1.1, " + ", ".join(["10.0.0.2"] * 5_000)], "10.0.0.2"),
    (None, ["198.51.100.7"], None),
    ("", ["198.51.100.7"], ""),
]


@pytest.mark.row("T11")
@pytest.mark.parametrize(("peer", "values", "client"), FORMS, ids=range(len(FORMS)))
def test_the_rightmost_untrusted_hop(peer: str | None, values: list[str], client: str | None) -> None:
    assert find_client(peer, values, TRUSTED) == client


@pytest.mark.row("T11")
@pytest.mark.parametrize(("peer", "values", "_client"), FORMS, ids=range(len(FORMS)))
def test_by_default_the_header_is_not_looked_at(peer: str | None, values: list[str], _client: object) -> None:
    assert find_client(peer, values, ()) == peer


@pytest.mark.row("T8")
@pytest.mark.parametrize(
    ("address", "kept", "truncated"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.0"), ("2001:db8:1:2::9", "2001:db8:1:2::9", "2001:db8:1::"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.0"), ("garbage", None, None), ("", None, None),
        (None, None, None),
    ],
)  # fmt: skip
def test_what_is_kept(address: str | None, kept: str | None, truncated: str | None) -> None:
    assert apply_policy(address, IpPolicy.KEEP) == kept
    assert apply_policy(address, IpPolicy.TRUNCATE) == truncated
    assert apply_policy(address, IpPolicy.DROP) is None


@pytest.mark.row("T11")
async def test_over_a_real_connection(make_edge: MakeEdge) -> None:
    for trusted, ip in (((), "127.0.0.1"), (TRUSTED, "198.51.100.7")):
        edge = await make_edge(trusted_proxies=trusted)
        url = edge.mail().click_url("https://x.jp/", link=1, links=1)
        await edge.get(url, X_Forwarded_For="6.6.6.6, 198.51.100.7", X_Real_IP="6.6.6.6", Forwarded="for=6.6.6.6")
        assert edge.store.facts[0].detail.ip == ip
