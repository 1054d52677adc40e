"""Every database, every key layout and the format version; keys are spelled nowhere else.

Numbers in keys are big-endian, so that their order is the order of bytes.
"""

from __future__ import annotations

#: Raised by any change that an older Yamabiko would misread (D13).
FORMAT_VERSION = 4

# Databases. Primary: META, LOG, and the overflow counts in the records of deliveries. All else is folded from them.
#: names of single values -> value
META = b"meta"
#: seq of its first fact (8) -> checksummed chunk of facts
LOG = b"log"
#: delivery key (16) -> record, see store.record
DELIVERIES = b"deliveries"
#: number (8) -> records that changed lately and are not in DELIVERIES yet, see store.records
RECENT = b"recent"
#: delivery key (16) -> record, of test sends, which touch nothing else (K02)
TEST_DELIVERIES = b"test_deliveries"
#: tenant (2), broadcast (6), scope -> msgpack map of counts
COUNTERS = b"counters"
#: tenant (2), broadcast (6) -> msgpack map of its description
BROADCASTS = b"broadcasts"
#: tenant (2), seq of its first fact (8), broadcast (6) -> empty
BROADCAST_ORDER = b"broadcast_order"
#: tenant (2), recipient (8), broadcast (6) -> empty: who was mailed what
MAILED = b"mailed"
#: tenant (2), recipient (8), kind (1), broadcast (6) -> see store.suppression
SUPPRESSED = b"suppressed"
#: tenant (2), domain, zero, recipient (8) -> when the host was not found; what SUPPRESSED says, by domain
DEAD_HOSTS = b"dead_hosts"
#: mark of an address (16), tenant (2), recipient (8) -> when and how often no such address was heard (E39)
GLOBAL_BOUNCES = b"global_bounces"
#: tenant (2), recipient (8) -> broadcast (6) in which it failed first (K29)
FIRST_FAILED = b"first_failed"
#: tenant (2), broadcast (6), list (1), seq (8) -> recipient (8): in the order they came on it, see store.lists
LISTS = b"lists"
#: tenant (2), broadcast (6), seq of the failure (8) -> recipient (8): errors in the order they came (R22)
ERRORS = b"errors"
#: tenant (2), broadcast (6), page (4) -> who was mailed, in the order listed, see store.roster
ROSTER = b"roster"
#: tenant (2), kind, zero, name -> see store.documents
DOCUMENTS = b"documents"
#: tenant (2), seq (8) -> empty: what people did
AUDIT = b"audit"
#: tenant (2), seq (8) -> empty: mails without proof
UNMATCHED = b"unmatched"
#: fact id (16) -> seq (8), for facts that belong to no delivery
SEEN = b"seen"

#: What ``rebuild`` folds anew and ``verify`` compares; RECENT with DELIVERIES.
DERIVED = (
    DELIVERIES,
    TEST_DELIVERIES,
    COUNTERS,
    BROADCASTS,
    BROADCAST_ORDER,
    MAILED,
    SUPPRESSED,
    DEAD_HOSTS,
    GLOBAL_BOUNCES,
    FIRST_FAILED,
    LISTS,
    ERRORS,
    ROSTER,
    DOCUMENTS,
    AUDIT,
    UNMATCHED,
    SEEN,
)
DATABASES = (META, LOG, RECENT, *DERIVED)

#: The octets of broadcast 0, in the key of what is said of a recipient wherever mailed.
NO_BROADCAST = bytes(6)

META_VERSION = b"format_version"
META_NEXT_SEQ = b"next_seq"

#: Scopes of COUNTERS: the broadcast as a whole, its test sends, one of its links, one receiving domain, one
#: message of failure, one cell of time, one family of programs, and (broadcast 0) a domain's failures in ten minutes.
SCOPE_ALL = b"a"
SCOPE_TEST = b"t"
SCOPE_LINK = b"l"
SCOPE_DOMAIN = b"d"
SCOPE_MESSAGE = b"m"
SCOPE_CELL = b"w"
SCOPE_AGENT = b"u"
SCOPE_FAILURES = b"f"


def seq_key(seq: int) -> bytes:
    """Return the key of a log chunk that begins with fact ``seq``."""
    return seq.to_bytes(8, "big")


