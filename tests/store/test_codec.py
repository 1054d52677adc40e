"""Facts to bytes and back: every type, hostile text, damage, and what an older or newer Yamabiko wrote."""

from __future__ import annotations

import contextlib
import math
from dataclasses import fields
from typing import get_type_hints

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.cause import Cause, Channel, Permanence
from model.detail import (
    Agent,
    Detail,
    ExcludedKind,
    Planned,
    Trust,
    UnsubscribeReason,
    UnsubscribeVia,
)
from model.fact import (
    DETAILS,
    DeliveryKey,
    Fact,
    FactType,
)
from store.codec import CHUNK_BYTES, pack_chunks, pack_fact, type_of, unpack_chunk, unpack_fact
from store.errors import FactRefusedError, StoreCorruptError
from tests.store.world import T0_US, failed, opened, planned

ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates, controls and all
BY_TYPE: dict[object, st.SearchStrategy[object]] = {
    str: ANY_TEXT,
    bytes: st.binary(max_size=40),
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(0, 1),
    tuple[str, ...]: st.lists(ANY_TEXT, max_size=4).map(tuple),
    **{
        enum: st.sampled_from(list(enum))
        for enum in (Cause, Channel, Permanence, Trust, Agent, ExcludedKind, UnsubscribeReason, UnsubscribeVia)
    },
}


def values_of(hint: object) -> st.SearchStrategy[object]:
    if hint in BY_TYPE:
        return BY_TYPE[hint]
    kinds = hint.__args__  # type: ignore[attr-defined]
    return st.one_of(*(st.none() if kind is type(None) else BY_TYPE[kind] for kind in kinds))


def details(cls: type[Detail]) -> st.SearchStrategy[Detail]:
    hints = get_type_hints(cls)
    return st.builds(cls, **{field.name: values_of(hints[field.name]) for field in fields(cls)})


KEYS = st.builds(DeliveryKey, st.integers(0, 2**16 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**64 - 1))


def facts(fact_type: FactType) -> st.SearchStrategy[Fact]:
    return st.builds(
        Fact, st.just(fact_type), KEYS, st.integers(0, 2**63 - 1), details(DETAILS[fact_type]),
        st.integers(0, 2**32), st.booleans(), st.booleans(),
    )  # fmt: skip


@pytest.mark.parametrize("fact_type", FactType)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(data=st.data())
def test_every_fact_comes_back_as_it_was(fact_type: FactType, data: st.DataObject) -> None:
    fact = data.draw(facts(fact_type))
    raw = pack_fact(fact)
    again = unpack_fact(raw)
    assert again == fact
    assert again.id == fact.id
    assert type_of(raw) is fact_type
    assert pack_fact(again) == raw


def test_trailing_defaults_are_left_out() -> None:
    short = msgpack.unpackb(pack_fact(planned()))
    assert len(short) == 7, "five of the fact, address and row"
    full = Planned("a@example.jp", b"row", list_ref="last")
    assert len(msgpack.unpackb(pack_fact(Fact(FactType.PLANNED, DeliveryKey(1, 1, 1), 1, full)))) == 5 + len(
        fields(Planned)
    )


def test_what_a_newer_yamabiko_appended_is_passed_over() -> None:
    values = msgpack.unpackb(pack_fact(opened()), use_list=True)
    assert unpack_fact(msgpack.packb([*values, *[None] * 5, "new"])).detail == opened().detail


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\r\n250 fake", "'; --", "\u202e", "\U0010ffff" * 500, ""])
def test_hostile_text_comes_back(text: str) -> None:
    fact = planned(address=text or "x")
    assert unpack_fact(pack_fact(fact)) == fact


@pytest.mark.parametrize(
    "fact",
    [
        Fact(FactType.OPENED, DeliveryKey(1, 1, 1), 2**64, opened().detail),
        Fact(FactType.PLANNED, DeliveryKey(1, 1, 1), 1, Planned(object(), b"")),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_stored_is_refused(fact: Fact) -> None:
    with pytest.raises(FactRefusedError):
        pack_fact(fact)


@given(raw=st.binary(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_octets_make_a_fact_or_one_kind_of_error(raw: bytes) -> None:
    with contextlib.suppress(StoreCorruptError):
        unpack_fact(raw)
    with contextlib.suppress(StoreCorruptError):
        type_of(raw)


# Chunks


def test_chunks_hold_all_in_order_and_stay_small() -> None:
    packed = [pack_fact(planned(n, address="x" * (n % 300) + "@example.jp")) for n in range(1, 400)]
    chunks = pack_chunks(1_000, packed)
    found: list[bytes] = []
    for first, value in chunks:
        assert first == 1_000 + len(found)
        assert len(value) <= CHUNK_BYTES + 40 + 300
        found += unpack_chunk(first, value)
    assert found == packed
    assert len(chunks) > 5


def test_a_large_fact_has_a_chunk_of_its_own() -> None:
    large = pack_fact(failed(origin=b"x" * 100_000))
    chunks = pack_chunks(1, [pack_fact(opened()), large, pack_fact(opened())])
    assert [first for first, _ in chunks] == [1, 2, 3]
    assert unpack_chunk(2, chunks[1][1]) == [large]


def test_every_flipped_bit_of_a_chunk_is_detected() -> None:
    [(first, value)] = pack_chunks(77, [pack_fact(planned(n)) for n in range(20)])
    assert len(unpack_chunk(first, value)) == 20, "the control"
    for bit in range(len(value) * 8):
        damaged = bytearray(value)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreCorruptError):
            unpack_chunk(first, bytes(damaged))


def test_a_chunk_belongs_to_its_number() -> None:
    [(first, value)] = pack_chunks(77, [pack_fact(planned())])
    for bit in range(64):
        with pytest.raises(StoreCorruptError):
            unpack_chunk(first ^ 1 << bit, value)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_chunk_is_detected(cut: int) -> None:
    [(first, value)] = pack_chunks(1, [pack_fact(planned(n)) for n in range(20)])
    with pytest.raises(StoreCorruptError):
        unpack_chunk(first, value[: -cut * len(value) // 30])


def test_times_and_confidence_are_exact() -> None:
    fact = failed(at=T0_US + 1)
    again = unpack_fact(pack_fact(fact))
    assert again.at_us == T0_US + 1
    assert math.isclose(again.detail.confidence, 1.0)  # type: ignore[union-attr]
