"""Lints a loaded rule set: rules that can never decide, and examples that another rule decides (T13)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from classifier.matcher import evidence_of
from classifier.rule import Rule
from classifier.rulefile import RuleSet

# Labels of letters, digits and hyphens, and the underscores that occur.
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_NEVER_SEEN = (
    (re.compile(r"(?<!\\)  |\\[nrt]"), "white space is one space"),
    (re.compile(r"(?<![\\\w.*+?)\]}])(?!x@x)[a-z0-9][\w.-]*@[a-z0-9]"), "addresses are written x@x"),
    (re.compile(r"https?://[a-z0-9.\\-]+/[a-z0-9]"), "of a URL only scheme and host stay"),
)


class Severity(StrEnum):
    """How much a finding matters."""

    #: the rule set does not do what it says
    ERROR = "error"
    #: probably not what was meant
    WARNING = "warning"
    #: worth knowing: rules that overlap
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or odd about ``rule``."""

    severity: Severity
    rule: Rule
    problem: str
    remedy: str


def check_rules(rules: RuleSet) -> list[Finding]:
    """Return what is wrong with ``rules``, errors first; a file that cannot be loaded raises earlier."""
    findings = [*_find_dead_conditions(rules.rules), *_find_duplicates(rules.rules), *_find_by_examples(rules)]
    order = list(Severity)
    return sorted(findings, key=lambda finding: (order.index(finding.severity), finding.rule.file, finding.rule.line))


def _find_dead_conditions(rules: tuple[Rule, ...]) -> list[Finding]:
    """Find conditions that no text or host fulfils, however the examples are written."""
    findings: list[Finding] = []
    for rule in rules:
        for host in rule.hosts:
            if not _HOST.fullmatch(host):
                findings.append(
                    Finding(
                        Severity.ERROR,
                        rule,
                        f"host {host!r} never holds: it is no DNS suffix",
                        'Write the bare suffix, as in "example.jp"; hosts below it are meant too.',
                    )
                )
        for alternative in alternatives_of(rule.pattern):
            seen = next((why for mark, why in _NEVER_SEEN if mark.search(alternative)), "")
            if seen:
                findings.append(
                    Finding(
                        Severity.ERROR,
                        rule,
                        f"{alternative!r} never matches: {seen}",
                        "Write it as rules see the text: docs/rules.md, What a pattern sees.",
                    )
                )
    return findings


def _find_duplicates(rules: tuple[Rule, ...]) -> list[Finding]:
    findings: list[Finding] = []
    seen: dict[tuple[object, ...], Rule] = {}
    #: by all conditions but the pattern, the rules before and their alternatives
    before: dict[tuple[object, ...], list[tuple[Rule, set[str]]]] = {}
    for rule in rules:
        conditions = (rule.hosts, rule.commands, rule.reply_codes, rule.statuses)
        first = seen.setdefault((rule.pattern.lower(), *conditions), rule)
        if first is not rule:
            findings.append(
                Finding(
                    Severity.ERROR,
                    rule,
                    f"unreachable: {first.id} ({first.file}:{first.line}) has the same conditions and is asked first",
                    "Delete one of the two.",
                )
            )
            continue
        alternatives = set(alternatives_of(rule.pattern))
        others = before.setdefault(conditions, [])
        for other, its_alternatives in others:
            shared = alternatives & its_alternatives
            if shared:
                is_covered = shared == alternatives
                findings.append(
                    Finding(
                        Severity.ERROR if is_covered else Severity.WARNING,
                        rule,
                        f"{'unreachable' if is_covered else 'duplicate'}: {other.id} already has {sorted(shared)[0]!r}",
                        "Delete the shared alternative from one of the two.",
                    )
                )
        others.append((rule, alternatives))
    return findings


def alternatives_of(pattern: str) -> list[str]:
    """Split ``pattern`` at its outermost bars."""
    parts, depth, start, at = [], 0, 0, 0
    in_class = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "|" and depth == 0:
            parts.append(pattern[start:at].lower())
            start = at + 1
        at += 1
    return [part for part in (*parts, pattern[start:].lower()) if part]


def _find_by_examples(rules: RuleSet) -> list[Finding]:
    findings: list[Finding] = []
    for rule in rules.rules:
        winners: list[Rule] = []
        others: set[str] = set()
        for example in rule.examples:
            evidence = evidence_of(example, host=rule.hosts[0] if rule.hosts else "", rule=rule)
            matching = rules.matcher.matching(evidence)
            winners.append(matching[0])
            others |= {other.id for other in matching if other is not rule and other.cause is not rule.cause}
        wrong = [winner for winner in winners if winner.cause is not rule.cause]
        if wrong and all(winner is not rule for winner in winners):
            findings.append(_decided_elsewhere(rule, wrong[0], is_unreachable=True))
        elif wrong:
            findings.append(_decided_elsewhere(rule, wrong[0], is_unreachable=False))
        if others:
            findings.append(
                Finding(
                    Severity.NOTE,
                    rule,
                    f"its examples also match {', '.join(sorted(others))}",
                    "Nothing to do if the order is meant.",
                )
            )
    return findings


def _decided_elsewhere(rule: Rule, winner: Rule, *, is_unreachable: bool) -> Finding:
    what = "every example is" if is_unreachable else "an example is"
    return Finding(
        Severity.ERROR if is_unreachable else Severity.WARNING,
        rule,
        f"{what} decided by {winner.id} ({winner.cause.value}, {winner.file}:{winner.line})",
        "Raise the priority of this rule, narrow the other, or give an example that only this rule matches.",
    )
