"""Which host refused a mail, as its report tells: whose rules hold where a provider hosts other domains (A24, E41).

No look-up is made: a mail that was refused names who refused it.
"""

from __future__ import annotations

import re

from model.detail import Report
from model.provider import provider_of

#: As Postfix, Exim and others tell who said what follows: "host mx3.qq.com[203.0.113.4] said: 550 ...".
_NAMED = re.compile(r"\bhost ([a-z0-9.-]{1,253}\.[a-z]{2,63})\.? ?[\[(]", re.IGNORECASE)
_TENCENT = "Tencent"


def answering_host(report: Report) -> str:
    """Return the name of the host that refused, lower case; empty if nobody says.

    That is the remote one. Without it the one that the words name; without that the one that reports: a provider that
    took the mail and returned it later. A relay that reports what others said names them.
    """
    if report.remote_mta:
        return _bare(report.remote_mta)
    named = _NAMED.search(report.diagnostic)
    return named[1].lower() if named else _bare(report.reporting_mta or "")


def is_own_host(report: Report) -> bool:
    """Whether a host of the recipient's own domain is named as the remote one."""
    domain = (report.address or "").rpartition("@")[2].rstrip(">").lower()
    host = _bare(report.remote_mta or "")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def is_tencent_domain(domain: str) -> bool:
    """Whether a receiving domain is one of Tencent's own (A-labels, lower case)."""
    return provider_of(domain) == _TENCENT


def is_tencent_host(report: Report) -> bool:
    """Whether a host of Tencent's refused: it hosts many domains under their own names (mission 4.5)."""
    host = answering_host(report)
    return bool(host) and provider_of(host) == _TENCENT


def _bare(said: str) -> str:
    # RFC 3464 2.3.5 writes "dns; host", logs "host[address]".
    return said.rpartition(";")[2].partition("[")[0].partition("(")[0].strip().rstrip(".").lower()
