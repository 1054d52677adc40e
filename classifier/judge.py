"""From evidence to a verdict: the strongest rule names the cause, the codes decide about permanence."""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.matcher import is_vague
from classifier.rule import PRIORITY_CERTAIN, PRIORITY_TEXT, PRIORITY_WEAK_TEXT, Evidence, Rule
from classifier.rulefile import RuleSet
from classifier.words import Guess
from model.cause import SPECS, Cause, CausePermanence, Permanence, Reason
from model.reading import Verdict

#: Causes that mean the address or its domain is dead, unless the failure is only temporary.
DEAD_CAUSES = frozenset({
    Cause.USER_UNKNOWN,
    Cause.MAILBOX_DISABLED,
    Cause.MAILBOX_MOVED,
    Cause.ADDRESS_REASSIGNED,
    Cause.ADDRESS_SYNTAX,
    Cause.HOST_UNKNOWN,
    Cause.DOMAIN_NO_MAIL,
})  # fmt: skip
#: Classes that a rule may state beside a cause, with the same meaning.
DEAD_REASONS = frozenset({Reason.USER_UNKNOWN, Reason.HOST_UNKNOWN, Reason.ADDRESS_SYNTAX_ERROR})
#: What a verdict by weighed words names as its rule. Its confidence is below what suppresses (mta.intake.SURE).
BY_WORDS = "built-in:words"
_GUESS_CONFIDENCE = 0.4
#: How long something was tried: "5 days", "72 Stunden", "4日間".
_TIME_SPENT = re.compile(
    r"\d ?(?:days?|hours?|hrs|tagen?|stunden|jours|heures|d[ií]as|horas?|giorni|ore|dagen|uur|dn[ií]|godzin"
    r"|суток|дн|час|日間|日以上|時間|天|小时|小時|일|시간)",
    re.IGNORECASE,
)
_MAX_TIME_SPENT = 2_000
#: How probable words must make a class that a status, however vague, speaks against (mission A1).
AGAINST_STATUS = 0.6
#: ... one that a specific status speaks against,
AGAINST_SPECIFIC_STATUS = 0.75
#: ... and one that the words of a rule speak against.
AGAINST_RULE = 0.85
#: ... and a status as well.
AGAINST_RULE_AND_STATUS = 0.9
#: How probable words must make it that an address lives which the plain words of a certain rule call dead: "domain not
#: found" may be said of the sender's.
AGAINST_DEATH = 0.95
_CACHE_SIZE = 8_192
#: Longest text, in characters, whose rule is remembered: 8,192 of them take at most 32 MB.
_CACHED_TEXT = 1_000