def recent_key(number: int) -> bytes:
    """Return the key of a row of RECENT."""
    return number.to_bytes(8, "big")


def tenant_key(tenant: int) -> bytes:
    """Return the 2 octets that begin all keys of a tenant."""
    return tenant.to_bytes(2, "big")


def broadcast_key(tenant: int, broadcast: int) -> bytes:
    """Return the 8 octets of a broadcast; also the prefix of its deliveries and counters."""
    return tenant.to_bytes(2, "big") + broadcast.to_bytes(6, "big")


def recipient_prefix(tenant: int, recipient: int) -> bytes:
    """Return the 10 octets that begin a recipient's keys in MAILED and SUPPRESSED."""
    return tenant.to_bytes(2, "big") + recipient.to_bytes(8, "big")


def mailed_place(place: bytes) -> bytes:
    """Return the MAILED key of the delivery with key ``place``."""
    return place[:2] + place[8:] + place[2:8]


def suppressed_key(tenant: int, recipient: int, kind: int, broadcast: int) -> bytes:
    """Return the SUPPRESSED key of one entry; ``broadcast`` 0 where the kind does not depend on one."""
    return recipient_prefix(tenant, recipient) + bytes((kind,)) + broadcast.to_bytes(6, "big")


def dead_host_prefix(tenant: int, domain: str) -> bytes:
    """Return what begins the DEAD_HOSTS keys of a domain."""
    return tenant_key(tenant) + domain.encode("ascii", "replace") + b"\0"


def global_bounce_key(mark: bytes, tenant: int, recipient: int) -> bytes:
    """Return the GLOBAL_BOUNCES key of one tenant's word on the address with this mark."""
    return mark + recipient_prefix(tenant, recipient)


def link_scope(link: int) -> bytes:
    """Return the COUNTERS scope of a link, by its number in the mail."""
    return SCOPE_LINK + link.to_bytes(2, "big")


def domain_scope(domain: str) -> bytes:
    """Return the COUNTERS scope of a receiving domain."""
    return SCOPE_DOMAIN + domain.encode("ascii", "replace")


def message_scope(cause: int, message: int) -> bytes:
    """Return the COUNTERS scope of a normalised message of failure, by cause and the hash of its words (K20)."""
    return SCOPE_MESSAGE + bytes((cause,)) + message.to_bytes(8, "big")


def cell_scope(done: int, at: int) -> bytes:
    """Return the COUNTERS scope of what happened in quarter ``at`` to deliveries done in quarter ``done``.

    Quarters of an hour since 1970-01-01 UTC; ``at`` 0 is what holds of the deliveries whatever happened when.
    """
    return SCOPE_CELL + done.to_bytes(4, "big") + at.to_bytes(4, "big")


def test_scope(done: int) -> bytes:
    """Return the COUNTERS scope of test sends done in one quarter of an hour."""
    return SCOPE_TEST + done.to_bytes(4, "big")


def failures_scope(domain: str, window: int) -> bytes:
    """Return the COUNTERS scope, under broadcast 0, of a domain's failures in one span of ten minutes."""
    return SCOPE_FAILURES + domain.encode("ascii", "replace") + b"\0" + window.to_bytes(4, "big")


def list_key(broadcast: bytes, which: int, seq: int) -> bytes:
    """Return a LISTS key of the broadcast with the 8 octets ``broadcast``."""
    return broadcast + bytes((which,)) + seq.to_bytes(8, "big")


def page_key(broadcast: bytes, page: int) -> bytes:
    """Return the ROSTER key of a page of the broadcast with the 8 octets ``broadcast``."""
    return broadcast + page.to_bytes(4, "big")


def document_key(tenant: int, kind: str, name: str = "") -> bytes:
    """Return the DOCUMENTS key; without a name the prefix of all of its kind."""
    return tenant_key(tenant) + kind.encode() + b"\0" + name.encode()


def tenant_seq_key(tenant: int, seq: int) -> bytes:
    """Return a key of BROADCAST_ORDER, AUDIT or UNMATCHED."""
    return tenant.to_bytes(2, "big") + seq.to_bytes(8, "big")
