"""Proposes a rule for a cluster of unknown replies: a start for a person, never put in force by itself. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import re2

from classifier.check import alternatives_of
from classifier.clusters import Cluster, spans_of, tokens_of
from classifier.matcher import evidence_of, subject_of
from classifier.rule import PRIORITY_TEXT, Evidence
from classifier.rulefile import RuleSet
from classifier.template import example_of
from model.cause import SPECS, Cause, SuppressPolicy

#: Below the 0.6 from which a verdict may suppress: a guess counts, and silences nobody.
CONFIDENCE = 0.5
_MAX_PATTERN, _MAX_EXAMPLES = 80, 3
_LETTERS_WANTED = 12
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_NOT_ID = re.compile(r"[^a-z0-9]+")
_SAY_LITTLE = frozenset({Cause.NO_REASON, Cause.UNPARSABLE, Cause.POLICY_REJECTED})
_SILENT = frozenset({SuppressPolicy.NO, SuppressPolicy.NEVER})
# Words that hint at a cause where the codes do not; our own faults come first, since suppression follows the fault.
_HINTS: tuple[tuple[str, Cause], ...] = (
    (r"block ?list|black ?list|dnsbl|rbl", Cause.IP_BLOCKLISTED),
    (r"reputation|blocked|banned", Cause.REPUTATION_BLOCK),
    (r"spf|dkim|dmarc|authentica", Cause.AUTH_FAILED),
    (r"too many|rate|throttl|deferred|slow down", Cause.RATE_LIMITED),
    (r"spam|unsolicited|junk|迷惑", Cause.SPAM_CONTENT),
    (r"virus|malware", Cause.VIRUS_DETECTED),
    (r"relay", Cause.RELAY_DENIED),
    (r"quota|full|storage|容量", Cause.MAILBOX_FULL),
    (r"too (?:large|big)|size limit", Cause.MESSAGE_TOO_LARGE),
    (r"disabled|suspended|inactive|closed|停止|解約", Cause.MAILBOX_DISABLED),
    (r"no such|unknown user|not exist|not found|存在しない|見つかりません", Cause.USER_UNKNOWN),
    (r"tim(?:ed?|e) ?out|connect", Cause.CONNECTION_FAILED),
    (r"internal|temporar|server error|configuration", Cause.REMOTE_CONFIG_ERROR),
    (r"policy|denied|refused|rejected|not allowed|拒否", Cause.POLICY_REJECTED),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that would decide a cluster, and what speaks against taking it as it is."""

    id: str
    cause: Cause
    #: what the cause was guessed from
    guessed_from: str
    pattern: str
    examples: tuple[str, ...]
    count: int
    #: share of the cluster's kept wordings that the pattern matches
    covered: float
    #: the host all replies came from, when there is one
    host: str = ""

    def as_toml(self) -> str:
        """Return the rule as it may be saved in a rule file."""
        policy = SPECS[self.cause].suppress
        replies = "1 reply" if self.count == 1 else f"{self.count} replies"
        lines = [f"# {replies} no rule decided. The cause is a guess from {self.guessed_from}: check it."]
        if policy not in _SILENT:
            lines.append(f"# This cause can suppress recipients ({policy.value}).")
        if self.covered < 1:
            lines.append(f"# The pattern fits {self.covered:.0%} of the wordings.")
        if self.host:
            lines.append(f"# All came from {self.host}; to hold only there: host = {_quoted(self.host)}")
        lines += [
            "[[rule]]",
            f"id = {_quoted(self.id)}",
            f"cause = {_quoted(self.cause.value)}",
            f"pattern = {_quoted(self.pattern)}",
            f"confidence = {CONFIDENCE}  # below 0.6 it counts but suppresses nobody; delete the line when sure",
            'source = "observed replies"',
            "examples = [",
            *(f"  {_quoted(example)}," for example in self.examples),
            "]",
        ]
        return "\n".join(lines) + "\n"


def propose_rule(cluster: Cluster, rules: RuleSet, earlier: Sequence[Proposal] = ()) -> Proposal | None:
    """Return a rule for ``cluster`` that ``rules`` can take in without an error of the linter; None when there is none.

    Then its replies share no words that tell, or the words are those of another rule. Arguments: ``earlier`` are
    proposals that will stand in the same file.
    """
    best: Proposal | None = None
    cause, guessed_from = guess_cause(cluster, rules)
    identity = _identity(cluster, {rule.id for rule in rules.rules} | {proposal.id for proposal in earlier})
    hosts = list(cluster.hosts)
    host = hosts[0] if len(hosts) == 1 and cluster.count > 2 else ""
    for pattern in _patterns(cluster):
        search = _searcher(pattern)
        matched = [reply for reply in cluster.examples if search(subject_of(reply.text))]
        examples = tuple(
            example
            for example in dict.fromkeys(example_of(reply.text) for reply in matched)
            if search(subject_of(example)) and not _is_decided(example, cause, rules, earlier)
        )
        if not examples or search("") or _takes_over(search, pattern, cause, rules, earlier):
            continue
        covered = len(matched) / len(cluster.examples)
        if best is None or covered > best.covered:
            best = Proposal(
                identity, cause, guessed_from, pattern, examples[:_MAX_EXAMPLES], cluster.count, covered, host
            )
        if covered == 1:
            break
    return best


