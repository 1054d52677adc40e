"""The TLS context of the listener (S30): opportunistic, TLS 1.2 and later, no session tickets."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python has no name for: one that has ended is to be read too.
_NO_CHECK_TIME = 0x200000
#: So long before a certificate ends its operator is told. Those renewed by machine are a month before.
_TELL_BEFORE_S = 14 * 86_400


def load_tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server context with the chain in ``certificate`` and its private ``key``, both PEM.

    Tickets are off, since clients are known to fail on them and a bounce once a day gains nothing.
    Raises OSError or ssl.SSLError when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0
    context.load_cert_chain(certificate, key)
    return context


def certificate_end(context: ssl.SSLContext, certificate: Path) -> float:
    """Return when the certificate that ``context`` shows ends to be valid, as time.time() counts.

    ``certificate`` is the file it was loaded from. Python tells what a certificate says only to who verifies it, so a
    client that trusts this very file shakes hands with ``context`` in memory. Raises OSError or ssl.SSLError.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server)
    showing = context.wrap_bio(to_server, to_client, server_side=True)
    for one in (asking, showing, asking):
        with suppress(ssl.SSLWantReadError):
            one.do_handshake()
    found = asking.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(found["notAfter"])))


def certificate_problem(context: ssl.SSLContext, certificate: Path, now_s: float) -> str:
    """Return words where the certificate of ``context`` has ended or soon does, else an empty text (S30).

    Nobody stops because of it: a sender that does not verify is better off with an old certificate than with none.
    """
    try:
        end_s = certificate_end(context, certificate)
    except (OSError, ssl.SSLError) as error:
        return f"it cannot be told when the certificate ends: {error}"
    if end_s - now_s > _TELL_BEFORE_S:
        return ""
    day = datetime.fromtimestamp(end_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"the certificate ended on {day}" if end_s <= now_s else f"the certificate ends on {day}"
