"""Mails as servers write them: delivery reports (RFC 3464), complaints (RFC 5965), and others."""

from __future__ import annotations

from tests.mta.harness import VICTIM


def delivery_report(
    address: str = VICTIM,
    *,
    message_id: str = "<dsn.1@mx.example.org>",
    action: str = "failed",
    status: str = "5.1.1",
    text: str = "",
    original: str = "",
    final: str | None = None,
    extra_block: str = "",
    head: str = "",
) -> bytes:
    """Return a Postfix-like report on ``address``; ``original`` are header lines of the returned mail."""
    final_line = f"Final-Recipient: rfc822; {final or address}"
    reply = "550" if status.startswith("5") else "450" if status.startswith("4") else "250"
    return (
        (
            f"{head}From: MAILER-DAEMON@mx.example.org (Mail Delivery System)\nTo: sender@bounce.example.jp\n"
            f"Date: Wed, 01 Apr 2026 10:00:00 +0900\nMessage-ID: {message_id}\n"
            "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="BOUNDARY"\n\n'
            "--BOUNDARY\nContent-Type: text/plain\n\n"
            f"This is the mail system at host mx.example.org.\n\n"
            f"<{address}>: host mx said: {reply} {status} User unknown\n"
            f"{text}\n"
            "--BOUNDARY\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
            f"{final_line}\nOriginal-Recipient: rfc822;{address}\nAction: {action}\nStatus: {status}\n"
            f"Diagnostic-Code: smtp; {reply} {status} <{address}>: Recipient address rejected: User unknown\n"
            f"{extra_block}\n"
            "--BOUNDARY\nContent-Type: text/rfc822-headers\n\n"
            f"From: news@example.com\nTo: {address}\nSubject: Spring sale\n{original}\n--BOUNDARY--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


def complaint(
    *, feedback_type: str = "abuse", original: str = "", text: str = "", message_id: str = "<arf.1@fbl.example.org>"
) -> bytes:
    """Return a feedback report; ``original`` are header lines of the returned mail."""
    return (
        (
            f"From: <abuse@fbl.example.org>\nTo: fbl@bounce.example.jp\n"
            f"Date: Wed, 01 Apr 2026 10:00:00 +0900\nMessage-ID: {message_id}\n"
            "Subject: FW: Spring sale\nMIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=feedback-report; boundary="BOUNDARY"\n\n'
            f"--BOUNDARY\nContent-Type: text/plain\n\nThis is an email abuse report.\n{text}\n"
            "--BOUNDARY\nContent-Type: message/feedback-report\n\n"
            f"Feedback-Type: {feedback_type}\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n\n"
            "--BOUNDARY\nContent-Type: message/rfc822\n\n"
            f"From: news@example.com\nTo: redacted@example.org\nSubject: Spring sale\n"
            f"{original}\n\nBuy!\n--BOUNDARY--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


def plain(text: str = "hello", *, head: str = "") -> bytes:
    """Return a mail a person wrote."""
    return (
        (
            f"{head}From: Taro <taro@example.jp>\nTo: b@bounce.example.jp\nDate: Wed, 01 Apr 2026 10:00:00 +0900\n"
            f"Message-ID: <human.1@example.jp>\nSubject: Re: Spring sale\n\n{text}\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


def vacation() -> bytes:
    """Return an out-of-office reply with a code in its text (S28)."""
    return (
        (
            "From: Taro <taro@example.jp>\nTo: b@bounce.example.jp\nDate: Wed, 01 Apr 2026 10:00:00 +0900\n"
            "Message-ID: <ooo.1@example.jp>\nSubject: Automatic reply: Spring sale\nAuto-Submitted: auto-replied\n"
            "X-Auto-Response-Suppress: All\n\nI am out of office until 5.1.1 April.\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )
