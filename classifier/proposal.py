"""Proposes a rule for a cluster of unknown replies: a start for a person, never put in force by itself. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import re2

from classifier.clusters import Cluster, tokens_of
from classifier.matcher import evidence_of, subject_of
from classifier.rule import Evidence, Rule
from classifier.rulefile import RuleSet
from classifier.template import example_of
from model.cause import SPECS, Cause, SuppressPolicy

#: Below the 0.6 from which a verdict may suppress: a guess counts, and silences nobody.
CONFIDENCE = 0.5
_MAX_PATTERN, _MAX_EXAMPLES = 160, 3
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
    #: share of the cluster's example replies the pattern matches
    covered: float
    #: examples of other rules, of another cause, that the pattern would take over
    taken: tuple[str, ...] = ()
    #: the host all replies came from, when there is one
    host: str = ""

    def as_toml(self) -> str:
        """Return the rule as it may be saved in a rule file."""
        policy = SPECS[self.cause].suppress
        lines = [f"# {self.count} replies no rule decided. The cause is a guess from {self.guessed_from}: check it."]
        if policy not in _SILENT:
            lines.append(f"# This cause can suppress recipients ({policy.value}).")
        lines += [f"# The pattern also matches an example of {rule}: narrow it." for rule in self.taken]
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


def propose_rule(cluster: Cluster, rules: RuleSet, taken_ids: frozenset[str] = frozenset()) -> Proposal | None:
    """Return a rule for ``cluster`` that ``rules`` can take in; None when its replies share no words that tell.

    Arguments: ``taken_ids`` are ids proposed already.
    """
    best: Proposal | None = None
    cause, guessed_from = guess_cause(cluster, rules)
    identity = _identity(cluster, {rule.id for rule in rules.rules} | taken_ids)
    for pattern in _patterns(cluster):
        search = _searcher(pattern)
        matched = [reply for reply in cluster.examples if search(subject_of(reply.text))]
        examples = dict.fromkeys(example_of(reply.text) for reply in matched)
        examples = {example: None for example in examples if search(subject_of(example))}
        if not examples or search(""):
            continue
        taken = _taken(search, cause, rules.rules)
        hosts = list(cluster.hosts)
        proposal = Proposal(
            identity, cause, guessed_from, pattern, tuple(examples)[:_MAX_EXAMPLES], cluster.count,
            len(matched) / len(cluster.examples), taken, hosts[0] if len(hosts) == 1 and cluster.count > 2 else "",
        )  # fmt: skip
        if best is None or (len(taken), -proposal.covered) < (len(best.taken), -best.covered):
            best = proposal
        if not taken and proposal.covered == 1:
            break
    return best


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


def _searcher(pattern: str):  # type: ignore[no-untyped-def]  # re2 has no types
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(pattern, options).search


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
    return [pattern for pattern in tried if len(pattern) <= _MAX_PATTERN + 40]


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
    return _cut_runs(template, tokens, stable)


def _cut_runs(template: str, tokens: Sequence[str], stable: Sequence[bool]) -> list[tuple[int, str]]:
    runs: list[tuple[int, str]] = []
    start = end = at = 0
    for token, is_stable in zip((*tokens, "<end>"), (*stable, False), strict=True):
        place = template.find(token, at) if is_stable else -1
        if is_stable and place >= 0 and place + len(token) - start <= _MAX_PATTERN:
            start = place if end <= start else start
            end = at = place + len(token)
            continue
        if end > start:
            runs.append((start, template[start:end].strip(" .,;:!-")))
        if is_stable and place >= 0:
            start, end = place, place + len(token)
            at = end
            continue
        at = max(at, template.find(token, at) + len(token))
        start = end = at
    return [run for run in runs if run[1]]


def _letters(text: str) -> int:
    """Return how much ``text`` tells: its letters, a Japanese one counting twice."""
    return sum((2 if ord(letter) > 0x3000 else 1) for letter in text if letter.isalpha())


def _escape(text: str) -> str:
    return _META.sub(r"\\\g<0>", text)


def _taken(search: object, cause: Cause, rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return the rules of another cause, no stronger than a new one, whose examples ``search`` finds."""
    found: list[str] = []
    for rule in rules:
        if rule.cause is cause or not rule.pattern:
            continue
        if any(search(evidence_of(example).text) for example in rule.examples):  # type: ignore[operator]
            found.append(rule.id)
    return tuple(found[:5])


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
