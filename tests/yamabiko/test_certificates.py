"""A certificate that soon ends is told of by a running server, which goes on, until a new one is there (S30)."""

from __future__ import annotations

import signal
import smtplib
import ssl
from pathlib import Path

import pytest

from tests.mta.test_tls import issue
from tests.yamabiko.serving import LEAN, Server, wait_for


@pytest.mark.system("openssl")
def test_an_alarm_and_no_stop_until_it_is_renewed(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, 5)
    files = {"YAMABIKO_SMTP_TLS_CERTIFICATE": str(certificate), "YAMABIKO_SMTP_TLS_KEY": str(key)}
    server = Server(tmp_path / "home", **LEAN, **files).start()
    try:
        wait_for(lambda: "the certificate ends on" in words_of(server), 5, server.log_text)
        assert any("the certificate ends on" in str(line.get("problem")) for line in server.log_lines())
        say_hello(server)
        issue(tmp_path, 200)
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: words_of(server) == "", 5, server.log_text)
        say_hello(server)
    finally:
        server.stop()


def words_of(server: Server) -> str:
    """What the health says of the certificate, with which it answers 200 in any case."""
    assert server.get("/healthz")[0] == 200
    return server.health().get("certificate", "")


def say_hello(server: Server) -> None:
    """Go over to TLS, as a sender does that does not verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as client:
        assert client.starttls(context=context)[0] == 220
        assert client.ehlo()[0] == 250
