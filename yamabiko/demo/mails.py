"""The mails a world sends back: reports in the shapes of several MTAs, automatic replies, complaints.

Every mail is built from what the original carried (its return path and our headers), as the real ones are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from hashlib import blake2b

from yamabiko.demo.world import Failure

_CRLF = "\r\n"


@dataclass(frozen=True, slots=True)
class Original:
    """What the lost mail looked like."""

    address: str
    return_path: str
    headers: tuple[tuple[str, str], ...]
    subject: str = "Spring sale"

    @property
    def domain(self) -> str:
        """The recipient's domain."""
        return self.address.rpartition("@")[2]

    def mark(self, purpose: str) -> str:
        """Return a short text that is the same for the same mail and purpose (boundaries, Message-IDs)."""
        return blake2b(f"{self.return_path} {purpose}".encode(), digest_size=9).hexdigest()

    def render_headers(self) -> str:
        """Return the header section a report returns (RFC 3462 text/rfc822-headers)."""
        lines = [f"Return-Path: <{self.return_path}>", "From: Shop <news@shop.example>", f"To: <{self.address}>"]
        lines += [f"Subject: {self.subject}", f"Message-ID: <{self.mark('original')}@shop.example>"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return _CRLF.join([*lines, "MIME-Version: 1.0", "Content-Type: text/html; charset=utf-8"]) + _CRLF


def bounce(original: Original, failure: Failure) -> bytes:
    """Return the report of ``failure`` in the shape it names."""
    text = failure.text.format(address=original.address, domain=original.domain)
    return _SHAPES[failure.shape](original, failure, text)


def delay(original: Original) -> bytes:
    """Return a delay warning: still being tried (RFC 3464 2.3.3)."""
    human = "This message has not been delivered yet. You do not need to resend it; delivery will be tried again."
    fields = [("Action", "delayed"), ("Status", "4.4.1"),
              ("Diagnostic-Code", f"X-Postfix; connect to mx.{original.domain}[192.0.2.90]:25: Connection refused"),
              ("Will-Retry-Until", _date(3))]  # fmt: skip
    return _report(original, "delay", "Delayed Mail (still being retried)", human, fields)


def success(original: Original) -> bytes:
    """Return a success report (RFC 3461 NOTIFY=SUCCESS): relayed to a server that sends no such reports."""
    human = "Your message was successfully delivered to the destination(s) listed below."
    fields = [
        ("Action", "relayed"),
        ("Status", "2.0.0"),
        ("Remote-MTA", f"dns; mx.{original.domain}"),
        ("Diagnostic-Code", "smtp; 250 2.0.0 Ok: queued"),
    ]
    return _report(original, "success", "Successful Mail Delivery Report", human, fields)


def vacation(original: Original) -> bytes:
    """Return an out-of-office reply (RFC 3834), in Japanese, with a misleading code in its text."""
    body = "お世話になっております。\r\n只今休暇中です。4月10日以降にご連絡いたします。\r\n"
    body += "(550 5.1.1 のエラーではありません)\r\n"
    head = [f"From: <{original.address}>", f"To: <{original.return_path}>",
            _encoded_subject("自動返信: 不在のお知らせ"),
            f"Message-ID: <{original.mark('vacation')}@{original.domain}>", f"Date: {_date()}",
            "Auto-Submitted: auto-replied", "Precedence: bulk", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=iso-2022-jp", "Content-Transfer-Encoding: 7bit"]  # fmt: skip
    return (_CRLF.join(head) + _CRLF * 2).encode("ascii") + body.encode("iso-2022-jp")


def complaint(original: Original, feedback_address: str, feedback_type: str = "abuse") -> bytes:
    """Return a feedback report (RFC 5965) with the recipient blanked out, as providers do."""
    boundary = f"=_{original.mark(feedback_type)}"
    redacted = original.render_headers().replace(f"<{original.address}>", "<redacted@example.invalid>")
    parts = [
        ("text/plain; charset=us-ascii", f"This is an email abuse report for a message received on {_date()}.\r\n"),
        ("message/feedback-report", f"Feedback-Type: {feedback_type}\r\nUser-Agent: ExampleFBL/1.0\r\nVersion: 1\r\n"
         "Original-Rcpt-To: <redacted@example.invalid>\r\nSource-IP: 192.0.2.25\r\n"),
        ("message/rfc822", redacted + _CRLF + "<p>...</p>\r\n"),
    ]  # fmt: skip
    head = ["From: <feedback@provider.example>", f"To: <{feedback_address}>", "Subject: FW: Spring sale"]
    return _multipart(head, f"{original.mark(feedback_type)}@provider.example", boundary, "feedback-report", parts)


def unsubscribe(address: str, unsubscribe_address: str) -> bytes:
    """Return the mail a client sends for ``List-Unsubscribe: <mailto:...>`` (RFC 2369 3.2)."""
    mark = blake2b(address.encode(), digest_size=8).hexdigest()
    head = [f"From: <{address}>", f"To: <{unsubscribe_address}>", "Subject: unsubscribe", f"Date: {_date()}",
            f"Message-ID: <u{mark}@client.example>", "Content-Type: text/plain; charset=us-ascii"]  # fmt: skip
    return (_CRLF.join(head) + _CRLF * 2 + "unsubscribe\r\n").encode("ascii")


def _postfix(original: Original, failure: Failure, text: str) -> bytes:
    human = (
        "This is the mail system at host out.shop.example.\r\n\r\n"
        "Your message could not be delivered to one or more\r\n"
        f"recipients. It's attached below.\r\n\r\n<{original.address}>: {text}\r\n"
    )
    kind = "X-Postfix" if not text[:3].isdigit() else "smtp"
    fields = [("Action", "failed"), ("Status", failure.status), ("Remote-MTA", f"dns; mx.{original.domain}"),
              ("Diagnostic-Code", f"{kind}; {text}")]  # fmt: skip
    return _report(original, "bounce", "Undelivered Mail Returned to Sender", human, fields)


def _sendmail(original: Original, failure: Failure, text: str) -> bytes:
    human = (
        f"The original message was received at {_date()}\r\nfrom out.shop.example [192.0.2.25]\r\n\r\n"
        f"   ----- The following addresses had permanent fatal errors -----\r\n<{original.address}>\r\n"
        f"    (reason: {text})\r\n\r\n   ----- Transcript of session follows -----\r\n"
        f"... while talking to mx.{original.domain}.:\r\n>>> DATA\r\n<<< {text}\r\n554 5.0.0 Service unavailable\r\n"
    )
    fields = [("Action", "failed"), ("Status", failure.status), ("Remote-MTA", f"DNS; mx.{original.domain}"),
              ("Diagnostic-Code", f"SMTP; {text}"), ("Last-Attempt-Date", _date())]  # fmt: skip
    return _report(original, "bounce", "Returned mail: see transcript for details", human, fields)


def _exchange(original: Original, failure: Failure, text: str) -> bytes:
    human = (
        "Delivery has failed to these recipients or groups:\r\n\r\n"
        f"{original.address}\r\nYour message wasn't delivered.\r\n\r\n"
        "Diagnostic information for administrators:\r\n\r\n"
        f"Generating server: TY0PR01.apcprd01.prod.outlook.example\r\n\r\n{original.address}\r\nRemote Server "
        f"returned '{text}'\r\n"
    )
    fields = [("Action", "failed"), ("Status", failure.status), ("Diagnostic-Code", f"smtp;{text}")]
    return _report(original, "bounce", "Undeliverable: Spring sale", human, fields)


def _gmail(original: Original, failure: Failure, text: str) -> bytes:
    human = (
        "** Message not delivered **\r\n\r\nYour message couldn't be delivered to "
        f"{original.address}.\r\n\r\nThe response from the remote server was:\r\n{text}\r\n"
    )
    fields = [("Action", "failed"), ("Status", failure.status),
              ("Remote-MTA", "dns; gmail-smtp-in.l.google.com. (192.0.2.27, the server for the domain.)"),
              ("Diagnostic-Code", f"smtp; {text}"), ("Last-Attempt-Date", _date())]  # fmt: skip
    return _report(original, "bounce", "Delivery Status Notification (Failure)", human, fields)


def _exim(original: Original, failure: Failure, text: str) -> bytes:
    body = (
        "This message was created automatically by mail delivery software.\r\n\r\n"
        "A message that you sent could not be delivered to one or more of its\r\nrecipients. "
        "This is a permanent error. The following address(es) failed:\r\n\r\n"
        f"  {original.address}\r\n    host mx.{original.domain} [192.0.2.81]\r\n"
        f"    SMTP error from remote mail server after RCPT TO:<{original.address}>:\r\n    {text}\r\n\r\n"
        "------ This is a copy of the message, including all the headers. ------\r\n\r\n"
    )
    head = [f"X-Failed-Recipients: {original.address}", "Auto-Submitted: auto-replied",
            "From: Mail Delivery System <Mailer-Daemon@out.shop.example>", f"To: {original.return_path}",
            "Subject: Mail delivery failed: returning message to sender",
            f"Message-ID: <{original.mark('bounce')}@out.shop.example>", f"Date: {_date()}"]  # fmt: skip
    quoted = original.render_headers() + _CRLF + "<p>550 5.7.1 is part of our offer</p>" + _CRLF
    return (_CRLF.join(head) + _CRLF * 2 + body + quoted).encode("utf-8")


def _qmail(original: Original, failure: Failure, text: str) -> bytes:
    body = (
        "Hi. This is the qmail-send program at out.shop.example.\r\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\r\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\r\n\r\n"
        f"<{original.address}>:\r\n{text}\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n"
    )
    head = ["From: MAILER-DAEMON@out.shop.example", f"To: {original.return_path}", "Subject: failure notice",
            f"Message-ID: <{original.mark('bounce')}@out.shop.example>", f"Date: {_date()}"]  # fmt: skip
    return (_CRLF.join(head) + _CRLF * 2 + body + original.render_headers()).encode("utf-8")


def _japanese(original: Original, failure: Failure, text: str) -> bytes:
    boundary = f"=_{original.mark('bounce')}"
    human = f"メールを配信できませんでした。\r\n\r\n宛先: {original.address}\r\n理由: {text}\r\n"
    status = f"Final-Recipient: rfc822; {original.address}\r\nAction: failed\r\nStatus: {failure.status}\r\n"
    head = ["From: postmaster@out.shop.example", f"To: {original.return_path}",
            _encoded_subject("配信できませんでした"),
            f"Message-ID: <{original.mark('bounce')}@out.shop.example>", f"Date: {_date()}", "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"']  # fmt: skip
    parts = [
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + human.encode("iso-2022-jp"),
        f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; out.shop.example\r\n\r\n{status}".encode(),
        f"Content-Type: text/rfc822-headers\r\n\r\n{original.render_headers()}".encode(),
    ]
    lines = _CRLF.join(head).encode("ascii") + b"\r\n\r\n"
    opening = f"--{boundary}\r\n".encode()
    return lines + b"".join(opening + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


_SHAPES = {
    "postfix": _postfix,
    "sendmail": _sendmail,
    "exchange": _exchange,
    "gmail": _gmail,
    "exim": _exim,
    "qmail": _qmail,
    "japanese": _japanese,
}


def _report(original: Original, purpose: str, subject: str, human: str, fields: list[tuple[str, str]]) -> bytes:
    """Return a multipart/report (RFC 3462) with one recipient block (RFC 3464 2.3)."""
    block = [("Final-Recipient", f"rfc822; {original.address}"), ("Original-Recipient", f"rfc822;{original.address}")]
    per_recipient = _CRLF.join(f"{name}: {value}" for name, value in [*block, *fields]) + _CRLF
    status = f"Reporting-MTA: dns; out.shop.example\r\nArrival-Date: {_date()}\r\n\r\n{per_recipient}"
    parts = [
        ("text/plain; charset=us-ascii", human),
        ("message/delivery-status", status),
        ("text/rfc822-headers", original.render_headers()),
    ]
    head = ["From: MAILER-DAEMON@out.shop.example (Mail Delivery System)", f"To: {original.return_path}",
            f"Subject: {subject}", "Auto-Submitted: auto-replied"]  # fmt: skip
    name = f"{original.mark(purpose)}@out.shop.example"
    return _multipart(head, name, f"=_{original.mark(purpose)}", "delivery-status", parts)


def _multipart(head: list[str], message_id: str, boundary: str, kind: str, parts: list[tuple[str, str]]) -> bytes:
    lines = [*head, f"Message-ID: <{message_id}>", f"Date: {_date()}", "MIME-Version: 1.0",
             f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"']  # fmt: skip
    body = "".join(f"--{boundary}\r\nContent-Type: {ctype}\r\n\r\n{text}\r\n" for ctype, text in parts)
    return (_CRLF.join(lines) + _CRLF * 2 + body + f"--{boundary}--\r\n").encode("utf-8")


def _encoded_subject(text: str) -> str:
    return f"Subject: {Header(text, 'iso-2022-jp').encode()}"


def _date(days: int = 0) -> str:
    """Return the start of this run, or some days later, as a mail date."""
    return format_datetime(_STARTED + timedelta(days=days))


_STARTED = datetime.now(UTC).replace(microsecond=0)


def unknown_user() -> Failure:
    """Return the most dangerous thing to forge: no such user."""
    return Failure("postfix", "user_unknown", "user_unknown", "5.1.1", "550 5.1.1 <{address}>: User unknown")
