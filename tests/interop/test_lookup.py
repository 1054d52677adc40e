"""A real Postfix asks Yamabiko of every recipient: who is suppressed is refused at RCPT with the exact words."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.cause import Cause, Channel, Permanence
from model.detail import Report, Trust, Unsubscribed, UnsubscribeVia
from model.fact import DeliveryKey, Fact, FactType
from store.environment import Environment
from store.suppression import DENIALS, SuppressionKind
from store.writer import write_now
from tests.interop import postfix
from tests.yamabiko.serving import LEAN, Server, wait_for
from yamabiko.demo.ports import free_port

pytestmark = [pytest.mark.system("postfix"), pytest.mark.timeout(180)]

BOUNCED, LEFT_ALL, LEFT_NEWS, FINE = (
    "dead@example.ne.jp",
    "all@example.ne.jp",
    "news@example.ne.jp",
    "fine@example.ne.jp",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Yamabiko that answers lookups; one recipient bounced, one left everything, one left the stream news."""
    made = Server(tmp_path_factory.mktemp("lookup") / "home", YAMABIKO_LOOKUP_PORT=str(free_port()), **LEAN).start()
    body = b'{"stream": "news"}'
    assert made.ask("PUT", "/v1/broadcasts/spring", body, token=made.token())[0] == 201
    facts = []
    for address in (BOUNCED, LEFT_ALL, LEFT_NEWS, FINE):
        row = made.send_row(address=address)
        number = int(made.ask("GET", "/v1/broadcasts/spring", token=made.token())[1].split('"number":"')[1][:12], 16)
        key = DeliveryKey(1, number, int(row["recipient"], 16))
        if address == BOUNCED:
            detail = Report(Channel.OUT_OF_BAND, b"x", Cause.USER_UNKNOWN, Permanence.PERMANENT, Trust.SUPPRESS)
            facts.append(Fact(FactType.FAILED, key, now_us(), detail))
        elif address != FINE:
            left = Unsubscribed(UnsubscribeVia.API, everything=address == LEFT_ALL)
            facts.append(Fact(FactType.UNSUBSCRIBED, key, now_us(), left))
    env = Environment(made.home / "data")
    write_now(env, facts)
    env.close()
    yield made
    made.kill()


def now_us() -> int:
    return time.time_ns() // 1_000


def rcpt(instance: postfix.Postfix, *addresses: str) -> list[tuple[int, str]]:
    """What Postfix answers to RCPT TO each of the addresses."""
    found = []
    with smtplib.SMTP("127.0.0.1", instance.port, local_hostname="app.shop.example", timeout=20) as smtp:
        smtp.ehlo()
        smtp.mail("news@shop.example")
        for address in addresses:
            code, text = smtp.rcpt(address)
            found.append((code, text.decode("utf-8")))
    return found


def running(server: Server, block: str):  # type: ignore[no-untyped-def]
    port = server.environment["YAMABIKO_LOOKUP_PORT"]
    text = postfix.documented(block).replace("8027", port)
    name, _, value = text.partition("=")
    return postfix.running(
        {name.strip(): value.strip()}, {"bounce.example.jp": "smtp:[127.0.0.1]:1", "example.ne.jp": "discard:"}
    )


def refusal(address: str, kind: SuppressionKind) -> tuple[int, str]:
    return 550, f"5.7.1 <{address}>: Recipient address rejected: {DENIALS[kind]}"


@pytest.mark.row("E34")
def test_tcp_table(server: Server) -> None:
    with running(server, "lookup") as instance:
        bounced, left, news, fine, plus = rcpt(instance, BOUNCED, LEFT_ALL, LEFT_NEWS, FINE, '"de ad"@example.ne.jp')
        assert bounced == refusal(BOUNCED, SuppressionKind.BOUNCE)
        assert left == refusal(LEFT_ALL, SuppressionKind.UNSUBSCRIBE)
        assert (news[0], fine[0], plus[0]) == (250, 250, 250)
        assert rcpt(instance, BOUNCED.upper()) == [refusal(BOUNCED.upper(), SuppressionKind.BOUNCE)]


def test_socketmap_with_the_stream(server: Server) -> None:
    with running(server, "lookup-stream") as instance:
        bounced, left, news, fine = rcpt(instance, BOUNCED, LEFT_ALL, LEFT_NEWS, FINE)
        assert bounced == refusal(BOUNCED, SuppressionKind.BOUNCE)
        assert left == refusal(LEFT_ALL, SuppressionKind.UNSUBSCRIBE)
        assert news == refusal(LEFT_NEWS, SuppressionKind.UNSUBSCRIBE)
        assert fine[0] == 250


@pytest.mark.parametrize("block", ["lookup", "lookup-stream"])
def test_while_yamabiko_is_down_everything_waits(server: Server, block: str) -> None:
    """Also the negative control: what passes with Yamabiko there does not pass without it."""
    with running(server, block) as instance:
        assert rcpt(instance, FINE)[0][0] == 250
        assert server.stop() == 0
        try:
            # At the same time: Postfix tries a tcp_table ten times, a second apart, before it gives up.
            with ThreadPoolExecutor(2) as pool:
                for ((code, text),) in pool.map(lambda address: rcpt(instance, address), (FINE, BOUNCED)):
                    assert 400 <= code < 500, (code, text)
        finally:
            server.start()
        # Postfix's processes find it again by themselves.
        wait_for(lambda: rcpt(instance, FINE)[0][0] == 250, 30, lambda: instance.log)
        assert rcpt(instance, BOUNCED)[0][0] == 550
