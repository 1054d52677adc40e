"""What is counted of a broadcast: every figure that is no formula, by its native name (mission 4.2)."""

from __future__ import annotations

from console.labels import LABELS
from console.profiles.context import Context
from console.profiles.failures import failure_values
from console.profiles.figure import Agreement, Definition, Exclusion, Unit, Value, WhyNone, Words
from model.cause import Channel, Reason
from model.detail import ExcludedKind
from store.outcome import Evidence
from store.report import Report

KINDS = tuple(kind.name.lower() for kind in ExcludedKind)
CHANNELS = tuple(channel.name.lower() for channel in Channel)
REASONS = tuple(reason.value for reason in Reason if reason is not Reason.AUTO_REPLY)
#: Numbers of a Report shown under their own names.
_PLAIN = (
    *("listed", "targeted", "reached", "reached_html", "undelivered", "hard", "soft", "in_flight", "reserved"),
    *("deferred", "cancelled", "opened_users", "opened_pixel", "opened_inferred", "clicked_users", "clicked_of_opened"),
    *("opens", "opens_machine", "opens_raw", "clicks", "clicks_machine", "clicks_raw", "complaints"),
    *("complaints_form", "unsubs", "resubs", "auto_replies", "conflicts", "failed_first", "cv"),
)
_NOT_LOOKED_UP = ("link_clickers", "unacknowledged", "test_listed")


def values_of(report: Report, context: Context) -> tuple[dict[str, Value], dict[str, WhyNone]]:
    """Return every counted figure by name, and why those without a value have none."""
    values: dict[str, Value] = {name: getattr(report, name) for name in _PLAIN}
    values |= {f"excluded.{kind}": report.excluded.get(kind, 0) for kind in KINDS}
    values |= {f"evidence.{name}": report.evidence.get(name, 0) for name in Evidence}
    values |= {f"reasons.{name}": report.reasons.get(name, 0) for name in REASONS}
    values |= failure_values(report.failed)
    events = context.events or report
    values |= {"event.reached": events.reached, "event.opens": events.opens, "event.clicks": events.clicks}
    values |= {name: getattr(context, name) for name in _NOT_LOOKED_UP}
    whys = {name: WhyNone.TEXT_MAIL for name, value in values.items() if value is None}
    whys |= dict.fromkeys(_NOT_LOOKED_UP, WhyNone.NOT_LOOKED_UP)
    whys["cv"] = WhyNone.USER_NOT_LINKED if context.has_user_refs is False else WhyNone.NOT_MEASURED
    return values, whys


def native_figure(
    name: str,
    unit: Unit,
    ja: str,
    en: str,
    *excludes: Exclusion,
    formula: str = "",
    agrees: tuple[Agreement, ...] = (),
    is_detail: bool = False,
    label: Words | None = None,
) -> Definition:
    """Return the definition of a native figure: its words from the labels, ``ja`` and ``en`` what it means."""
    words = label or Words(*LABELS[name])
    return Definition(name, words, unit, formula, Words(ja, en), excludes, agrees, is_detail=is_detail)
