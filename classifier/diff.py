"""Compares two rule sets over the same mails and replies: whose verdict flips (N05, T13). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from classifier.classify import Classifier
from classifier.explain import can_suppress
from model.cause import Cause, Permanence
from model.reading import Verdict


@dataclass(frozen=True, slots=True)
class Flip:
    """One recipient of one mail, or one reply, on which the two sets disagree."""

    #: file, with line for a reply
    name: str
    address: str | None
    old: Verdict
    new: Verdict

    @property
    def is_in_meaning(self) -> bool:
        """Whether more than the name of the deciding rule changed."""
        return _meaning(self.old) != _meaning(self.new)

    @property
    def suppression(self) -> str:
        """``begins`` or ``ends`` when the flip decides whether the recipient can be suppressed; "" otherwise."""
        before, after = can_suppress(self.old), can_suppress(self.new)
        return "" if before == after else "begins" if after else "ends"


@dataclass(slots=True)
class Comparison:
    """All flips, and how much was compared."""

    mails: int = 0
    replies: int = 0
    recipients: int = 0
    flips: list[Flip] = field(default_factory=list)

    @property
    def changes(self) -> list[Flip]:
        """The flips that change cause, reason, permanence or deadness."""
        return [flip for flip in self.flips if flip.is_in_meaning]

    @property
    def summary(self) -> list[tuple[Cause, Cause, Permanence, Permanence, int]]:
        """How often what became what, the most frequent first."""
        counts = Counter(
            (flip.old.cause, flip.new.cause, flip.old.permanence, flip.new.permanence) for flip in self.changes
        )
        return [(*key, count) for key, count in counts.most_common()]


def compare(
    old: Classifier, new: Classifier, mails: Iterable[tuple[str, bytes]], replies: Iterable[tuple[str, str]] = ()
) -> Comparison:
    """Return where ``new`` decides otherwise than ``old``; both iterables yield (name, content)."""
    found = Comparison()
    for name, raw in mails:
        found.mails += 1
        before, after = old.read(raw), new.read(raw)
        # Forms do not depend on rules: both see the same recipients.
        for one, other in zip(before.recipients, after.recipients, strict=True):
            if one.verdict is not None and other.verdict is not None:
                _note(found, Flip(name, one.address, one.verdict, other.verdict))
    for name, text in replies:
        found.replies += 1
        _note(found, Flip(name, None, old.diagnose(text), new.diagnose(text)))
    return found


def _note(found: Comparison, flip: Flip) -> None:
    found.recipients += 1
    if flip.is_in_meaning or flip.old.rule != flip.new.rule:
        found.flips.append(flip)


def _meaning(verdict: Verdict) -> tuple[object, ...]:
    return verdict.cause, verdict.reason, verdict.permanence, verdict.is_dead
