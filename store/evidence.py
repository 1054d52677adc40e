"""What a fact says of a delivery, as an entry of its record."""

from __future__ import annotations

from model.address import domain_of
from model.cause import SPECS, Cause
from model.detail import Complained, Engaged, Excluded, Planned, Released, Report, Unsubscribed
from model.errors import AddressError
from model.fact import Fact, FactType
from store.answering import is_own_host, is_tencent_host
from store.messages import message_number
from store.record import Entry, domain_octets

#: Suppression kinds in RELEASED facts and in keys.
SUPPRESSION_KINDS = {"bounce": 1, "complaint": 2, "block": 3, "unsubscribe": 4, "soft": 5, "class": 6}

#: In the trust of a report's entry: all tenants that share bounces may know of it (E39).
SHARED = 0x80
#: In the same: a host of the recipient's own domain says that it takes no mail for it (A24).
OWN_HOST = 0x40
#: In the same: a host of Tencent's refused, whatever the domain (E41).
TENCENT_HOST = 0x20


def entry_of(fact: Fact, seq: int) -> Entry:
    """Return the entry of a fact stored as number ``seq``.

    ``extra`` by type: engaged (agent, link, links); report (channel, cause number, permanence 0 permanent 1 transient
    2 unknown, trust with SHARED, OWN_HOST and TENCENT_HOST, confidence in percent) and of a failure the number of
    its message; excluded (kind,); complained (form,); unsubscribed (via, reason, everything); released (suppression
    kind, from, until; 0 for all up to the time of the fact); others ().
    """
    detail = fact.detail
    if isinstance(detail, Engaged):
        return Entry(int(fact.type), fact.at_us, b"", (int(detail.agent), detail.link, detail.links), seq)
    extra: tuple[int, ...] = ()
    if isinstance(detail, Report):
        cause = SPECS[detail.cause].number if detail.cause else 0
        permanence = ("permanent", "transient", "unknown").index(detail.permanence.value)
        trust = int(detail.trust) | (SHARED if detail.global_mark else 0)
        trust |= OWN_HOST if detail.cause is Cause.RELAY_DENIED and is_own_host(detail) else 0
        is_failure = fact.type is FactType.FAILED
        trust |= TENCENT_HOST if is_failure and is_tencent_host(detail) else 0
        extra = (int(detail.channel), cause, permanence, trust, round(detail.confidence * 100))
        extra += (message_number(detail.diagnostic),) if is_failure else ()
    elif isinstance(detail, Excluded):
        extra = (int(detail.kind),)
    elif isinstance(detail, Complained):
        extra = (int(detail.via_form),)
    elif isinstance(detail, Unsubscribed):
        extra = (int(detail.via), int(detail.reason), int(detail.everything))
    elif isinstance(detail, Released):
        extra = (SUPPRESSION_KINDS[detail.suppression], detail.from_us, detail.until_us)
    return Entry(int(fact.type), fact.at_us, fact.id[:8], extra, seq)


def address_of(fact: Fact) -> tuple[str, bool] | None:
    """Return the address a fact gives for its recipient, and whether that is how the sender listed it."""
    detail = fact.detail
    if isinstance(detail, Planned):
        return detail.address, True
    if isinstance(detail, Report) and detail.address:
        return detail.address, False
    return None


def listed_domain(address: str) -> bytes:
    """Return the domain of a listed address, as ``Record.domain`` has it; empty where it has none."""
    try:
        return domain_octets(domain_of(address), is_listed=True)
    except AddressError:
        return b""
