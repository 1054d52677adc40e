"""A real Postfix sends a mailing, its reports come back to Yamabiko, and the numbers equal what the servers said."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop import postfix, sink, world
from tests.interop.sink import ACCEPT, At, Turn

pytestmark = [pytest.mark.system("postfix"), pytest.mark.timeout(180)]

_BROADCAST = "postfix"
_SETTINGS = {
    "delay_warning_time": "2s",
    "maximal_queue_lifetime": "12s",
    "bounce_queue_lifetime": "12s",
}
_ALL = "SUCCESS,FAILURE,DELAY"
#: longest wait until Postfix has nothing left to do
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Case:
    """A mail, what its server does, and what the report must say of it."""

    address: str
    turns: tuple[Turn, ...]
    #: None: it reached its recipient
    cause: str | None = None
    is_hard: bool = False
    is_suppressed: bool = False
    #: Postfix's own words, where no server has said anything
    words: str = ""
    notify: str = ""
    #: what the domain's server offers after EHLO
    features: tuple[str, ...] | None = None
    #: where the domain's mail goes instead of to a server of the script; {own} is Postfix's own port
    route: str = ""
    body_lines: int = 1
    options: tuple[str, ...] = ()
    #: waits and is taken in the end, but nobody says so
    stays_deferred: bool = False

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def expires(self) -> bool:
        """Whether it is tried again until Postfix gives up."""
        last = self.turns[-1].reply if self.turns else "2"
        return not last or last.startswith("4")


def _dead(address: str, reply: str | None, cause: str, at: At = At.RCPT, **more: Any) -> Case:
    """Return a case of a hard bounce that suppresses."""
    return Case(address, (Turn(at, reply),), cause, is_hard=True, is_suppressed=True, **more)


def _no(address: str, reply: str | None, cause: str, at: At = At.RCPT, **more: Any) -> Case:
    """Return a case of any other failure."""
    return Case(address, (Turn(at, reply),), cause, **more)


_CASES = (
    # no such mailbox
    _dead("u1@gmail-like.example", "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
          "550-5.1.1 double-checking the recipient's email address for typos or\n"
          "550 5.1.1 unnecessary spaces. z9-20020a170902ccc900b - gsmtp", "user_unknown"),
    _dead("u2@exchange.example", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient u2@exchange.example not found "
          "by SMTP address lookup", "user_unknown", At.END),
    _dead("u3@outlook.example", "550 5.4.1 Recipient address rejected: Access denied. "
          "[TY1PEPF0000A1.apcprd01.prod.outlook.com 2026-04-01T00:00:00.000Z 08DC]", "user_unknown"),
    _dead("u4@yahoo.example", "554 delivery error: dd This user doesn't have a yahoo.co.jp account (u4@yahoo.co.jp) "
          "[0] - mta1001.mail.kks.yahoo.co.jp", "user_unknown", At.END),
    _dead("u5@docomo.ne.jp", "550 Unknown user u5@docomo.ne.jp", "user_unknown"),
    _dead("u6@nihongo.example", "550 宛先のメールアドレスは存在しません", "user_unknown"),
    _dead("u7@postfix.example", "550 5.1.1 <u7@postfix.example>: Recipient address rejected: User unknown in virtual "
          "mailbox table", "user_unknown"),
    _dead("u8@closed.example", "550 5.2.1 The email account that you tried to reach is disabled.", "mailbox_disabled"),
    _dead("u9@moved.example", "551 5.1.6 Recipient has moved, please update your address book", "mailbox_moved"),
    _dead("u10@syntax.example", "553 5.1.3 The recipient address <u10> is not a valid RFC-5321 address",
          "address_syntax"),
    _dead("u11@nullmx.example", "556 5.1.10 Recipient address has null MX", "domain_no_mail"),
    _dead("u12@members.example", "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; "
          "Delivery restriction check failed because the sender was not authenticated when sending to this group",
          "recipient_restricted", At.END),
    # the recipient's, but not for ever
    _no("f1@full.example", "552 5.2.2 The email account that you tried to reach is over quota", "mailbox_full"),
    _no("f2@full4.example", "452 4.2.2 The email account that you tried to reach is over quota. Please direct the "
        "recipient to clear it", "mailbox_full"),
    # docomo says the same of a person's own filter, but after the mail (A6)
    Case("f3@docomo.ne.jp", (Turn(At.END, "550 Unknown user f3@docomo.ne.jp"),), "recipient_filtered", is_hard=True),
    # ours
    _no("s1@dnsbl.example", "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using zen.spamhaus.org; "
        "https://www.spamhaus.org/query/ip/192.0.2.25", "ip_blocklisted"),
    _no("s2@dmarc.example", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
        "550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n"
        "550 5.7.26 For instructions, go to https://support.google.com/mail/answer/81126", "auth_failed", At.END),
    _no("s3@ptr.example", "550 5.7.25 The IP address sending this message does not have a PTR record setup",
        "ptr_missing", At.END),
    _no("s4@rate.example", "421-4.7.28 Our system has detected an unusual rate of unsolicited mail originating from\n"
        "421 4.7.28 your IP address. To protect our users, mail has been temporarily rate limited", "rate_limited"),
    _no("s5@spam.example", "550 5.7.1 Message rejected as spam by Content Filtering.", "spam_content", At.END),
    _no("s6@virus.example", "554 5.7.1 Message rejected: virus found (Eicar-Test-Signature)", "virus_detected", At.END),
    _no("s7@big.example", "552 5.3.4 Message size exceeds fixed limit", "message_too_large", At.END),
    _no("s8@relay.example", "554 5.7.1 <s8@relay.example>: Relay access denied", "relay_denied"),
    _no("s9@policy.example", "550 5.7.1 Command rejected", "policy_rejected"),
    # the network's
    _no("n1@grey.example", "450 4.7.1 <n1@grey.example>: Recipient address rejected: Greylisted, please try again in "
        "300 seconds", "greylisted"),
    _no("n2@busy.example", "451 4.3.2 Please try again later", "server_not_accepting"),
    _no("n3@disk.example", "452 4.3.1 Insufficient system storage", "system_full", At.END),
    _no("n4@loopthere.example", "554 5.4.6 Too many hops 26 (25 max)", "routing_loop", At.END),
    _no("n5@cut.example", None, "connection_failed", words="lost connection with"),
    _no("n6@silent.example", "", "connection_failed", At.GREETING, words="timed out while receiving the initial"),
    # what Postfix says without any server
    Case("p1@refused.example", (), "connection_failed", route="smtp:[127.0.0.1]:1", words="Connection refused"),
    Case("p2@loop.example", (), "routing_loop", route="smtp:[127.0.0.1]:{own}", words="too many hops"),
    Case("nobody.here@local.example.jp", (), "user_unknown", is_hard=True, is_suppressed=True, route="local:",
         words='unknown user: "nobody.here"'),
    Case("p4@tls.example", (ACCEPT,), "tls_required", route="tls:[127.0.0.1]:{sink}",
         words="TLS is required, but was not offered"),
    Case("p5@size.example", (ACCEPT,), "message_too_large", features=("SIZE 20000",), body_lines=600,
         words="exceeds size limit 20000 of server"),
    Case("山彦@utf8.example", (ACCEPT,), "charset_unsupported", options=("SMTPUTF8",),
         words="SMTPUTF8 is required, but was not offered"),
    # reached
    Case("a1@taken.example", (ACCEPT,)),
    Case("a2@taken2.example", (ACCEPT,), notify=_ALL),
    Case("a3@grey2.example", (Turn(At.RCPT, "450 4.7.1 Greylisted"), ACCEPT), notify=_ALL),
    Case("a4@busy2.example", (Turn(At.GREETING, "421 4.3.2 Too busy, closing"), Turn(At.END, "421 4.3.0 Later"),
         ACCEPT), notify=_ALL),
    Case("a5@slow.example", (Turn(At.RCPT, "451 4.7.0 Try later"),) * 3 + (ACCEPT,), notify=_ALL),
    Case("a6@slow2.example", (Turn(At.RCPT, "451 4.7.0 Try later"),) * 3 + (ACCEPT,), stays_deferred=True),
    Case("a7@never.example", (ACCEPT,), notify="NEVER"),
)  # fmt: skip
_BY_NAME = {case.address: case for case in _CASES}


@dataclass
class Played:
    """All that is left of the mailing when Postfix has nothing more to do."""

    yamabiko: world.Yamabiko
    hosts: dict[str, sink.Host]
    deliveries: dict[str, dict[str, Any]]
    answers: dict[str, dict[str, Any]]
    numbers: dict[str, Any]
    suppressions: dict[str, dict[str, Any]]
    log: str

    def mailbox(self, case: Case) -> sink.Mailbox | None:
        """Return the script's side of a case."""
        host = self.hosts.get(case.domain)
        return host.mailboxes[case.address] if host else None


