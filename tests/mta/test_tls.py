"""Certificates of the listener: when they end is told in good time, and no reason to stop (S30)."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from mta.tls import certificate_end, certificate_problem, load_tls_context

pytestmark = pytest.mark.system("openssl")
_DAY_S = 86_400


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def issue(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate of an authority of our own, with its chain, and its key."""
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=authority", "-days", "400",
            "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip
    openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mx.example.jp",
            "-keyout", "key.pem", "-out", "request.pem")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", str(days), "-out", "leaf.pem")  # fmt: skip
    chain = folder / "cert.pem"
    chain.write_bytes((folder / "leaf.pem").read_bytes() + (folder / "ca.pem").read_bytes())
    return chain, folder / "key.pem"


def test_the_end_of_the_shown_certificate_is_read_and_not_its_authoritys(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, 90)
    context = load_tls_context(certificate, key)
    assert certificate_end(context, certificate) == pytest.approx(time.time() + 90 * _DAY_S, abs=60)


_ENDS, _ENDED = "the certificate ends on ", "the certificate ended on "


@pytest.mark.parametrize(("later_days", "words"), [(0, ""), (75, ""), (77, _ENDS), (89.9, _ENDS), (91, _ENDED)])
def test_it_is_told_two_weeks_before_and_afterwards(later_days: float, words: str, tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, 90)
    context = load_tls_context(certificate, key)
    told = certificate_problem(context, certificate, time.time() + later_days * _DAY_S)
    assert told.startswith(words) and bool(told) == bool(words)


def test_one_that_has_ended_is_read_too(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, 0)
    time.sleep(1.1)
    context = load_tls_context(certificate, key)
    assert certificate_problem(context, certificate, time.time()).startswith("the certificate ended on ")


def test_a_file_that_does_not_fit_what_is_shown_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, 90)
    context = load_tls_context(certificate, key)
    other = tmp_path / "other"
    other.mkdir()
    stranger, _ = issue(other, 90)
    assert certificate_problem(context, stranger, time.time()).startswith("it cannot be told")
    assert certificate_problem(context, tmp_path / "gone.pem", time.time()).startswith("it cannot be told")
