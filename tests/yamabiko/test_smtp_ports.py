"""The mail server's ports as an operator sets them: both families, and one for proxies (S29)."""

from __future__ import annotations

import contextlib
import smtplib
import socket
from pathlib import Path

import pytest

from tests.yamabiko.serving import LEAN, Server
from yamabiko.demo.ports import free_port


@pytest.mark.row("S29")
def test_both_families_and_a_port_for_proxies(tmp_path: Path) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    proxy_port = free_port("::")
    server = Server(
        tmp_path / "home", YAMABIKO_SMTP_HOST="::", YAMABIKO_SMTP_PROXY_PORT=str(proxy_port),
        YAMABIKO_SMTP_PROXY_NETWORKS="127.0.0.0/8", YAMABIKO_SMTP_SESSION_MESSAGES="1", **LEAN,
    ).start()  # fmt: skip
    row = server.send_row(address="p@example.jp")
    for host in ("127.0.0.1", "::1"):
        with smtplib.SMTP(host, server.port("smtp"), timeout=10) as client:
            assert client.ehlo("x")[0] == 250
    with socket.create_connection(("127.0.0.1", proxy_port), timeout=10) as proxy, proxy.makefile("rwb") as lines:
        lines.write(b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n")
        lines.flush()
        assert lines.readline().startswith(b"220 ")
        said = (
            b"EHLO x",
            b"MAIL FROM:<>",
            f"RCPT TO:<{row['return_path']}>".encode(),
            b"DATA",
            b"Subject: x\r\n\r\nx\r\n.",
        )
        for command, code in zip(said, (b"250 ", b"250 ", b"250 ", b"354 ", b"250 "), strict=True):
            lines.write(command + b"\r\n")
            lines.flush()
            while (line := lines.readline())[3:4] == b"-":
                pass
            assert line.startswith(code)
        lines.write(b"MAIL FROM:<>\r\n")  # session_messages is 1
        lines.flush()
        assert lines.readline().startswith(b"421 4.7.0")
    with socket.create_connection(("::1", proxy_port), timeout=10) as unlisted:
        unlisted.sendall(b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert unlisted.recv(100) == b""
    assert server.stop() == 0, server.log_text()[-3000:]
