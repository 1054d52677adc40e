"""The numbers of a broadcast, from its counts: definitions of mission 4.2-4.3, rates None where undefined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.cause import SPECS, Cause, Reason, SansanClass
from store.outcome import Evidence, State
from store.reader import Broadcast

_HOUR_US = 3_600_000_000
#: A broadcast with nothing under way is taken for sent so long after the quarter of an hour in which it last grew.
_QUIET_US = _HOUR_US // 2
#: A broadcast that is not sent yet has reached nobody, whatever is assumed.
_UNSENT = frozenset({"draft", "scheduled"})
_SENDING, _SENT = "sending", "sent"
_RESERVED = "state.reserved"
#: What ``reserve`` renames.
_WAITING = {f"state.{State.PLANNED}": _RESERVED, f"html.{State.PLANNED}": "html.reserved"}
#: Counts shown as they are.
_PLAIN = (
    *("listed", "targeted", "hard", "soft", "clicked_users", "opens_machine", "opens_raw", "clicks", "clicks_machine"),
    *("clicks_raw", "complaints", "complaints_form", "unsubs", "resubs", "auto_replies", "conflicts", "failed_first"),
)
#: Numbers that text mail does not have.
_SEEN = (*("opens", "opened_users", "opened_pixel", "opened_inferred", "clicked_of_opened", "unopened", "not_clicked"),)


@dataclass(frozen=True, slots=True)
class Report:
    """Numbers of one broadcast (or of its test sends). None is drawn as a hyphen, never as 0 (S12).

    Units: recipients, except ``opens``, ``clicks`` and their ``_machine`` and ``_raw`` siblings, which are
    events. I1: listed = targeted + sum of excluded. I2: targeted = reached + undelivered + in_flight + cancelled.
    """

    listed: int
    excluded: Mapping[str, int]
    targeted: int
    reached: int
    #: of those reached, mails with an HTML part: only their opens can be seen (S12)
    reached_html: int
    #: reached by evidence: accepted, dsn_relayed, engaged, assumed
    evidence: Mapping[str, int]
    undelivered: int
    hard: int
    soft: int
    in_flight: int
    #: of those in flight: the broadcast is a draft or scheduled, so they have not been started (R04)
    reserved: int
    deferred: int
    cancelled: int
    opened_users: int | None
    opened_pixel: int | None
    opened_inferred: int | None
    unopened: int | None
    clicked_users: int
    clicked_of_opened: int | None
    not_clicked: int | None
    opens: int | None
    opens_machine: int
    opens_raw: int
    clicks: int
    clicks_machine: int
    clicks_raw: int
    complaints: int
    complaints_form: int
    unsubs: int
    resubs: int
    auto_replies: int
    conflicts: int
    #: undelivered that are their recipient's first failure ever (K29)
    failed_first: int
    #: conversions the sender reported; None if it never reported any (K28)
    cv: int | None
    #: undelivered as ``<channel>.<cause>.<permanence>``; those below are views of it
    failed: Mapping[str, int]
    #: undelivered by cause, by channel, by the twelve classes, and by the first seed's twelve
    causes: Mapping[str, int]
    channels: Mapping[str, int]
    reasons: Mapping[str, int]
    sansan: Mapping[str, int]
    rates: Mapping[str, float | None]
    #: whether deliveries without news count as reached (mission 0.3)
    is_assuming: bool


def build_report(
    counts: Mapping[str, int],
    broadcast: Broadcast | None,
    *,
    last_attempt_us: int,
    now_us: int,
    whole: Mapping[str, int] | None = None,
) -> Report:
    """Return the report of a broadcast.

    ``counts`` as store.reader.Reader.counts gives them; ``last_attempt_us`` is when any sending system of the
    tenant last reported an attempt: within the hour after, no news is not taken for good news (mission 4.1);
    ``whole`` are the counts of all time where ``counts`` are those of a window: they tell whether it is a text mail.
    """
    get = counts.get
    waiting, reserved = get(f"state.{State.PLANNED}", 0), get(_RESERVED, 0)
    waiting_html = get(f"html.{State.PLANNED}", 0)
    assumes = is_assuming(broadcast, last_attempt_us, now_us)
    assumed = waiting if assumes else 0
    reached = get(f"state.{State.REACHED}", 0) + assumed
    reached_html = get(f"html.{State.REACHED}", 0) + (waiting_html if assumes else 0)
    undelivered = get(f"state.{State.UNDELIVERED}", 0)
    deferred = get(f"state.{State.DEFERRED}", 0)
    evidence = {e.value: get(f"reached.{e}", 0) for e in Evidence}
    evidence[Evidence.ASSUMED] += assumed
    is_text = _is_text(counts if whole is None else whole, broadcast, reached_html)
    seen: dict[str, Any] = {name: None if is_text else get(name, 0) for name in _SEEN}
    if not is_text:
        # In a window the first click may lie before the first fetch of the pixel: what is not seen is inferred.
        seen["opened_inferred"] = seen["opened_users"] - seen["opened_pixel"]
        seen["unopened"] = reached_html - seen["opened_users"]
        seen["not_clicked"] = seen["opened_users"] - seen["clicked_of_opened"]
    plain: dict[str, Any] = {name: get(name, 0) for name in _PLAIN}
    return Report(
        **plain,
        **seen,
        **_failures(counts),
        excluded=_prefixed(counts, "excluded."),
        cv=counts.get("cv"),
        reached=reached,
        reached_html=reached_html,
        evidence=evidence,
        undelivered=undelivered,
        in_flight=deferred + waiting - assumed + reserved,
        reserved=reserved + (waiting if _is_unsent(broadcast) else 0),
        deferred=deferred,
        cancelled=get(f"state.{State.CANCELLED}", 0),
        rates=_rates(counts, reached, reached_html, undelivered, is_text=is_text),
        is_assuming=assumes,
    )


def reserve(counts: Mapping[str, int], broadcast: Broadcast | None) -> dict[str, int]:
    """Return the counts of a broadcast as they go into a sum over several.

    What waits of one that is not begun has reached nobody, whatever is assumed of the others (R04).
    """
    if not _is_unsent(broadcast):
        return dict(counts)
    return {_WAITING.get(name, name): count for name, count in counts.items()}


def is_assuming(broadcast: Broadcast | None, last_attempt_us: int, now_us: int) -> bool:
    """Return whether deliveries without news count as reached now (mission 4.1, assumption timer).

    Arguments as ``build_report`` takes them. A broadcast that is not sent yet has reached nobody.
    """
    return not _is_unsent(broadcast) and now_us - last_attempt_us > _HOUR_US


def status_of(broadcast: Broadcast | None, report: Report, last_done_us: int | None, now_us: int) -> str:
    """Return where a broadcast stands (S03-S05): as the sender said, and sent once nothing is under way any more.

    A sender that lists and sends need not say that it is done. ``last_done_us`` as store.windows gives it. Whatever is
    listed later makes it sending again.
    """
    said = broadcast.status if broadcast is not None else None
    if said not in (None, _SENDING):
        return said
    is_quiet = last_done_us is not None and last_done_us + _QUIET_US <= now_us
    return _SENT if report.targeted and not report.in_flight and is_quiet else _SENDING


def _is_unsent(broadcast: Broadcast | None) -> bool:
    return broadcast is not None and broadcast.status in _UNSENT


def _is_text(counts: Mapping[str, int], broadcast: Broadcast | None, reached_html: int) -> bool:
    """Whether opens cannot be seen: a text mail by its format, or no HTML mail among those targeted."""
    if broadcast is not None and broadcast.format is not None:
        return broadcast.format == "text"
    any_html = any(name.startswith("html.") and count for name, count in counts.items())
    return not any_html and not reached_html


def _prefixed(counts: Mapping[str, int], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


def _failures(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the undelivered by cause, channel and the two vocabularies of twelve; each sums to undelivered."""
    causes: dict[str, int] = {}
    channels: dict[str, int] = {}
    reasons: dict[str, int] = {reason.value: 0 for reason in Reason if reason is not Reason.AUTO_REPLY}
    sansan: dict[str, int] = {name.value: 0 for name in SansanClass if name is not SansanClass.AUTO_REPLY}
    failed = _prefixed(counts, "failed.")
    for name, count in failed.items():
        channel, cause, _ = name.split(".")
        spec = SPECS[Cause(cause)]
        causes[cause] = causes.get(cause, 0) + count
        channels[channel] = channels.get(channel, 0) + count
        reasons[spec.reason] += count
        sansan[spec.sansan or SansanClass.OTHER] += count
    return {"failed": failed, "causes": causes, "channels": channels, "reasons": reasons, "sansan": sansan}


def _rates(
    counts: Mapping[str, int], reached: int, reached_html: int, undelivered: int, *, is_text: bool
) -> dict[str, float | None]:
    get = counts.get
    targeted, opened, raw = get("targeted", 0), get("opened_users", 0), get("opens_raw", 0)
    return {
        "reach_rate": _ratio(reached, targeted),
        "bounce_rate": _ratio(undelivered, targeted),
        "hard_bounce_rate": _ratio(get("hard", 0), targeted),
        "soft_bounce_rate": _ratio(get("soft", 0), targeted),
        "open_rate": None if is_text else _ratio(opened, reached_html),
        "click_rate": _ratio(get("clicked_users", 0), reached),
        "ctor": None if is_text else _ratio(get("clicked_of_opened", 0), opened),
        "complaint_rate": _ratio(get("complaints", 0), reached),
        "unsub_rate": _ratio(get("unsubs", 0), reached),
        "machine_share": _ratio(get("opens_machine", 0), raw),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
