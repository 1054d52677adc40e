"""Recipients listed many at a time: what is stored of each is made ready in columns.

A list of a million recipients is a million facts that hardly differ, so they are kept and folded in columns, without a
Fact and a Planned for each, and leave the same in the store but for where the log's chunks are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from struct import pack, unpack
from typing import NamedTuple

import msgspec

from model.bulk import cut
from model.fact import FactType, ids_of_planned
from store.codec import Compressed, compress_facts, flags_of, uncompress_facts
from store.evidence import listed_domain
from store.record import Record, domain_octets

#: What senders said of recipients: the fields of model.detail.Planned without ``row``, a column each, in their order.
Said = Sequence[Sequence[object]]
_encode = msgspec.msgpack.Encoder().encode
_NO_TAGS: tuple[str, ...] = ()
#: Octets of a delivery's key, and those of an id that a record keeps.
_PLACE_SIZE, _MARK_SIZE = 16, 8
_Words = list[str | None]
#: What is pickled of ListedTogether: columns of one length of octets put together, of the others lists.
_Pickled = tuple[
    bytes, bytes, bytes, bytes, list[str], list[Compressed],
    tuple[_Words, _Words, _Words, _Words, _Words, list[tuple[str, ...]],
          _Words, _Words, _Words, _Words, _Words, _Words, _Words],
]  # fmt: skip
_decode_pickled = msgspec.msgpack.Decoder(_Pickled).decode


class ListedColumns(NamedTuple):
    """What is stored of recipients listed together, in columns of one length."""

    #: DeliveryKey.pack() of the deliveries
    places: Sequence[bytes]
    times: Sequence[int]
    #: first 8 octets of the facts' ids
    marks: Sequence[bytes]
    html: Sequence[bool]
    #: of the addresses, as Record.domain has it; empty where the address is none
    domains: Sequence[bytes]
    #: the facts as store.codec.compress_facts puts them together
    facts: Sequence[Compressed]
    #: their rows in the roster from the address on
    shown: Sequence[tuple[object, ...]]

    def packed(self) -> list[bytes]:
        """Return the facts as store.codec.pack_fact packs each."""
        return [packed for _, body in self.facts for packed in uncompress_facts(body)]

    def part(self, start: int, end: int) -> ListedColumns:
        """Return the recipients from ``start`` to before ``end`` without their facts."""
        return ListedColumns(
            self.places[start:end],
            self.times[start:end],
            self.marks[start:end],
            self.html[start:end],
            self.domains[start:end],
            (),
            self.shown[start:end],
        )

    def is_said_by(self, raw: bytes, at: int) -> bool:
        """Whether the stored record of the recipient ``at`` says it all: a request that was sent again."""
        record, mark, at_us = Record.unpack(self.places[at], raw), self.marks[at], self.times[at]
        return record.is_html >= self.html[at] and any(
            entry.type == FactType.PLANNED and entry.mark == mark and entry.at_us <= at_us for entry in record.entries
        )


@dataclass(frozen=True, slots=True)
class ListedTogether:
    """PLANNED facts about mails that are no tests, in columns of one length: as ListedColumns, but for two."""

    places: Sequence[bytes]
    times: Sequence[int]
    marks: Sequence[bytes]
    html: Sequence[bool]
    #: Address.domain of the addresses, empty where they are none
    domains: Sequence[str]
    facts: Sequence[Compressed]
    said: Said

    def __len__(self) -> int:
        """Return how many facts these are."""
        return len(self.places)

    def __reduce__(self) -> tuple[Callable[[bytes], ListedTogether], tuple[bytes]]:
        """Pickle few objects instead of some 20 a recipient: a quarter of the time, and as much less to read again."""
        places, marks, times = b"".join(self.places), b"".join(self.marks), pack(f"{len(self)}q", *self.times)
        columns = places, times, marks, bytes(self.html), self.domains, self.facts, self.said
        return _unpickled, (_encode(columns),)

    def columns(self) -> ListedColumns:
        """Return what is stored of them: left to whoever folds them, so that less goes from process to process."""
        addresses, contact_refs, last_names, first_names, companies, *others = self.said
        octets = {domain: domain_octets(domain, is_listed=True) for domain in set(self.domains)}
        domains = [
            octets[domain] or listed_domain(str(address))
            for domain, address in zip(self.domains, addresses, strict=True)
        ]
        shown = list(zip(addresses, last_names, first_names, companies, contact_refs, *others, strict=True))
        return ListedColumns(self.places, self.times, self.marks, self.html, domains, self.facts, shown)


def _unpickled(raw: bytes) -> ListedTogether:
    places, times, marks, html, domains, facts, said = _decode_pickled(raw)
    return ListedTogether(
        cut(places, _PLACE_SIZE),
        unpack(f"{len(html)}q", times),
        cut(marks, _MARK_SIZE),
        [value != 0 for value in html],
        domains,
        facts,
        said,
    )


def list_together(
    places: Sequence[bytes],
    rows: Sequence[bytes],
    said: Said,
    domains: Sequence[str],
    times: Sequence[int],
    html: Sequence[bool],
    *,
    node: int,
) -> ListedTogether:
    """Return that recipients are listed.

    Arguments, in columns: ``places`` as DeliveryKey.pack() of the deliveries, ``rows`` as Planned.row, ``domains`` as
    Address.domain of the addresses (empty where they are none), ``times`` as Fact.at_us, ``html`` as Fact.is_html.
    """
    facts = compress_facts(_pack(places, rows, said, times, html, node=node))
    return ListedTogether(places, times, marks_of(places, rows), html, domains, facts, said)


def _pack(
    places: Sequence[bytes],
    rows: Sequence[bytes],
    said: Said,
    times: Sequence[int],
    html: Sequence[bool],
    *,
    node: int,
) -> list[bytes]:
    """Return the facts as store.codec.pack_fact packs each."""
    # Left out where it says nothing of anybody.
    used = len(said)
    while used > 1 and said[used - 1].count(None) + said[used - 1].count(_NO_TAGS) == len(places):
        used -= 1
    without, with_html = (flags_of(is_test=False, is_html=is_html) for is_html in (False, True))
    flags = [with_html if is_html else without for is_html in html]
    packed: list[bytes] = []
    head = repeat(int(FactType.PLANNED)), places, times, repeat(node), flags
    for values in zip(*head, said[0], rows, *said[1:used], strict=False):
        end = len(values)
        while values[end - 1] is None or values[end - 1] == _NO_TAGS:
            end -= 1
        packed.append(_encode(values[:end]))
    return packed


def marks_of(places: Sequence[bytes], rows: Sequence[bytes]) -> list[bytes]:
    """Return what records keep of the ids of PLANNED facts; arguments as in ``list_together``."""
    return [whole[:_MARK_SIZE] for whole in ids_of_planned(places, rows)]
