"""Dialogues in files: C: a line the client sends, X: octets it sends, S: a line expected, E: the end, F: facts stored.

``{names}`` stand for addresses and tokens (``WORDS``); ``limits: name=value`` in the title changes a limit.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from model.detail import Report
from model.fact import Fact
from model.token import Token, TokenType, sign, to_mail
from mta.limits import Limits
from tests.mta.harness import DOMAIN, KEYS, MINT, Peer, minted, serving, today

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


def words() -> dict[str, str]:
    mail, other = minted(), minted("hanako@example.jp")
    token = mail.return_path[2:50]
    forged = ("a" if token[20] != "a" else "b").join((token[:20], token[21:]))
    return {
        "return_path": mail.return_path,
        "return_path_2": other.return_path,
        "return_path_minus": f"b-{token}@{DOMAIN}",
        "return_path_wildcard": f"anything@{token}.{DOMAIN}",
        "return_path_upper": f"B+{token.upper()}@{DOMAIN.upper()}",
        "return_path_forged": f"b+{forged}@{DOMAIN}",
        "wrong_type": f"b+{to_mail(sign(Token(TokenType.MESSAGE, 1, 2, 3, today()), KEYS))}@{DOMAIN}",
        "feedback": MINT.feedback_address(1),
        "unsubscribe": mail.unsubscribe_address,
        "message_token": mail.message_token,
        "long_600": "x" * 600,
        "long_3000": "x" * 3_000,
    }


def shown(fact: Fact) -> str:
    return f"{fact.type.name} {fact.detail.trust.name}" if isinstance(fact.detail, Report) else fact.type.name


def limits_of(title: str) -> Limits:
    changes = re.findall(r"(\w+)=(\S+)", title.partition("limits:")[2])
    return Limits(**{name: ast.literal_eval(value) for name, value in changes})


def fill(text: str) -> str:
    for name, value in words().items():
        text = text.replace("{" + name + "}", value)
    return text


def test_there_are_enough() -> None:
    assert len(DIALOGUES) >= 25


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_dialogue(path: Path, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Production runs on uvloop; asyncio's own loop must do as well."""
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(talk(path))


async def talk(path: Path) -> None:
    title, *lines = path.read_text("utf-8").splitlines()
    async with serving(limits=limits_of(title)) as world:
        peer = await Peer.connect(world.port)
        for number, line in enumerate(lines, 2):
            what, text = line[:2], fill(line[3:])
            if what == "C:":
                peer.send(text.encode("utf-8") + b"\r\n")
            elif what == "X:":
                peer.send(text.encode("latin-1").decode("unicode_escape").encode("latin-1"))
            elif what == "S:":
                assert await peer.line() == text, f"{path.name}:{number}"
            elif what == "E:":
                assert await peer.is_closed(), f"{path.name}:{number}"
            elif what == "F:":
                assert ", ".join(sorted(map(shown, world.store.all), reverse=True)) == text, f"{path.name}:{number}"
        await peer.close()
