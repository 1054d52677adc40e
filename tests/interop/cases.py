"""What the receiving servers say to every MTA, and what the reports about it must mean. Read on both sides of the box.

Each case has a domain and a server of its own, so that no failure is remembered for another.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.interop.sink import ACCEPT, At, Turn

RETURN_PATH_DOMAIN = "bounce.example.jp"
#: the MTA's own name; mail to it is local
HOSTNAME = "out.shop.example"
PERMANENT, TRANSIENT = "permanent", "transient"


@dataclass(frozen=True)
class Case:
    """One mail: its recipients with what is said of each, and what the report must say."""

    name: str
    #: address -> what its attempts hear; the last turn stays
    turns: dict[str, tuple[Turn, ...]]
    #: address -> cause, permanence, SMTP command ("" where nobody was asked); the others were reached
    expected: dict[str, tuple[str, str, str]]
    #: how the domain is found: "mx", "refused" (nobody listens), "none" (no such domain), "null" (RFC 7505),
    #: "lost" (its MX has no address), "broken" (its DNS fails), "local" (ours)
    dns: str = "mx"
    #: where its reports go
    reverse_path: str = ""

    @property
    def domain(self) -> str:
        return next(iter(self.turns)).rpartition("@")[2]


def _says(
    name: str, reply: str | None, cause: str, permanence: str, at: At = At.RCPT, domain: str = "", dns: str = "mx"
) -> Case:
    address = f"{name}@{domain or name + '.example'}"
    path = f"b-{name}-7f3a@{RETURN_PATH_DOMAIN}"
    command = {At.GREETING: "CONN", At.MAIL: "MAIL", At.RCPT: "RCPT", At.END: "DATA"}[at] if reply else ""
    return Case(name, {address: (Turn(at, reply),)}, {address: (cause, permanence, command)}, dns, path)


_GMAIL = (
    "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
    "550-5.1.1 double-checking the recipient's email address for typos or\n"
    "550 5.1.1 unnecessary spaces. z9-20020a170902ccc900b - gsmtp"
)
_UNAUTHENTICATED = (
    "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
    "550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n"
    "550 5.7.26 For instructions, go to https://support.google.com/mail/answer/81126"
)
_ZEN = (
    "554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using zen.spamhaus.org; "
    "https://www.spamhaus.org/query/ip/203.0.113.9"
)

CASES = (
    # the recipient's
    _says("unknown", "550 5.1.1 <unknown@unknown.example>: Recipient address rejected: User unknown in virtual mailbox "
          "table", "user_unknown", PERMANENT),
    _says("bare", "550 No such user here", "user_unknown", PERMANENT),
    _says("gmail", _GMAIL, "user_unknown", PERMANENT),
    _says("denied", "550 5.4.1 Recipient address rejected: Access denied. "
          "[TY1PEPF0000A1.apcprd01.prod.outlook.com 2026-04-01T00:00:00.000Z 08DC]", "user_unknown", PERMANENT),
    _says("exchange", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient exchange@exchange.example not found by "
          "SMTP address lookup", "user_unknown", PERMANENT, At.END),
    _says("nihongo", "550 宛先のメールアドレスは存在しません", "user_unknown", PERMANENT),
    _says("carrier", "550 Unknown user carrier@docomo.ne.jp", "recipient_filtered", PERMANENT, At.END,
          domain="docomo.ne.jp"),
    _says("carrier2", "550 Unknown user carrier2@docomo.ne.jp", "user_unknown", PERMANENT, domain="docomo.ne.jp"),
    _says("closed", "550 5.2.1 The email account that you tried to reach is disabled.", "mailbox_disabled", PERMANENT),
    _says("full", "552 5.2.2 The email account that you tried to reach is over quota", "mailbox_full", TRANSIENT),
    _says("full4", "452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to "
          "clear it", "mailbox_full", TRANSIENT),
    # ours
    _says("zen", _ZEN, "ip_blocklisted", TRANSIENT),
    _says("dmarc", _UNAUTHENTICATED, "auth_failed", TRANSIENT, At.END),
    _says("size", "552 5.3.4 Message size exceeds fixed limit", "message_too_large", PERMANENT, At.END),
    _says("relay", "550 5.7.1 <relay@relay.example>... Relaying denied", "relay_denied", PERMANENT),
    _says("spam", "550 5.7.1 Message rejected as spam by Content Filtering.", "spam_content", PERMANENT, At.END),
    _says("sender", "550 5.7.1 <news@shop.example>: Sender address rejected: Access denied",
          "sender_rejected", PERMANENT, At.MAIL),
    _says("banner", "554 5.7.1 You are not allowed to connect: 203.0.113.9 is listed in bl.spamcop.net",
          "ip_blocklisted", TRANSIENT, At.GREETING),
    # the way there
    _says("grey", "451 4.7.1 <grey@grey.example>: Recipient address rejected: Greylisted, please try again in 300 "
          "seconds", "greylisted", TRANSIENT),
    _says("busy", "421 4.3.2 Service not available, too busy, closing transmission channel", "server_not_accepting",
          TRANSIENT, At.GREETING),
    _says("disk", "452 4.3.1 Insufficient system storage", "system_full", TRANSIENT, At.END),
    _says("cut", None, "connection_failed", TRANSIENT, At.GREETING),
    _says("refused", None, "connection_failed", TRANSIENT, dns="refused"),
    _says("nowhere", None, "host_unknown", PERMANENT, dns="none"),
    _says("lost", None, "host_unknown", PERMANENT, dns="lost"),
    _says("null", None, "domain_no_mail", PERMANENT, dns="null"),
    _says("servfail", None, "dns_temp_failure", TRANSIENT, dns="broken"),
    # the MTA's own mailboxes
    _says("nobody.here", None, "user_unknown", PERMANENT, domain=HOSTNAME, dns="local"),
    # more than one recipient
    Case("pair", {"one@pair.example": (ACCEPT,), "two@pair.example": (Turn(At.RCPT, "550 5.1.1 No such user"),)},
         {"two@pair.example": ("user_unknown", PERMANENT, "RCPT")},
         reverse_path=f"b-pair-7f3a@{RETURN_PATH_DOMAIN}"),
    Case("both", {"three@both.example": (Turn(At.RCPT, "550 5.1.1 User unknown"),),
                  "four@both.example": (Turn(At.RCPT, "552 5.2.2 Mailbox full"),)},
         {"three@both.example": ("user_unknown", PERMANENT, "RCPT"),
          "four@both.example": ("mailbox_full", TRANSIENT, "RCPT")},
         reverse_path=f"b-both-7f3a@{RETURN_PATH_DOMAIN}"),
)  # fmt: skip
BY_NAME = {case.name: case for case in CASES}
