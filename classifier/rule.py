"""A rule: on what it applies, and the cause it states. Plain data; ``rulefile`` reads it, ``matcher`` applies it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from model.cause import Cause, Permanence, Reason

#: Priorities a rule gets unless it states one: the most specific evidence wins (docs/rules.md).
PRIORITY_SCOPED_TEXT = 80
PRIORITY_TEXT = 60
PRIORITY_STATUS = 40
PRIORITY_REPLY = 20
#: From here on words decide, below it only codes and filler.
PRIORITY_WEAK_TEXT = 26
#: From here on a rule stands, whatever words weighed together make probable.
PRIORITY_CERTAIN = 58

#: S21, with room for more rules than its 500: one Set holds them all, so their number hardly costs time.
MAX_RULES = 2_000
MAX_PATTERN = 4 * 1024


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of knowledge: when all stated conditions hold, the failure has this cause."""

    id: str
    cause: Cause
    #: RE2, case-insensitive, searched in the reply with its white space collapsed; "" for a code rule
    pattern: str = ""
    #: DNS suffixes of the server that spoke or of the recipient's domain; empty means everywhere
    hosts: tuple[str, ...] = ()
    #: SMTP commands after which the reply must have come, upper case; empty means any or unknown
    commands: tuple[str, ...] = ()
    #: reply codes, ``550``, or a class, ``5``
    reply_codes: tuple[str, ...] = ()
    #: enhanced status codes, ``5.1.1``, of any class, ``x.1.1``, or of a whole subject, ``x.1``
    statuses: tuple[str, ...] = ()
    #: what the reply proves about permanence, when it is not what the cause says
    permanence: Permanence | None = None
    #: the class that the reply states, when it is not the cause's (mission A6)
    reason: Reason | None = None
    #: 0.0 to 1.0
    confidence: float = 1.0
    #: 0 to 100; the highest matching rule decides, then the earlier one
    priority: int = PRIORITY_TEXT
    #: where the knowledge comes from
    source: str = ""
    examples: tuple[str, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def is_scoped(self) -> bool:
        """Whether the rule holds only for some hosts or commands."""
        return bool(self.hosts or self.commands)

    def applies(self, evidence: Evidence) -> bool:
        """Whether every condition but the pattern holds for ``evidence``."""
        if self.hosts and not evidence.is_of(self.hosts):
            return False
        if self.commands and evidence.command not in self.commands:
            return False
        if self.statuses and not any(status in self.statuses for status in evidence.status_forms):
            return False
        return not self.reply_codes or any(code in self.reply_codes for code in evidence.reply_forms)


class Evidence(NamedTuple):
    """Everything known of one failure when rules are asked; equal evidence gets an equal verdict."""

    #: the reply or notification, white space collapsed
    text: str = ""
    status: str = ""
    reply_code: int = 0
    #: names of the server that spoke and the recipient's domain, lower case
    hosts: tuple[str, ...] = ()
    command: str = ""

    @property
    def status_forms(self) -> tuple[str, ...]:
        """The ways a rule may spell the status: in full, with any class, and the subject alone (RFC 3463 2)."""
        status = self.status
        return (status, f"x{status[1:]}", f"x{status[1:].rpartition('.')[0]}") if status else ()

    @property
    def reply_forms(self) -> tuple[str, ...]:
        """The ways a rule may spell the reply code: in full, and its class."""
        code = str(self.reply_code)
        return (code, code[0]) if self.reply_code else ()

    def is_of(self, suffixes: tuple[str, ...]) -> bool:
        """Whether one of the hosts is, or lies below, one of ``suffixes``."""
        return any(host == suffix or host.endswith(f".{suffix}") for host in self.hosts for suffix in suffixes)
