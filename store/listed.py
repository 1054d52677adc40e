"""Recipients listed many at a time: what is stored of each is made ready before the transaction that stores it.

A list of a million recipients is a million facts that hardly differ, so they are made in columns, without a Fact and
a Planned for each. ``Listed`` says the same as its Fact and leaves the same octets in the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import msgspec

from model.fact import FactType, ids_of_planned
from store.codec import flags_of
from store.evidence import listed_domain
from store.record import domain_octets

#: What senders said of recipients: the fields of model.detail.Planned without ``row``, a column each, in their order.
Said = Sequence[Sequence[object]]
_encode = msgspec.msgpack.Encoder().encode
_NO_TAGS: tuple[str, ...] = ()
#: Octets of an id that a record keeps.
_MARK_SIZE = 8
#: The constructor that a NamedTuple is given takes twice as long.
_new = tuple.__new__


class Listed(NamedTuple):
    """A PLANNED fact about a mail that is no test."""

    #: DeliveryKey.pack() of its delivery
    place: bytes
    at_us: int
    #: first 8 octets of its id
    mark: bytes
    is_html: bool
    #: of the address, as Record.domain has it; empty where the address is none
    domain: bytes
    #: the fact as store.codec.pack_fact packs it
    packed: bytes
    #: its row in the roster from the address on
    shown: tuple[object, ...]


def list_together(
    places: Sequence[bytes],
    rows: Sequence[bytes],
    said: Said,
    domains: Sequence[str],
    times: Sequence[int],
    *,
    is_html: bool,
    node: int,
) -> list[Listed]:
    """Return the listing of many recipients.

    Arguments, in columns: ``rows`` as Planned.row, ``domains`` as Address.domain of the addresses (empty where they are
    none), ``times`` as Fact.at_us.
    """
    marks = [whole[:_MARK_SIZE] for whole in ids_of_planned(places, rows)]
    packed = _pack(places, rows, said, times, flags=flags_of(is_test=False, is_html=is_html), node=node)
    addresses, contact_refs, last_names, first_names, companies, *others = said
    octets = {domain: domain_octets(domain, is_listed=True) for domain in set(domains)}
    listed_domains = [
        octets[domain] or listed_domain(str(address)) for domain, address in zip(domains, addresses, strict=True)
    ]
    shown = zip(addresses, last_names, first_names, companies, contact_refs, *others, strict=True)
    columns = zip(places, times, marks, repeat(is_html), listed_domains, packed, shown, strict=False)
    return [_new(Listed, values) for values in columns]


def _pack(
    places: Sequence[bytes], rows: Sequence[bytes], said: Said, times: Sequence[int], *, flags: int, node: int
) -> list[bytes]:
    """Return the facts as store.codec.pack_fact packs each."""
    # Left out where it says nothing of anybody.
    used = len(said)
    while used > 1 and said[used - 1].count(None) + said[used - 1].count(_NO_TAGS) == len(places):
        used -= 1
    planned = int(FactType.PLANNED)
    head = repeat(planned), places, times, repeat(node), repeat(flags)
    packed: list[bytes] = []
    for values in zip(*head, said[0], rows, *said[1:used], strict=False):
        end = len(values)
        while values[end - 1] is None or values[end - 1] == _NO_TAGS:
            end -= 1
        packed.append(_encode(values[:end]))
    return packed
