"""The operator's own cases: a reply or a mail, and what the rules must make of it. Pure; the caller reads files."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from classifier.classify import Classifier
from model.cause import Cause, Fault, Permanence, Reason
from model.reading import AutoReplyKind, Kind, Reading, Verdict

_GIVEN = frozenset({"name", "text", "status", "reply_code", "command", "host", "mail", "expect"})
#: What a case may expect, and the values it may expect.
EXPECTED: dict[str, type[Any]] = {
    "cause": Cause, "reason": Reason, "permanence": Permanence, "fault": Fault, "rule": str, "is_dead": bool,
    "kind": Kind, "auto_reply": AutoReplyKind, "address": str,
}  # fmt: skip
_OF_MAIL = frozenset({"kind", "auto_reply", "address"})


class CaseError(Exception):
    """A file of cases is wrong; the operator must act. The text says where, what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case, checked but not yet run."""

    name: str
    expect: dict[str, Any]
    text: str = ""
    #: path of a mail, relative to the file of cases; "" for a reply
    mail: str = ""
    status: str | None = None
    reply_code: int | None = None
    command: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: ``wrong`` holds (what, expected, got)."""

    case: Case
    wrong: tuple[tuple[str, str, str], ...]
    #: the rule that decided, "" when no verdict was asked for
    rule: str = ""
    #: the words it saw
    shown: str = ""


def parse_cases(text: str, file: str) -> list[Case]:
    """Return the cases in ``text``. Raises CaseError, which names ``file``, case and remedy."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CaseError(f"{file}: is not valid TOML: {error}. Write texts in 'single quotes'.") from None
    entries = data.get("case")
    if set(data) != {"case"} or not isinstance(entries, list) or not entries:
        raise CaseError(f"{file}: holds no list of cases. Start each with [[case]].")
    return [_parse(entry, f"{file}: case {number}") for number, entry in enumerate(entries, 1)]


def _parse(entry: Any, place: str) -> Case:
    if not isinstance(entry, dict):
        raise CaseError(f"{place} is no table. Start each with [[case]].")
    unknown = sorted(set(entry) - _GIVEN)
    if unknown:
        raise CaseError(f'{place}: "{unknown[0]}" is not known. Use: {", ".join(sorted(_GIVEN))}.')
    if bool(entry.get("text")) == bool(entry.get("mail")):
        raise CaseError(f"{place} needs either text or mail.")
    for key in _GIVEN - {"expect"}:
        wanted = int if key == "reply_code" else str
        if key in entry and (not isinstance(entry[key], wanted) or isinstance(entry[key], bool)):
            raise CaseError(f"{place}: {key} is {entry[key]!r}. Give {'a number' if wanted is int else 'a text'}.")
    expect = entry.get("expect")
    if not isinstance(expect, dict) or not expect:
        raise CaseError(f'{place} expects nothing. Write expect = {{ cause = "mailbox_full" }}.')
    _check_expected(expect, place, is_mail="mail" in entry)
    values = {key: value for key, value in entry.items() if key != "name"}
    return Case(entry.get("name") or _short(entry.get("text") or entry["mail"]), **values)


def _check_expected(expect: dict[str, Any], place: str, *, is_mail: bool) -> None:
    for key, value in expect.items():
        if key not in EXPECTED or (key in _OF_MAIL and not is_mail):
            known = sorted(EXPECTED if is_mail else set(EXPECTED) - _OF_MAIL)
            raise CaseError(f'{place}: "{key}" cannot be expected. Use: {", ".join(known)}.')
        kind = EXPECTED[key]
        try:
            is_good = isinstance(value, kind) or kind not in (str, bool) and bool(kind(value))
        except ValueError:
            is_good = False
        if not is_good:
            members = [member.value for member in kind] if issubclass(kind, Enum) else ["true", "false"]
            remedy = f"Use one of: {', '.join(members)}." if kind is not str else "Write a text."
            raise CaseError(f"{place}: {value!r} is no {key}. {remedy}")


def run_case(case: Case, classifier: Classifier, read_mail: Callable[[str], bytes]) -> Outcome:
    """Return what is wrong with ``case``; ``read_mail`` turns its path into octets and may raise OSError."""
    if case.mail:
        return _run_mail(case, classifier.read(read_mail(case.mail)))
    verdict = classifier.diagnose(
        case.text, status=case.status, reply_code=case.reply_code, host=case.host, command=case.command
    )
    return Outcome(case, _compare(case.expect, _of_verdict(verdict)), verdict.rule, case.text)


def _run_mail(case: Case, reading: Reading) -> Outcome:
    address = case.expect.get("address")
    chosen = next((item for item in reading.recipients if address is None or item.address == address), None)
    got: dict[str, Any] = {"kind": reading.kind.value, "auto_reply": reading.auto_reply and reading.auto_reply.value}
    got["address"] = chosen.address if chosen else ", ".join(item.address or "-" for item in reading.recipients)
    verdict = chosen.verdict if chosen else None
    if verdict is not None:
        got |= _of_verdict(verdict)
    wrong = _compare(case.expect, got)
    return Outcome(case, wrong, verdict.rule if verdict else "", chosen.diagnostic if chosen else "")


def _of_verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "cause": verdict.cause.value, "reason": verdict.reason.value, "permanence": verdict.permanence.value,
        "fault": verdict.fault.value, "rule": verdict.rule, "is_dead": verdict.is_dead,
    }  # fmt: skip


def _compare(expect: dict[str, Any], got: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    return tuple((key, str(value), str(got.get(key))) for key, value in expect.items() if got.get(key) != value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