class Judge:
    """Applies one rule set. Equal evidence gets an equal verdict, so verdicts are remembered."""

    def __init__(self, rules: RuleSet) -> None:
        """Build a judge of ``rules``."""
        self.rules = rules
        self._remembered = lru_cache(maxsize=_CACHE_SIZE)(rules.matcher.best)
        #: by rule, class and conflict: all there is to a verdict
        self._stated_before: dict[tuple[str, int, bool], Verdict] = {}

    def strongest(self, evidence: Evidence) -> Rule | None:
        """Return the rule that decides about ``evidence``, None when none does."""
        # Only short texts are remembered, so that a flood of long ones cannot fill the memory.
        if len(evidence.text) > _CACHED_TEXT:
            return self.rules.matcher.best(evidence)
        return self._remembered(evidence)

    def guess(self, rule: Rule | None, evidence: Evidence) -> Guess | None:
        """Return what the words of ``evidence`` make probable.

        None when ``rule``, the strongest that holds, says more, or the same class: then its cause is the finer one.
        The stronger the rule, the more probable another class must be. Where a specific status is all that a rule goes
        by, codes are not weighed as well: they would speak for it twice.
        """
        words = self.rules.words
        is_certain = rule is not None and rule.priority >= PRIORITY_CERTAIN
        if words is None or (is_certain and not _calls_dead(rule)):
            return None
        guess = words.guess(evidence.text, with_codes=not _is_specific_status(rule))
        if guess is None or (rule is not None and guess.reason is (rule.reason or SPECS[rule.cause].reason)):
            return None
        if is_certain and (guess.reason in DEAD_REASONS or guess.probability < AGAINST_DEATH):
            return None
        return guess if is_certain or rule is None or guess.probability >= _least_probability(rule) else None

    def decide(self, evidence: Evidence) -> Verdict:
        """Return the verdict on ``evidence``."""
        return self.state(self.strongest(evidence), evidence)

    def state(self, rule: Rule | None, evidence: Evidence, *, is_warning: bool = False) -> Verdict:
        """Return the verdict when ``rule`` is the strongest that holds for ``evidence``, None when none does.

        ``is_warning``: a warning of a delay speaks of time anyhow, so such words say nothing against a rule.
        """
        guess = self.guess(rule, evidence)
        if guess is not None and not (is_warning and rule is not None and guess.reason is Reason.TIMEOUT):
            return self._guessed(guess, evidence)
        if rule is not None:
            key = (rule.id, _class_of(evidence), _is_conflict(evidence))
            verdict = self._stated_before.get(key)
            if verdict is None:
                verdict = self._stated(rule, evidence)
                if len(self._stated_before) < _CACHE_SIZE:
                    self._stated_before[key] = verdict
            return verdict
        # Mission A10: words that nobody understands are unparsable, no words at all give no reason.
        # A notification that only says it failed states no reason either; a server's reply states one.
        is_reply = evidence.reply_code and has_words(evidence.text)
        cause = Cause.UNPARSABLE if is_reply else Cause.NO_REASON
        return Verdict(
            cause,
            _permanence_of(CausePermanence.EITHER, evidence),
            "built-in:unmatched" if cause is Cause.UNPARSABLE else "built-in:no-words",
            self.rules.version,
            confidence=0.3,
            conflict=_is_conflict(evidence),
        )

    def _guessed(self, guess: Guess, evidence: Evidence) -> Verdict:
        cause = guess.cause
        if guess.reason is Reason.TIMEOUT and _TIME_SPENT.search(evidence.text[:_MAX_TIME_SPENT]):
            # Words tell classes apart; of this one's causes, time that ran out is told by its length.
            cause = Cause.DELIVERY_EXPIRED
        return Verdict(
            cause,
            _permanence_of(SPECS[cause].permanence, evidence),
            BY_WORDS,
            self.rules.version,
            confidence=_GUESS_CONFIDENCE,
            is_dead=cause in DEAD_CAUSES,
            conflict=_is_conflict(evidence),
        )

    def _stated(self, rule: Rule, evidence: Evidence) -> Verdict:
        permanence = rule.permanence or _permanence_of(SPECS[rule.cause].permanence, evidence)
        # A rule that calls a failure temporary (a suspended account) says that the address lives. A reply of
        # class 4 does not: a server may retry an unknown user until the mail expires.
        stated = rule.permanence or Permanence.PERMANENT
        return Verdict(
            rule.cause,
            permanence,
            rule.id,
            self.rules.version,
            confidence=rule.confidence,
            is_dead=(rule.cause in DEAD_CAUSES or rule.reason in DEAD_REASONS) and stated is Permanence.PERMANENT,
            conflict=_is_conflict(evidence),
            stated=rule.reason,
        )


def _calls_dead(rule: Rule | None) -> bool:
    """Whether ``rule`` says by plain words, said anywhere, that an address is dead."""
    return rule is not None and rule.priority <= PRIORITY_TEXT and not rule.is_scoped and rule.cause in DEAD_CAUSES


def _is_specific_status(rule: Rule | None) -> bool:
    return rule is not None and not rule.pattern and bool(rule.statuses) and rule.priority >= PRIORITY_WEAK_TEXT


def _least_probability(rule: Rule) -> float:
    if _is_specific_status(rule):
        return AGAINST_SPECIFIC_STATUS
    if rule.priority >= PRIORITY_WEAK_TEXT:
        return AGAINST_RULE_AND_STATUS if rule.statuses else AGAINST_RULE
    return AGAINST_STATUS if rule.statuses else 0


def has_words(text: str) -> bool:
    """Whether ``text`` says anything in words, beside codes, addresses and host names."""
    words = [word for word in text.split() if word.strip("().,;:#<>").isalpha()]
    return len(words) >= 2


def _class_of(evidence: Evidence) -> int:
    """Return the class that decides about permanence: of the reply, else of the status (mission A17); 0 if none."""
    if evidence.reply_code:
        return evidence.reply_code // 100
    return int(evidence.status[0]) if evidence.status else 0


def decides_permanence(evidence: Evidence) -> str:
    """Return in words which code decides about permanence; "" when none does."""
    klass = _class_of(evidence)
    if not klass:
        return ""
    return f"the reply code is {evidence.reply_code}" if evidence.reply_code else f"the status is {evidence.status}"


def _permanence_of(cause: CausePermanence, evidence: Evidence) -> Permanence:
    if cause is CausePermanence.TRANSIENT:
        return Permanence.TRANSIENT
    klass = _class_of(evidence)
    if klass == 4:
        return Permanence.TRANSIENT
    if klass == 5 or cause is not CausePermanence.EITHER:
        return Permanence.PERMANENT
    return Permanence.UNKNOWN


def _is_conflict(evidence: Evidence) -> bool:
    """Whether reply code and status are of different classes (mission A17)."""
    if not evidence.reply_code or not evidence.status or is_vague(evidence.status):
        return False
    return evidence.reply_code // 100 != int(evidence.status[0])
