"""Every database, every key layout and the format version; keys are spelled nowhere else.

Numbers in keys are big-endian, so that their order is the order of bytes.
"""

from __future__ import annotations

from model.fact import DeliveryKey

#: Raised by any change that an older Yamabiko would misread (D13).
FORMAT_VERSION = 1

# Databases. Primary: META, LOG, and the overflow counts inside DELIVERIES. All else is folded from them.
#: names of single values -> value
META = b"meta"
#: seq of its first fact (8) -> checksummed chunk of facts
LOG = b"log"
#: delivery key (16) -> record, see store.record
DELIVERIES = b"deliveries"
#: the same for test sends, which touch nothing else (K02)
TEST_DELIVERIES = b"test_deliveries"
#: tenant (2), broadcast (6), scope -> msgpack map of counts
COUNTERS = b"counters"
#: tenant (2), broadcast (6) -> msgpack map of its description
BROADCASTS = b"broadcasts"
#: tenant (2), seq of its first fact (8), broadcast (6) -> empty
BROADCAST_ORDER = b"broadcast_order"
#: tenant (2), recipient (8), broadcast (6) -> empty: who was mailed what
MAILED = b"mailed"
#: tenant (2), recipient (8), kind (1), broadcast (6) -> msgpack map, see store.suppression
SUPPRESSED = b"suppressed"
#: tenant (2), seq (8) -> empty: mails without proof
UNMATCHED = b"unmatched"
#: fact id (16) -> seq (8), for facts that belong to no delivery
SEEN = b"seen"

DATABASES = (
    META,
    LOG,
    DELIVERIES,
    TEST_DELIVERIES,
    COUNTERS,
    BROADCASTS,
    BROADCAST_ORDER,
    MAILED,
    SUPPRESSED,
    UNMATCHED,
    SEEN,
)
#: What ``rebuild`` folds anew and ``verify`` compares.
DERIVED = (
    DELIVERIES,
    TEST_DELIVERIES,
    COUNTERS,
    BROADCASTS,
    BROADCAST_ORDER,
    MAILED,
    SUPPRESSED,
    UNMATCHED,
    SEEN,
)

META_VERSION = b"format_version"
META_NEXT_SEQ = b"next_seq"

#: Scopes of COUNTERS: the broadcast as a whole, its test sends, one of its links.
SCOPE_ALL = b"a"
SCOPE_TEST = b"t"
SCOPE_LINK = b"l"


def seq_key(seq: int) -> bytes:
    """Return the key of a log chunk that begins with fact ``seq``."""
    return seq.to_bytes(8, "big")


def broadcast_key(tenant: int, broadcast: int) -> bytes:
    """Return the 8 octets of a broadcast; also the prefix of its deliveries and counters."""
    return tenant.to_bytes(2, "big") + broadcast.to_bytes(6, "big")


def recipient_prefix(tenant: int, recipient: int) -> bytes:
    """Return the 10 octets that begin a recipient's keys in MAILED and SUPPRESSED."""
    return tenant.to_bytes(2, "big") + recipient.to_bytes(8, "big")


def mailed_key(key: DeliveryKey) -> bytes:
    """Return the MAILED key of a delivery."""
    return recipient_prefix(key.tenant, key.recipient) + key.broadcast.to_bytes(6, "big")


def suppressed_key(tenant: int, recipient: int, kind: int, broadcast: int) -> bytes:
    """Return the SUPPRESSED key of one entry; ``broadcast`` 0 where the kind does not depend on one."""
    return recipient_prefix(tenant, recipient) + bytes((kind,)) + broadcast.to_bytes(6, "big")


def link_scope(link: int) -> bytes:
    """Return the COUNTERS scope of a link, by its number in the mail."""
    return SCOPE_LINK + link.to_bytes(2, "big")


def tenant_seq_key(tenant: int, seq: int) -> bytes:
    """Return a key of BROADCAST_ORDER or UNMATCHED."""
    return tenant.to_bytes(2, "big") + seq.to_bytes(8, "big")
