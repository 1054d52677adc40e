"""Says why a reply got its verdict: which rules hold, which one decides, and what each other lost by. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import re2

from classifier.judge import Judge, decides_permanence
from classifier.rule import PRIORITY_WEAK_TEXT, Evidence, Rule
from classifier.rulefile import RuleSet
from classifier.words import Guess
from model.cause import SPECS, Cause, CausePermanence, Permanence, SuppressPolicy, is_hard
from model.reading import Verdict

#: Below this confidence a failure suppresses nobody (mta.intake.SURE; a test holds the two together).
SURE = 0.6
#: Causes that say too little to suppress by themselves (mission A1; store.suppression).
_NEVER_ALONE = frozenset({Cause.POLICY_REJECTED, Cause.NO_REASON})
_MAX_NEAR = 5
_POLICIES = {
    SuppressPolicy.LADDER: "suppressed at once, for longer after every further failure",
    SuppressPolicy.DAYS_30: "suppressed for 30 days",
    SuppressPolicy.DAYS_180: "suppressed for 180 days",
    SuppressPolicy.FOREVER: "suppressed until an operator lifts it",
    SuppressPolicy.SCORE: "adds to the soft score; enough of it suppresses for 30 days",
    SuppressPolicy.NO: "suppresses nobody",
    SuppressPolicy.NEVER: "suppresses nobody, whatever a profile says: the fault is the sender's own",
}
_BUILT_IN = {
    "built-in:unmatched": "No rule holds, and a server said something: nobody understands it yet.",
    "built-in:no-words": "No rule holds, and nobody gave a reason in words.",
}
_TOO_LITTLE = "says too little: the weighed words decide"


@dataclass(frozen=True, slots=True)
class Loser:
    """A rule that holds too, and what it lost by; or one whose words match but which does not hold."""

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say of one verdict."""

    evidence: Evidence
    verdict: Verdict
    #: None when a built-in step decided
    winner: Rule | None
    #: why the winner won
    why: str
    #: what the permanence rests on
    permanence_why: str
    #: strongest first
    losers: tuple[Loser, ...]
    #: rules whose pattern matches while another of their conditions does not hold, strongest first, at most five
    near: tuple[Loser, ...]


def explain(rules: RuleSet, evidence: Evidence) -> Explanation:
    """Return why ``evidence`` gets its verdict by ``rules``."""
    judge = Judge(rules)
    verdict = judge.decide(evidence)
    holding = rules.matcher.matching(evidence)
    guess = judge.guess(holding[0] if holding else None, evidence)
    winner = holding[0] if holding and guess is None else None
    others = holding[1:] if guess is None else holding
    return Explanation(
        evidence,
        verdict,
        winner,
        _why(rules, evidence, verdict, winner, guess, holding),
        _why_permanence(winner, verdict, evidence),
        tuple(Loser(rule, _why_it_lost(winner, rule) if winner else _TOO_LITTLE) for rule in others),
        tuple(_near(rules, evidence, holding)),
    )


def policy_text(policy: SuppressPolicy) -> str:
    """Return what ``policy`` does, in words."""
    return _POLICIES[policy]


def can_suppress(verdict: Verdict) -> bool:
    """Whether a failure with ``verdict``, proved by our token, can put its recipient on the suppression list."""
    return not _why_it_cannot(verdict)


def suppression_text(verdict: Verdict) -> str:
    """Return in words what a failure with ``verdict``, proved by our token, does to its recipient."""
    policy = SPECS[verdict.cause].suppress
    reason = _why_it_cannot(verdict)
    if policy in (SuppressPolicy.NO, SuppressPolicy.NEVER) or not reason:
        return f"{policy.value}: {policy_text(policy)}"
    return f"suppresses nobody: {reason} (policy of the cause: {policy.value})"


def _why_it_cannot(verdict: Verdict) -> str:
    policy = SPECS[verdict.cause].suppress
    if policy in (SuppressPolicy.NO, SuppressPolicy.NEVER):
        return "its cause does not"
    if verdict.confidence < SURE:
        return f"a confidence of {verdict.confidence:g} is below {SURE:g}"
    if policy is SuppressPolicy.SCORE:
        return "it says too little by itself" if verdict.cause in _NEVER_ALONE else ""
    return "" if verdict.permanence is Permanence.PERMANENT else "the failure is not permanent"


def views_of(verdict: Verdict) -> dict[str, str | None]:
    """Return what the other vocabularies call the cause of ``verdict``; None where they have no word."""
    spec = SPECS[verdict.cause]
    event, reject = spec.anymail
    return {
        "sansan": spec.sansan.value if spec.sansan else None,
        "engagelab_soft": spec.engagelab_soft,
        "engagelab_invalid": spec.engagelab_invalid,
        "ses": spec.ses,
        "anymail": f"{event}/{reject}" if reject else event,
        "sisimai": spec.sisimai,
    }


