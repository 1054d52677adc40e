"""Failures by channel, cause and hardness: the grain all classes of all profiles are sums of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from console.labels import LABELS
from console.profiles.figure import Definition, Unit, Value, Words
from console.profiles.formula import add
from model.cause import SPECS, Cause, CauseSpec, Channel, Permanence, is_hard

#: A failure as far as classes tell them apart.
Pair = tuple[Channel, Cause]
#: every one there can be
PAIRS: tuple[Pair, ...] = tuple((channel, cause) for cause in Cause for channel in Channel)
PARTS = {"hard": Words("ハード", "hard"), "soft": Words("ソフト", "soft")}


def _name(channel: Channel | None, cause: Cause, part: str = "") -> str:
    place = f"causes.{cause}" if channel is None else f"failed.{channel.name.lower()}.{cause}"
    return f"{place}.{part}" if part else place


_ZERO: Mapping[str, Value] = {f"channels.{channel.name.lower()}": 0 for channel in Channel} | {
    _name(channel, cause, part): 0 for cause in Cause for channel in (None, *Channel) for part in ("", *PARTS)
}


def failure_values(failed: Mapping[str, int]) -> dict[str, Value]:
    """Return the count of every grain and of its sums. ``failed`` as store.report.Report has it."""
    sums: dict[str, int] = {}
    for name, count in failed.items():
        channel_name, cause_name, permanence = name.split(".")
        channel, cause = Channel[channel_name.upper()], Cause(cause_name)
        part = "hard" if is_hard(cause, Permanence(permanence)) else "soft"
        for key in (
            f"channels.{channel_name}",
            *(_name(place, cause, p) for place in (None, channel) for p in ("", part)),
        ):
            sums[key] = sums.get(key, 0) + count
    return {**_ZERO, **sums}


def sum_of(pairs: Iterable[Pair], part: str = "") -> str:
    """Return the formula that adds up ``pairs``, all channels of a cause as one; ``part``: hard or soft only."""
    chosen: dict[Cause, set[Channel]] = {}
    for channel, cause in pairs:
        chosen.setdefault(cause, set()).add(channel)
    names: list[str] = []
    for cause, channels in chosen.items():
        is_whole = len(channels) == len(Channel)
        places = [None] if is_whole else [channel for channel in Channel if channel in channels]
        names += [f"native.{_name(place, cause, part)}" for place in places]
    return add(*names)


def pairs_where(holds: Callable[[Channel, CauseSpec], bool]) -> tuple[Pair, ...]:
    """Return the failures for which ``holds`` says so of channel and row of the crosswalk (mission 3.1)."""
    return tuple((channel, cause) for channel, cause in PAIRS if holds(channel, SPECS[cause]))


def _definition(channel: Channel | None, cause: Cause, part: str) -> Definition:
    words = LABELS[f"causes.{cause}"]
    ja, en = words
    if channel is not None:
        place = LABELS[f"channels.{channel.name.lower()}"]
        ja, en = f"{ja} / {place[0]}", f"{en} / {place[1]}"
    if part:
        ja, en = f"{ja} ({PARTS[part].ja})", f"{en} ({PARTS[part].en})"
    meaning = Words(
        f"不達になったメールのうち、原因が {cause} のもの", f"undelivered mails whose cause is {cause} (docs/rules.md)"
    )
    return Definition(_name(channel, cause, part), Words(ja, en), Unit.MAIL, "", meaning, is_detail=True)


#: by cause, and the whole grain
CAUSES: tuple[Definition, ...] = tuple(_definition(None, cause, "") for cause in Cause)
GRAIN: tuple[Definition, ...] = tuple(
    _definition(channel, cause, part)
    for cause in Cause
    for channel in (None, *Channel)
    for part in ("", *PARTS)
    if channel is not None or part
)
