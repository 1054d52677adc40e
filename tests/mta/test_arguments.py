"""MAIL and RCPT lines: what real servers send is taken, malformed ones are 501 (S7, S8, M7, M8)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mta.arguments import ArgumentError, PathArgument, parse_forward_path, parse_reverse_path
from tests.mta.harness import seeded

#: as Exchange, Exchange Online, Gmail, Postfix, Exim, sendmail, qmail, Domino, vCenter and others send them
REAL = [
    "MAIL FROM:<> SIZE=12345",
    "MAIL FROM:<> SIZE=12345 AUTH=<>",
    "MAIL FROM:<> AUTH=<> SIZE=7831 BODY=8BITMIME",
    "MAIL FROM:<> SIZE=28115 AUTH=<> XOORG=contoso.com",
    "MAIL FROM:<postmaster@contoso.com> SIZE=61242 BODY=8BITMIME XOORG=contoso.onmicrosoft.com XMESSAGECONTEXT=1",
    "MAIL FROM:<> BODY=BINARYMIME SIZE=3000",
    "MAIL FROM:<> SIZE=3021 BODY=8BITMIME SMTPUTF8",
    "MAIL FROM:<mailer-daemon@googlemail.com> BODY=8BITMIME SMTPUTF8 SIZE=4102",
    "MAIL FROM:<> BODY=8BITMIME",
    "MAIL FROM:<> SIZE=2933 RET=HDRS ENVID=QQ314159",
    "MAIL FROM:<user@example.org> RET=FULL ENVID=abc+2Bdef==",
    "MAIL FROM:<>",
    "MAIL From:<>",
    "mail from:<>",
    "MAIL FROM: <>",
    "MAIL FROM:<#@[]>",
    "MAIL FROM:<bounce+caf_=a=b.c@list.example.org> SIZE=100",
    "MAIL FROM:<\"john doe\"@example.org>",
    "MAIL FROM:<o'neil/x=y@example.org> AUTH=o+27neil@example.org",
    "MAIL FROM:<prvs=0123456789=user@example.org> SIZE=1",
    "MAIL FROM:<SRS0=abcd=EF=example.net=user@example.org>",
    "MAIL FROM:<@a.example,@b.example:user@example.org>",
    "RCPT TO:<b+x@example.jp> NOTIFY=NEVER",
    "RCPT TO:<b+x@example.jp> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b+2Bx@example.jp",
    "RCPT TO:<b+x@example.jp> ORCPT=rfc822;taro=example@example.jp",
    "RCPT TO:<b+x@[192.0.2.1]>",
    "rcpt to:<b+x@example.jp>",
    "RCPT TO: <b+x@example.jp>",
    "RCPT TO:<postmaster>",
    "RCPT TO:<@relay.example:b+x@example.jp> XRDST=a:b",
    "RCPT TO:<用户@例え.jp>",
    "RCPT TO:<..taro.@docomo.ne.jp>",
]  # fmt: skip
MALFORMED = [
    "MAIL FROM:a@b.example",
    "MAIL FROM <a@b.example>",
    "MAIL <a@b.example>",
    "MAIL FROM:",
    "MAIL FROM:<a@b.example",
    "MAIL FROM:<a@b.example>x",
    "MAIL FROM:<a b@c.example>",
    "MAIL FROM:<> SIZE=abc",
    "MAIL FROM:<> SIZE",
    "MAIL FROM:<> =x",
    "MAIL FROM:<> RET=",
    "RCPT TO:<>",
    "RCPT TO:<a>",
    "RCPT TO:<a@b@c.example>",
    "RCPT TO:<@c.example>",
    "RCPT TO:<a@>",
    "RCPT TO:<a\x01@b.example>",
    "RCPT TO:<" + "a" * 400 + "@b.example>",
    "RCPT TO:<a@b.example> <c@d.example>",
    'RCPT TO:<"a@b.example>',
]


def parse(line: str) -> object:
    return parse_reverse_path(line[5:]) if line[:4].upper() == "MAIL" else parse_forward_path(line[5:])


@pytest.mark.parametrize("line", REAL)
def test_lines_of_real_servers_are_taken(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", MALFORMED)
def test_malformed_lines_are_501(line: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parse(line)
    assert caught.value.reply.code == 501


def test_there_are_enough() -> None:
    assert len(REAL) >= 30
    assert len(MALFORMED) >= 12


def test_what_is_read() -> None:
    parsed = parse_reverse_path("FROM:<@a.example:b@c.example> SIZE=10 smtputf8 X=y=z")
    assert (parsed.path, parsed.size, parsed.is_utf8) == ("b@c.example", 10, True)
    assert parsed.parameters == (("SIZE", "10"), ("SMTPUTF8", None), ("X", "y=z"))


def test_octets_that_are_no_text_are_kept() -> None:
    raw = b"FROM:<\xe9\xff@example.org>".decode("utf-8", "surrogateescape")
    assert parse_reverse_path(raw).path.encode("utf-8", "surrogateescape") == b"\xe9\xff@example.org"


@settings(max_examples=3_000, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from('<>@":= \\\t[].\0')), max_size=80))
def test_nothing_else_is_raised(text: str) -> None:
    for argument in (text, f"FROM:{text}", f"FROM:<{text}>", f"TO:<{text}>", f"FROM:<a@b> {text}"):
        for parse_path in (parse_reverse_path, parse_forward_path):
            try:
                path = parse_path(argument).path
            except ArgumentError:
                continue
            assert "\r" not in path
            assert "\n" not in path


def test_matching_is_linear() -> None:
    parse_reverse_path("FROM:<" + '"' + "\\a" * 100 + '"@b>')
    for bad in ('"' + "a\\" * 100_000, '"' * 200_000, "@" * 200_000, "<" * 200_000):
        with pytest.raises(ArgumentError):
            parse_reverse_path(f"FROM:<{bad}")


def test_the_short_way_finds_what_the_long_way_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = seeded()
    atoms = ["b+abc", "x" * 60, "y" * 250, "example.jp", ".", "-", "=", "_", " ", "SIZE=1", "é", "ſ", "\udcff", "\n",
             '"', "postmaster", "\0", "<", ">", "@", "A9"]  # fmt: skip

    def word(most: int) -> str:
        return "".join(generator.choice(atoms) for _ in range(generator.randrange(most)))

    keywords = ["TO:", "to:", "tO:", "TO: ", "ſO:", "FROM:"]
    arguments = [f"{generator.choice(keywords)}<{word(3)}@{word(3)}>{word(2)}" for _ in range(20_000)]
    arguments += [word(7) for _ in range(1_000)] + ["FROM:<>"]
    arguments += [f"TO:<{'x' * local}@{'y' * domain}>" for local in (63, 64, 65) for domain in (1, 254, 255, 256)]
    short = [(outcome(parse_forward_path, argument), outcome(parse_reverse_path, argument)) for argument in arguments]
    monkeypatch.setattr("mta.arguments._PLAIN_FORWARD", re.compile(r"(?!)"))
    monkeypatch.setattr("mta.arguments._NULL", None)  # taken, it would show
    long = [
        (outcome(parse_forward_path, argument), outcome(parse_reverse_path, f"{argument} ")) for argument in arguments
    ]
    assert [pair[0] for pair in short] == [pair[0] for pair in long]
    assert short[arguments.index("FROM:<>")][1] == long[arguments.index("FROM:<>")][1] == PathArgument("")
    assert sum(isinstance(pair[0], PathArgument) for pair in short) > 200


def outcome(parse: Callable[[str], PathArgument], argument: str) -> PathArgument | str:
    try:
        return parse(argument)
    except ArgumentError as error:
        return str(error.reply)
