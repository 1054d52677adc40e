"""Finds the days a sentence names, in Japanese and English; what it leaves out is inferred from a given day. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_JA_WEEKDAYS = "月火水木金土日"
#: A day without a year lies at most so far back, or is the next one of that name.
_PAST = timedelta(days=90)
#: A day of the month that has just passed is not next month's.
_JUST_PASSED = 7

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_WEEKDAY = r"(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:r|rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?"
_JA_WEEKDAY = rf"(?: ?\((?:[{_JA_WEEKDAYS}](?:曜日?)?(?:[・/]?祝)?)\))?"
_ORDINAL = r"(?:st|nd|rd|th)?"
# A number that is part of a longer one, of a telephone number or of an identifier is no date.
_BEFORE, _AFTER = r"(?<![\d/.+-])(?<!\d:)(?<![a-z]-)", r"(?!\d|[-/.:]\d)"
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("iso", rf"{_BEFORE}(?P<iso_y>20\d\d)(?P<iso_s>[-/.])(?P<iso_m>\d\d?)(?P=iso_s)(?P<iso_d>\d\d?){_AFTER}"),
    (
        "ja",
        r"(?:(?:(?P<ja_y>20\d\d)|(?:令和"
        r"|r) ?(?P<ja_r>\d\d?))年 ?)?(?<![\d/.-])(?P<ja_m>\d\d?)月 ?(?P<ja_d>\d\d?)日(?!間)",
    ),
    ("dot", rf"{_BEFORE}(?P<dot_d>\d\d?)\.(?P<dot_m>\d\d?)\.(?P<dot_y>20\d\d|\d\d(?!\d|\.))?(?!\d)"),
    ("full", rf"{_BEFORE}(?P<full_a>\d\d?)/(?P<full_b>\d\d?)/(?P<full_y>20\d\d|\d\d(?!\d)){_AFTER}"),
    ("slash", rf"{_BEFORE}(?P<slash_a>\d\d?)/(?P<slash_b>\d\d?){_AFTER}(?!/)"),
    # "5-9 May" and "May 5-9": the first day of the two; the second is found by the patterns below.
    (
        "first",
        rf"{_BEFORE}(?P<first_d>\d\d?){_ORDINAL}(?= ?(?:-|–|to|until|and) ?\d\d?{_ORDINAL} (?P<first_m>{_MONTH}))",
    ),
    (
        "day_month",
        rf"(?<![\d/.+])(?<!\d:)(?P<dm_d>\d\d?){_ORDINAL}(?: of)?[ -](?P<dm_m>{_MONTH})"
        rf"(?:,?[ -](?P<dm_y>20\d\d))?{_AFTER}",
    ),
    ("month_day", rf"\b(?P<md_m>{_MONTH}) ?(?P<md_d>\d\d?){_ORDINAL}(?!\d|[:/.]\d)(?:,? (?P<md_y>20\d\d))?"),
    ("second", rf"(?<=\d[ –-])(?P<second_d>\d\d?){_ORDINAL}(?![\d/:]| ?{_MONTH})(?:,? (?P<second_y>20\d\d))?"),
    ("ja_day", r"(?<![\d月/.-])(?P<ja_day_d>\d\d?)日(?!間|以内|目|後|前|頃|営業|本)"),
    ("the_day", r"\bthe (?P<the_day_d>\d\d?)(?:st|nd|rd|th)\b(?! (?:of|floor|anniversary|annual))"),
    ("weekday", rf"\b(?P<w_next>next )?(?P<w>{_WEEKDAY})"),
    ("ja_weekday", rf"(?P<jw_next>来週|次週|翌週|再来週)?の?(?P<jw>[{_JA_WEEKDAYS}])曜日?"),
    ("near", r"(?P<near_word>\btomorrow\b|明日|明後日|\bnext week\b|来週|次週|翌週|再来週)"),
)
_DAY = re.compile("|".join(f"(?P<{name}>{pattern}){_JA_WEEKDAY}" for name, pattern in _PATTERNS), re.IGNORECASE)
# Where a match of the patterns can begin: trying each of them at every character takes ten times as long.
_START = re.compile(
    r"[\d令来次翌再の明月火水木金土日]|r(?= ?\d)|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu"
    r"|fri|sat|sun|next|the(?= \d)|tomorrow)",
    re.IGNORECASE,
)
_GAP = re.compile(r"[\s,.(、・]*(?:the )?\Z", re.IGNORECASE)
_MONTH_FIRST = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|(?<![\d/])\d\d?/(?:1[3-9]|2\d|3[01])(?!\d)")
_DAYS_AFTER = {"tomorrow": 1, "明日": 1, "明後日": 2}
_MAX_FOUND = 20


@dataclass(frozen=True, slots=True)
class NamedDay:
    """A day, and where the sentence names it."""

    start: int
    end: int
    day: date
    #: named by the weekday or by "next week" alone
    is_relative: bool = False


def find_days(sentence: str, sent: date) -> list[NamedDay]:
    """Return the days ``sentence`` (NFKC) names, in order, at most 20; ``sent`` is when it was written."""
    found: list[NamedDay] = []
    for match in _matches(sentence):
        # The outermost group closes last: it is named after the pattern.
        kind = match.lastgroup or ""
        last = found[-1] if found else None
        beside = last if last and last.is_relative and _GAP.match(sentence, last.end, match.start()) else None
        weekday = beside.day.weekday() if beside and kind in ("full", "slash") else None
        day = _day_of(kind, match, sent, found, weekday)
        if day is None:
            continue
        is_relative = kind in ("weekday", "ja_weekday", "near")
        if beside is not None and not is_relative:
            # "Monday, 12 May": the date says all that the weekday says.
            found[-1] = NamedDay(beside.start, match.end(), day)
        else:
            found.append(NamedDay(match.start(), match.end(), day, is_relative))
        if len(found) >= _MAX_FOUND:
            break
    return found


def _matches(sentence: str) -> Iterator[re.Match[str]]:
    """Yield what ``_DAY.finditer`` would."""
    start = _START.search(sentence)
    while start is not None:
        match = _DAY.match(sentence, start.start())
        if match is not None:
            yield match
        start = _START.search(sentence, match.end() if match is not None else start.start() + 1)


def _day_of(kind: str, match: re.Match[str], sent: date, found: list[NamedDay], weekday: int | None) -> date | None:
    """Return the day that a match of the pattern ``kind`` names; None for the 31st of April."""
    named = match.groupdict()
    if kind in ("full", "slash"):
        return _slashed(named[f"{kind}_a"], named[f"{kind}_b"], named.get(f"{kind}_y"), sent, weekday, match.string)
    if kind in ("weekday", "ja_weekday"):
        return _weekday(kind, named, sent)
    if kind == "near":
        word = named["near_word"].lower()
        if word in _DAYS_AFTER:
            return sent + timedelta(days=_DAYS_AFTER[word])
        return sent + timedelta(days=7 * (2 if word == "再来週" else 1) - sent.weekday())
    if kind in ("ja_day", "the_day"):
        return _day_alone(int(named[f"{kind}_d"]), sent, found)
    if kind == "second":
        if not found:
            return None
        return _make(int(named["second_y"] or found[-1].day.year), found[-1].day.month, int(named["second_d"]))
    prefix = {"day_month": "dm", "month_day": "md"}.get(kind, kind)
    month_text = named[f"{prefix}_m"].lower()
    month = int(month_text) if month_text.isdigit() else _MONTHS.index(month_text[:3]) + 1
    year_text = named.get(f"{prefix}_y")
    if kind == "ja" and named["ja_r"]:
        year_text = str(2018 + int(named["ja_r"]))
    return _dated(year_text, month, int(named[f"{prefix}_d"]), sent)


def _slashed(first: str, second: str, year: str | None, sent: date, weekday: int | None, sentence: str) -> date | None:
    """Read ``5/12``: month first in Japanese; else as the weekday beside it says, else the nearer of the two."""
    month_first = _dated(year, int(first), int(second), sent)
    # Japanese writes the month first; so does who writes 12/28 elsewhere in the sentence.
    if _MONTH_FIRST.search(sentence):
        return month_first
    day_first = _dated(year, int(second), int(first), sent)
    if month_first is None or day_first is None:
        return month_first or day_first
    if weekday is not None and (month_first.weekday() == weekday) != (day_first.weekday() == weekday):
        return month_first if month_first.weekday() == weekday else day_first
    later = [day for day in (month_first, day_first) if day >= sent]
    return min(later or [month_first, day_first])


def _weekday(kind: str, named: dict[str, str | None], sent: date) -> date:
    if kind == "weekday":
        index = _WEEKDAYS.index((named["w"] or "").lower()[:3])
        word = named["w_next"]
    else:
        index = _JA_WEEKDAYS.index(named["jw"] or "")
        word = named["jw_next"]
    if word:
        weeks = 2 if word == "再来週" else 1
        return sent + timedelta(days=7 * weeks - sent.weekday() + index)
    return sent + timedelta(days=(index - sent.weekday() - 1) % 7 + 1)


def _day_alone(day: int, sent: date, found: list[NamedDay]) -> date | None:
    """Read a day of the month by the month named before it, else as the next one to come."""
    dated = [named.day for named in found if not named.is_relative]
    base = dated[-1] if dated else sent
    is_later = day >= base.day if dated else day >= sent.day - _JUST_PASSED
    if is_later:
        return _make(base.year, base.month, day)
    return _make(base.year + base.month // 12, base.month % 12 + 1, day)


def _dated(year: str | None, month: int, day: int, sent: date) -> date | None:
    """Return the day; without a year the nearest that is not long past."""
    if year:
        return _make(int(year) + (2000 if len(year) == 2 else 0), month, day)
    candidates = [_make(sent.year + offset, month, day) for offset in (-1, 0, 1)]
    return next((made for made in candidates if made is not None and made >= sent - _PAST), None)


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