def hardness(verdict: Verdict) -> str:
    """Return ``hard`` or ``soft``, as reports count (mission 4.2)."""
    return "hard" if is_hard(verdict.cause, verdict.permanence) else "soft"


def conditions_of(rule: Rule) -> str:
    """Return in words what ``rule`` looks at."""
    looks = ["words"] if rule.pattern else []
    looks += ["status"] if rule.statuses else []
    looks += ["reply code"] if rule.reply_codes else []
    looks += ["host"] if rule.hosts else []
    looks += ["command"] if rule.commands else []
    return " + ".join(looks)


def _why(
    rules: RuleSet,
    evidence: Evidence,
    verdict: Verdict,
    winner: Rule | None,
    guess: Guess | None,
    holding: Sequence[Rule],
) -> str:
    if winner:
        return _why_it_won(winner, len(holding) - 1)
    if guess is None or rules.words is None:
        return _BUILT_IN.get(verdict.rule, "")
    return _why_words(guess, rules.words.words_for(guess.reason, evidence.text), holding)


def _why_it_won(winner: Rule, others: int) -> str:
    looks = f"It looks at {conditions_of(winner)} and has priority {winner.priority}"
    if not others:
        return f"{looks}; no other rule holds."
    return f"{looks}, the strongest of {others + 1} rules that hold."


def _why_words(guess: Guess, words: Sequence[str], holding: Sequence[Rule]) -> str:
    speaking = f"the words make it probable ({guess.probability:.2f}): {', '.join(words)}."
    if holding and holding[0].priority >= PRIORITY_WEAK_TEXT:
        return f"The strongest rule has only priority {holding[0].priority}; {speaking}"
    return f"No rule says more than a code does; {speaking}"


def _why_it_lost(winner: Rule | None, rule: Rule) -> str:
    """Name the first thing that puts ``rule`` behind ``winner``: scope, specificity, priority, order."""
    assert winner is not None
    if rule.priority == winner.priority:
        place = f"{winner.file}:{winner.line} comes before {rule.file}:{rule.line}"
        return f"order: the same priority {rule.priority}, and {place}"
    numbers = f"priority {rule.priority} against {winner.priority}"
    if winner.pattern and not rule.pattern:
        return f"specificity: only {conditions_of(rule)}, where words decide ({numbers})"
    if winner.is_scoped and not rule.is_scoped:
        scope = "this host" if winner.hosts else "this command"
        return f"scope: holds everywhere, the other for {scope} ({numbers})"
    if not winner.pattern and rule.pattern:
        return f"specificity: its words fit several causes, the code says more ({numbers})"
    if winner.statuses and not rule.statuses and not rule.pattern:
        return f"specificity: a reply code says less than a status ({numbers})"
    return f"priority: {numbers}"


def _why_permanence(winner: Rule | None, verdict: Verdict, evidence: Evidence) -> str:
    if winner is not None and winner.permanence is not None:
        return f"the rule says {winner.permanence.value}"
    if SPECS[verdict.cause].permanence is CausePermanence.TRANSIENT:
        return "the cause is transient by nature"
    decider = decides_permanence(evidence)
    if decider:
        return decider + (" (reply code and status disagree)" if verdict.conflict else "")
    if verdict.permanence is Permanence.UNKNOWN:
        return "neither reply code nor status tells"
    return "the cause is permanent unless a code says otherwise"


def _near(rules: RuleSet, evidence: Evidence, holding: list[Rule]) -> list[Loser]:
    """Return the strongest rules whose words match but whose host, command or codes do not."""
    known = {rule.id for rule in holding}
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    found: list[Loser] = []
    for rule in rules.rules:
        is_conditional = rule.pattern and (rule.is_scoped or rule.statuses or rule.reply_codes)
        if not is_conditional or rule.id in known or rule.applies(evidence):
            continue
        if re2.compile(rule.pattern, options).search(evidence.text) is not None:
            found.append(Loser(rule, f"holds only for {_missing(rule, evidence)}"))
            if len(found) >= _MAX_NEAR:
                break
    return found


def _missing(rule: Rule, evidence: Evidence) -> str:
    lacking: list[str] = []
    if rule.hosts and not evidence.is_of(rule.hosts):
        lacking.append("host " + ", ".join(rule.hosts[:3]) + (" …" if len(rule.hosts) > 3 else ""))
    if rule.commands and evidence.command not in rule.commands:
        lacking.append("command " + ", ".join(rule.commands))
    if rule.statuses and not set(rule.statuses) & set(evidence.status_forms):
        lacking.append("status " + ", ".join(rule.statuses[:5]))
    if rule.reply_codes and not set(rule.reply_codes) & set(evidence.reply_forms):
        lacking.append("reply code " + ", ".join(rule.reply_codes))
    return "; ".join(lacking)
