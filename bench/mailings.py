"""Reports as servers send them, of about 4 kB, each about another delivery of ours."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.errors import BenchError
from bench.ours import BROADCAST, TENANT
from model.mint import Mint
from yamabiko.demo import mails
from yamabiko.demo.mails import Original
from yamabiko.demo.world import Failure, build_world

_DOMAINS = ("example.jp", "mail.example.com", "example.org", "post.example.net", "corp.example.co.jp")
_SIGNATURE = "\r\n\t".join("Zm9yIGEgYmVuY2htYXJrIG9ubHkgbm90IGEgcmVhbCBzaWduYXR1cmUgYXQgYWxsIQ==" for _ in range(5))
# What a mailing picks up on its way, and what reports therefore return.
_ON_THE_WAY = (
    ("Received", "from out.shop.example (out.shop.example [192.0.2.25])\r\n\tby mx.relay.example (Postfix) with ESMTPS"
     " id 4VfX2k3Jz9z1q\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))"
     "\r\n\tfor <user@example.jp>; Wed,  1 Apr 2026 09:00:03 +0900 (JST)"),
    ("Received", "by out.shop.example (Postfix, from userid 1001)\r\n\tid 9C2D11A0B7; Wed,  1 Apr 2026 09:00:02 +0900"),
    ("Received", "from app-07.shop.example (app-07.shop.example [10.1.7.22])\r\n\tby out.shop.example (Postfix) with"
     " ESMTP id 7F31A1A0B2;\r\n\tWed,  1 Apr 2026 09:00:01 +0900 (JST)"),
    ("DKIM-Signature", "v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=k1;\r\n\tt=1775001602; h=from:to:"
     "subject:date:message-id:list-unsubscribe:list-unsubscribe-post;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3h"
     f"SuFU=;\r\n\tb={_SIGNATURE}"),
    ("ARC-Seal", f"i=1; a=rsa-sha256; t=1775001603; cv=none; d=relay.example; s=arc;\r\n\tb={_SIGNATURE}"),
    ("ARC-Authentication-Results", "i=1; mx.relay.example; dkim=pass header.i=@shop.example header.s=k1;\r\n\tspf=pass"
     " (relay.example: domain of shop.example designates 192.0.2.25\r\n\tas permitted sender)"
     " smtp.mailfrom=shop.example; dmarc=pass (p=REJECT) header.from=shop.example"),
    ("Reply-To", "Shop <support@shop.example>"),
    ("List-Id", "Spring mailing <spring-sale.shop.example>"),
    ("X-Mailer", "Shop Mailing System 4.2"),
    ("X-Report-Abuse", "Please report abuse to abuse@shop.example with all headers"),
    ("Feedback-ID", "spring-sale:shop:news:example"),
)  # fmt: skip


def address_of(number: int) -> str:
    """Return the address of recipient ``number``; mails, visits and listings agree on it."""
    return f"user{number}@{_DOMAINS[number % len(_DOMAINS)]}"


def write_mails(path: Path, mint: Mint, *, day: int, first: int, count: int) -> float:
    """Write reports on deliveries number ``first`` and on, as smtp_load.c reads them; returns their mean octets."""
    octets = 0
    with path.open("wb") as file:
        file.write(struct.pack("=I", count))
        for recipient, body in islice(_reports(mint, day, first), count):
            file.write(struct.pack("=II", len(recipient), len(body)) + recipient + body)
            octets += len(body)
    return octets / count


def first_mails(path: Path, target: Path, count: int) -> Path:
    """Write the first ``count`` mails of a file to another one; returns it. Raises BenchError when there are fewer."""
    with path.open("rb") as source, target.open("wb") as file:
        (available,) = struct.unpack("=I", source.read(4))
        if available < count:
            raise BenchError(f"{count} mails wanted, {available} there")
        file.write(struct.pack("=I", count))
        for _ in range(count):
            sizes = source.read(8)
            file.write(sizes + source.read(sum(struct.unpack("=II", sizes))))
    return target


def _reports(mint: Mint, day: int, first: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield return path and report, its shape and cause another one each time."""
    failures = _failures()
    number = first
    while True:
        address = address_of(number)
        mail = mint.mail(tenant=TENANT, broadcast_id=BROADCAST, address=address, day=day)
        original = Original(address, mail.return_path, (*_ON_THE_WAY, *mail.headers().items()))
        report = mails.bounce(original, failures[number % len(failures)])
        yield original.return_path.encode("ascii"), _transparent(report)
        number += 1


def _failures() -> list[Failure]:
    """Return the failures of the demo's world, in as many copies as their shares."""
    return [person.scenario.failure for person in build_world(1).people if person.scenario.failure]


def _transparent(content: bytes) -> bytes:
    """Return what is sent after DATA (RFC 5321 4.5.2)."""
    content = content.removesuffix(b"\r\n").replace(b"\r\n.", b"\r\n..")
    return (b"." if content.startswith(b".") else b"") + content + b"\r\n.\r\n"