def _is_decided(example: str, cause: Cause, rules: RuleSet, earlier: Sequence[Proposal]) -> bool:
    """Whether ``example``, made harmless, is decided by a rule that is no weaker than a new one."""
    evidence = evidence_of(example)
    rule = rules.matcher.best(evidence)
    if rule is not None and rule.priority >= PRIORITY_TEXT and rule.cause is not cause:
        return True
    return any(_searcher(proposal.pattern)(evidence.text) for proposal in earlier)


def _takes_over(
    search: Callable[[str], Any], pattern: str, cause: Cause, rules: RuleSet, earlier: Sequence[Proposal]
) -> bool:
    """Whether the pattern also finds what other rules are for, or stands in one of them already."""
    for rule in rules.rules:
        if not rule.pattern:
            continue
        if not rule.is_scoped and pattern.lower() in alternatives_of(rule.pattern):
            return True
        if rule.cause is not cause and any(search(evidence_of(example).text) for example in rule.examples):
            return True
    return any(search(subject_of(example)) for proposal in earlier for example in proposal.examples)


def guess_cause(cluster: Cluster, rules: RuleSet) -> tuple[Cause, str]:
    """Return the cause that the commonest status, the words, or the reply code of ``cluster`` suggest."""
    status = cluster.statuses.most_common(1)[0][0] if cluster.statuses else ""
    reply = cluster.reply_codes.most_common(1)[0][0] if cluster.reply_codes else 0
    by_status = rules.matcher.best(Evidence(status=status)) if status else None
    if by_status is not None and by_status.cause not in _SAY_LITTLE:
        return by_status.cause, f"status {status}"
    for pattern, cause in _HINTS:
        match = _searcher(pattern)(cluster.template)
        if match:
            return cause, "its words"
    by_reply = rules.matcher.best(Evidence(reply_code=reply)) if reply else None
    for rule, source in ((by_status, f"status {status}"), (by_reply, f"reply code {reply}")):
        if rule is not None:
            return rule.cause, source
    return Cause.NO_REASON, "nothing"


def _searcher(pattern: str) -> Callable[[str], Any]:
    """Return a search for ``pattern`` as a rule does it."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    search: Callable[[str], Any] = re2.compile(pattern, options).search
    return search


def _patterns(cluster: Cluster) -> list[str]:
    """Return patterns to try, the best first: the longest run of common words, then two runs with a gap."""
    runs = sorted(_stable_runs(cluster), key=lambda run: -_letters(run[1]))
    if not runs:
        return []
    tried = [_escape(run[1]) for run in runs[:3] if _letters(run[1]) >= _LETTERS_WANTED]
    if len(runs) > 1:
        first, second = sorted(runs[:2])
        tried.append(f"{_escape(first[1])}.*{_escape(second[1])}")
    if not tried and _letters(runs[0][1]) >= _LETTERS_WANTED // 2:
        tried = [_escape(runs[0][1])]
    return [pattern for pattern in tried if len(pattern) <= 2 * _MAX_PATTERN]


def _stable_runs(cluster: Cluster) -> list[tuple[int, str]]:
    """Return (place, text) of the runs of words that every wording of the cluster has."""
    template = cluster.template
    tokens = tokens_of(template)
    stable = [not token.startswith("<") or len(token) == 1 for token in tokens]
    for other in cluster.templates[:20]:
        found = [False] * len(tokens)
        for block in SequenceMatcher(None, tokens, tokens_of(other), autojunk=False).get_matching_blocks():
            found[block.a : block.a + block.size] = [True] * block.size
        stable = [one and two for one, two in zip(stable, found, strict=True)]
    runs: list[tuple[int, int]] = []
    is_open = False
    for (start, end), is_stable in zip(spans_of(template), stable, strict=True):
        if is_stable and is_open and end - runs[-1][0] <= _MAX_PATTERN:
            runs[-1] = (runs[-1][0], end)
        elif is_stable:
            runs.append((start, end))
        is_open = is_stable
    return [(start, text) for start, end in runs if (text := template[start:end].strip(" .,;:!-()[]'\"*"))]


def _letters(text: str) -> int:
    """Return how much ``text`` tells: its letters, a Japanese one counting twice."""
    return sum((2 if ord(letter) > 0x3000 else 1) for letter in text if letter.isalpha())


def _escape(text: str) -> str:
    return _META.sub(r"\\\g<0>", text)


def _identity(cluster: Cluster, known: set[str]) -> str:
    words = [token for token in tokens_of(cluster.template) if token.isascii() and token.isalpha() and len(token) > 2]
    base = _NOT_ID.sub("-", "-".join(words[:5])).strip("-") or "reply"
    base = f"unknown-{base}"[:60].rstrip("-")
    name, number = base, 1
    while name in known:
        number += 1
        name = f"{base}-{number}"
    return name


def _quoted(text: str) -> str:
    """Return ``text`` as a TOML string: literal where possible, so that a pattern stays readable."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    if "'" not in printable:
        return f"'{printable}'"
    # A basic TOML string has JSON's escapes.
    return json.dumps(printable, ensure_ascii=False)