def _no_such_host() -> Case | None:
    """Return the case of a host that cannot be found, as this machine's resolver tells it; None if it cannot say."""
    began = time.monotonic()
    try:
        socket.getaddrinfo("no-such-host.invalid", 25)
    except socket.gaierror as error:
        if time.monotonic() - began > 1:
            return None
        cause = "host_unknown" if error.errno == socket.EAI_NONAME else "dns_temp_failure"
        is_gone = cause == "host_unknown"
        return Case("p6@nohost.example", (), cause, is_hard=is_gone, is_suppressed=is_gone,
                    route="smtp:[no-such-host.invalid]:25", words="no-such-host.invalid")  # fmt: skip
    return None


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Send everything once; the tests look at what came of it."""
    unresolved = _no_such_host()
    if unresolved is not None:
        _BY_NAME[unresolved.address] = unresolved
    cases = tuple(_BY_NAME.values())
    scripts: dict[str, dict[str, tuple[Turn, ...]]] = {}
    for case in cases:
        if case.turns:
            scripts.setdefault(case.domain, {})[case.address] = case.turns
    scripts["pair.example"] = {
        "one@pair.example": (ACCEPT,),
        "two@pair.example": (Turn(At.RCPT, "550 5.1.1 <two@pair.example>: User unknown"),),
        "three@pair.example": (Turn(At.RCPT, "550 5.1.1 <three@pair.example>: User unknown"),),
        "four@pair.example": (Turn(At.RCPT, "552 5.2.2 <four@pair.example>: Mailbox full"),),
    }
    features = {case.domain: case.features for case in cases if case.features is not None}
    home = tmp_path_factory.mktemp("interop") / "home"
    began = time.monotonic()
    with world.running(home) as yamabiko, sink.answering(scripts, features) as hosts:
        routes = {world.RETURN_PATH_DOMAIN: f"smtp:[127.0.0.1]:{yamabiko.server.address('smtp')[1]}"}
        for case in cases:
            port = str(hosts[case.domain].port) if case.domain in hosts else ""
            routes[case.domain] = (case.route or "smtp:[127.0.0.1]:{sink}").replace("{sink}", port)
        routes["pair.example"] = f"smtp:[127.0.0.1]:{hosts['pair.example'].port}"
        with postfix.running(_SETTINGS, routes) as mta:
            addresses = [*(case.address for case in cases), "one@pair.example", "three@pair.example"]
            answers = dict(zip(addresses, yamabiko.list_people(_BROADCAST, addresses), strict=True))
            for case in cases:
                _send(mta, answers[case.address], [case.address], case)
            # One return path and two recipients (A19, A20): what happens to the other one is not ours to count.
            _send(mta, answers["one@pair.example"], ["one@pair.example", "two@pair.example"])
            _send(mta, answers["three@pair.example"], ["three@pair.example", "four@pair.example"])
            # Reports are coming in: those that meet nobody, or lose their answer, Postfix sends again.
            yamabiko.kill_worker("smtp")
            _wait_until_idle(mta)
            log = mta.log
        numbers = yamabiko.numbers(_BROADCAST)
        deliveries = {a: yamabiko.delivery(_BROADCAST, answer["recipient"]) for a, answer in answers.items()}
        print(f"a real Postfix: {len(answers)} mails, {time.monotonic() - began:.1f} s")
        result = Played(yamabiko, hosts, deliveries, answers, numbers, yamabiko.suppressions(), log)
        _print_table(result)
        yield result


def _send(mta: postfix.Postfix, answer: dict[str, Any], to: list[str], case: Case | None = None) -> None:
    lines = ["From: Shop <news@shop.example>", f"To: <{to[0]}>", "Subject: Spring sale", "MIME-Version: 1.0"]
    lines += [f"Message-ID: <{answer['recipient']}@shop.example>", "Content-Type: text/plain; charset=utf-8", ""]
    lines[-1:-1] = [f"{name}: {value}" for name, value in answer["headers"].items()]
    # A trap: what the mail itself says must never be taken for the reason.
    lines += ["550 5.7.1 spam, mailbox full, user unknown: our offers"] * (case.body_lines if case else 1)
    content = "\r\n".join(lines).encode() + b"\r\n"
    notify = case.notify if case else ""
    envid = answer["envid"] if notify else ""
    mta.send(answer["return_path"], to, content, notify=notify, envid=envid, options=case.options if case else ())


def _wait_until_idle(mta: postfix.Postfix) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while mails := mta.queue():
        assert time.monotonic() < deadline, f"still in the queue: {mails}\n{mta.log[-3000:]}"
        time.sleep(0.3)


def _print_table(played: Played) -> None:
    for address, delivery in played.deliveries.items():
        found = delivery["cause"] or f"{delivery['state']} {delivery['evidence'] or ''}"
        print(f"{address:28} {found:24} {(delivery['diagnostic'] or '')[:150]}")


def _says(text: str, words: str) -> bool:
    """Whether ``words`` are in ``text``, however the lines were broken."""
    return " ".join(words.split()) in " ".join(text.split())


def test_causes(played: Played) -> None:
    wrong = {
        address: (played.deliveries[address]["diagnostic"], "expected", case.cause, "got", found)
        for address, case in _BY_NAME.items()
        if (found := played.deliveries[address]["cause"]) != case.cause
    }
    assert not wrong, "\n".join(f"{address}: {words}" for address, words in wrong.items())


def test_states_and_evidence(played: Played) -> None:
    for address, case in _BY_NAME.items():
        delivery = played.deliveries[address]
        if case.cause is not None:
            wanted: tuple[str, str | None] = ("undelivered", None)
        elif case.stays_deferred:
            wanted = ("deferred", None)
        elif "SUCCESS" in case.notify:
            wanted = ("reached", "dsn_relayed")
        else:
            # Nobody says anything: the report assumes that it reached.
            wanted = ("planned", None)
        assert (delivery["state"], delivery["evidence"]) == wanted, (address, delivery)


def test_numbers_equal_the_truth(played: Played) -> None:
    numbers, cases = played.numbers, list(_BY_NAME.values())
    # Of the pairs: one@ was taken, but the report of two@ counts against it (A20); three@ was refused.
    pair_causes = Counter({"user_unknown": 2})
    causes = Counter(case.cause for case in cases if case.cause) + pair_causes
    assert Counter(numbers["causes"]) == causes
    assert numbers["listed"] == numbers["targeted"] == len(cases) + 2
    assert numbers["undelivered"] == causes.total()
    assert numbers["channels"] == {"out_of_band": causes.total()}
    assert numbers["hard"] == sum(case.is_hard for case in cases) + 2
    assert numbers["soft"] == numbers["undelivered"] - numbers["hard"]
    assert numbers["deferred"] == numbers["in_flight"] == sum(case.stays_deferred for case in cases)
    relayed = sum("SUCCESS" in case.notify for case in cases)
    assumed = sum(case.cause is None and not case.stays_deferred for case in cases) - relayed
    assert numbers["evidence"] == {"accepted": 0, "dsn_relayed": relayed, "engaged": 0, "assumed": assumed}
    assert numbers["reached"] == relayed + assumed
    assert sum(numbers["reasons"].values()) == sum(numbers["sansan"].values()) == numbers["undelivered"]


def test_the_servers_were_really_asked(played: Played) -> None:
    """What the report says happened, happened: every mail was tried, and taken only where the script says so."""
    for case in _BY_NAME.values():
        mailbox = played.mailbox(case)
        if mailbox is None:
            continue
        is_taken = case.cause is None
        assert len(mailbox.taken) == is_taken, (case.address, mailbox)
        if case.words and case.turns == (ACCEPT,):
            continue
        assert len(mailbox.said) >= (3 if case.expires else len(case.turns)), (case.address, mailbox.said)
        if is_taken:
            reverse_path, content = mailbox.taken[0]
            answer = played.answers[case.address]
            assert reverse_path == answer["return_path"]
            for name, value in answer["headers"].items():
                assert f"{name}: {value}".encode() in re.sub(rb"\r\n[ \t]+", b" ", content), (name, content)


def test_timelines_show_the_servers_own_words(played: Played) -> None:
    for address, case in _BY_NAME.items():
        if case.cause is None:
            continue
        events = played.deliveries[address]["events"]
        failed = [event for event in events if event["type"] == "failed"]
        assert len(failed) == 1, (address, events)
        shown = failed[0]["detail"]["diagnostic"]
        mailbox = played.mailbox(case)
        lines = [case.words] if case.words or mailbox is None else mailbox.said[-1].split("\n")
        assert all(_says(shown, line.partition("-")[2] if line[3:4] == "-" else line) for line in lines), (
            address,
            shown,
            lines,
        )


def test_a_mail_that_waits_is_shown_as_deferred_first(played: Played) -> None:
    for address, case in _BY_NAME.items():
        types = [event["type"] for event in played.deliveries[address]["events"]]
        if case.expires and case.cause:
            assert types == ["planned", "deferred", "failed"], (address, types)
    assert [e["type"] for e in played.deliveries["a5@slow.example"]["events"]] == ["planned", "deferred", "relayed"]


def test_suppression_list(played: Played) -> None:
    wanted = {f"{case.address} bounce" for case in _BY_NAME.values() if case.is_suppressed}
    wanted.add("three@pair.example bounce")
    assert set(played.suppressions) == wanted
    assert all(row["failures"] <= 1 for row in played.suppressions.values())


def test_a_return_path_for_two_recipients(played: Played) -> None:
    """A20: one@ was taken; the report is about two@, so it counts but suppresses nobody. A19: three@'s own block."""
    one, three = played.deliveries["one@pair.example"], played.deliveries["three@pair.example"]
    failed = next(event["detail"] for event in one["events"] if event["type"] == "failed")
    assert (one["state"], one["cause"]) == ("undelivered", "user_unknown")
    assert (failed["trust"], failed["address"]) == ("count", "two@pair.example")
    assert failed["confidence"] == 0.5
    assert (three["cause"], three["state"]) == ("user_unknown", "undelivered")
    assert len([event for event in three["events"] if event["type"] == "failed"]) == 1


def test_postfix_has_lost_nothing(played: Played) -> None:
    assert not re.findall(r"\]: (?:fatal|panic|error): .*", played.log)
    reports = Counter(re.findall(r"to=<\S+@bounce\.example\.jp>.* status=(\S+)", played.log))
    assert set(reports) <= {"sent", "deferred"}
    # Each became exactly one fact, and none of them was unmatched.
    events = Counter(event["type"] for delivery in played.deliveries.values() for event in delivery["events"])
    assert events.total() - events["planned"] == reports["sent"]
    assert "unmatched" not in played.yamabiko.facts()
