"""The TLS context of the listener (S30): opportunistic, TLS 1.2 and later, no session tickets."""

from __future__ import annotations

import ssl
from pathlib import Path


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
