"""From a mail that came back to the facts it proves. Pure: no clock, no disk, no network.

What each kind of mail becomes, at each kind of address, is the table of docs/smtp.md ("What becomes of a mail").
Whatever proves nothing becomes an UNMATCHED fact with the raw mail, so that nothing is lost (S23, T02).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from model.cause import Cause, Channel, Permanence
from model.detail import (
    AutoReplied,
    Complained,
    Detail,
    Report,
    Trust,
    Unmatched,
    Unsubscribed,
    UnsubscribeVia,
)
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from model.keyring import KeyRing
from model.reading import Absence, Action, Kind, Reading, RecipientReading
from model.token import Token, TokenType, day_of
from mta.correlate import Correlation, Step, correlate, find_destinations
from mta.envelope import Envelope
from mta.headers import Headers, origin_of, parse_headers, split
from mta.recipients import Match, choose_blocks
from mta.return_path import Destination, DestinationKind, ReturnPaths
from mta.sharing import shared_mark

#: a bounce of an older mail suppresses nobody (S23)
BOUNCE_DAYS = 30
#: an older mail's complaint is kept but not counted; unsubscribes have no such limit (T5)
COMPLAINT_DAYS = 180
#: below this, a verdict counts but suppresses nobody
SURE = 0.6
#: how sure we are of a verdict on an address other than the one mailed (A20)
FORWARDED = 0.5

#: feedback types that are complaints (RFC 5965 7.3, mission 3.2); W17: ``not-spam`` is none
COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list"})

_TYPES = {
    Action.FAILED: FactType.FAILED,
    Action.DELAYED: FactType.DEFERRED,
    Action.DELIVERED: FactType.RELAYED,
    Action.RELAYED: FactType.RELAYED,
    Action.EXPANDED: FactType.RELAYED,
}
_REPORTS = {
    Kind.BOUNCE: Action.FAILED,
    Kind.DELAY_WARNING: Action.DELAYED,
    Kind.DELIVERED_NOTICE: Action.DELIVERED,
}


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What the intake needs to know of this machine.

    ``plain_tenant`` is whose mail to a plain address is. ``trusted_steps``: rungs of the ladder whose tokens
    may suppress; over SMTP only the address itself.
    """

    node: int = 0
    plain_tenant: int = 0
    trusted_steps: frozenset[Step] = frozenset({Step.RCPT})
    #: octets of a raw mail kept with an UNMATCHED fact
    raw_bytes: int = 1024 * 1024
    #: whether a tenant shares with others which addresses do not exist (E39)
    shares_bounces: Callable[[int], bool] = lambda _tenant: False


class Mail(NamedTuple):
    """A mail as the intake sees it, whatever way it came."""

    content: bytes
    headers: Headers
    #: its identity (mta.headers.origin_of)
    origin: bytes
    at_us: int
    has_bare_newline: bool = False

    @classmethod
    def of(cls, content: bytes, at_us: int, *, has_bare_newline: bool | None = None) -> Mail:
        """Read header and identity of ``content``, seen at ``at_us``.

        ``has_bare_newline`` is None for a mail from a file, whose line ends say nothing.
        """
        header, body = split(content)
        headers = parse_headers(header)
        origin = origin_of(headers, body, has_no_bare_cr=has_bare_newline is False)
        return cls(content, headers, origin, at_us, bool(has_bare_newline))


def take_in(
    envelope: Envelope,
    reading: Reading | None,
    destinations: tuple[Destination, ...],
    keys: KeyRing,
    rules: IntakeRules,
    return_paths: ReturnPaths | None = None,
) -> list[Fact]:
    """Return the facts of one SMTP transaction, at least one for each destination.

    Arguments: ``reading`` is None when the mail could not be read in time (S19); ``return_paths`` lets the
    mail's address fields name the delivery when the address at RCPT does not.
    """
    mail = Mail.of(envelope.content, envelope.received_at_us, has_bare_newline=envelope.has_bare_newline)
    # Only a plain address leaves it open which delivery is meant.
    is_open = DestinationKind.PLAIN in [destination.kind for destination in destinations]
    named = find_destinations(mail.headers, return_paths, keys) if is_open and return_paths is not None else []
    facts: list[Fact] = []
    for destination in destinations:
        if reading is None:
            facts.append(_unmatched(mail, None, destination, rules, "unparsed"))
        else:
            found = correlate(reading, destination, keys, named=named)
            facts += facts_of(mail, reading, destination, found, keys, rules)
    return facts


def facts_of(
    mail: Mail, reading: Reading, destination: Destination, found: Correlation, keys: KeyRing, rules: IntakeRules
) -> list[Fact]:
    """Return what ``mail`` proves of the delivery that ``found`` names; one UNMATCHED fact when nothing."""
    why = _objection(mail, reading, destination, found)
    if why or found.token is None:
        return [_unmatched(mail, reading, destination, rules, why or found.why)]
    token = found.token
    if destination.kind is DestinationKind.UNSUBSCRIBE:
        wish = Unsubscribed(UnsubscribeVia.MAIL, origin=mail.origin)
        return [_fact(FactType.UNSUBSCRIBED, mail, token, wish, rules)]
    if destination.kind is DestinationKind.FEEDBACK:
        complained = Complained(reading.feedback_type or "other", mail.origin)
        return [_fact(FactType.COMPLAINED, mail, token, complained, rules)]
    if reading.kind is Kind.AUTO_REPLY:
        return [_fact(FactType.AUTO_REPLIED, mail, token, _auto_replied(mail, reading), rules)]
    return list(_reports(mail, reading, found, keys, rules))


def _objection(mail: Mail, reading: Reading, destination: Destination, found: Correlation) -> str:
    """Return why this mail is no evidence at this address; empty when it is."""
    if destination.kind is DestinationKind.UNSUBSCRIBE:
        # S25: the token decides, never From; but an automatic mail is nobody's wish.
        auto = (mail.headers.first("auto-submitted") or "no").partition(";")[0].strip().lower()
        return "automatic" if auto != "no" or reading.kind is not Kind.NOT_BOUNCE else ""
    if destination.kind is DestinationKind.FEEDBACK:
        return _feedback_objection(mail, reading, found)
    if reading.kind is Kind.FEEDBACK_REPORT:
        return "not at the feedback address"
    if reading.kind is Kind.NOT_BOUNCE:
        return "unparsed" if reading.form == "unreadable" else "not a report"
    return ""


def _feedback_objection(mail: Mail, reading: Reading, found: Correlation) -> str:
    if reading.kind is not Kind.FEEDBACK_REPORT:
        return "not a feedback report"
    if (reading.feedback_type or "other") not in COMPLAINTS:
        return "no complaint"
    if mail.has_bare_newline:
        return "bare newline"
    if found.token is not None and not 0 <= _age(mail, found.token) <= COMPLAINT_DAYS:
        return "expired"
    return ""


def _reports(mail: Mail, reading: Reading, found: Correlation, keys: KeyRing, rules: IntakeRules) -> Iterator[Fact]:
    token = found.token
    assert token is not None
    default = _REPORTS[reading.kind]
    blocks = choose_blocks(reading.recipients, token, keys) or [(RecipientReading(None, action=default), Match.UNNAMED)]
    for block, match in blocks:
        report = _report(mail, reading, block, match, found, keys, rules)
        yield _fact(_TYPES[block.action], mail, token, report, rules)


def _report(
    mail: Mail, reading: Reading, block: RecipientReading, match: Match, found: Correlation, keys: KeyRing,
    rules: IntakeRules,
) -> Report:  # fmt: skip
    verdict = block.verdict
    cause, permanence, confidence, rule = None, Permanence.UNKNOWN, 1.0, ""
    if verdict is not None:
        cause, permanence, confidence, rule = verdict.cause, verdict.permanence, verdict.confidence, verdict.rule
    elif block.action is Action.FAILED:
        # A10: a bounce, as our token proves, but nobody knows why.
        cause, confidence, rule = Cause.UNPARSABLE, SURE, "none"
    if match is Match.OTHER:
        confidence = min(confidence, FORWARDED)
    trust = _trust(mail, match, confidence, found, rules)
    return Report(
        channel=Channel.OUT_OF_BAND,
        origin=mail.origin,
        cause=cause,
        permanence=permanence,
        trust=trust,
        confidence=confidence,
        status=block.status,
        reply_code=block.reply_code,
        command=block.command,
        diagnostic=block.diagnostic,
        rule=rule,
        rules_version=verdict.rules_version if verdict is not None else reading.rules_version,
        address=block.address,
        final_address=block.final_address,
        remote_mta=block.remote_mta,
        reporting_mta=reading.reporting_mta,
        global_mark=shared_mark(block, trust, found.token, keys, rules.shares_bounces),
    )


def _trust(mail: Mail, match: Match, confidence: float, found: Correlation, rules: IntakeRules) -> Trust:
    """Return whether a report may suppress: all of S1, S23 and A20 must allow it."""
    token = found.token
    may_suppress = (
        token is not None
        and found.how in rules.trusted_steps
        # What only unsubscribes stands in every mail's visible header; it finds a delivery, but proves no bounce.
        and token.type in (TokenType.RETURN_PATH, TokenType.MESSAGE)
        and not found.is_contradicted
        and not mail.has_bare_newline
        # One day of grace for a sender's clock that runs ahead of ours.
        and -1 <= _age(mail, token) <= BOUNCE_DAYS
        and confidence >= SURE
        and match is not Match.OTHER
    )
    return Trust.SUPPRESS if may_suppress else Trust.COUNT


def _age(mail: Mail, token: Token) -> int:
    return day_of(mail.at_us) - token.day


def _auto_replied(mail: Mail, reading: Reading) -> AutoReplied:
    text = next((block.diagnostic for block in reading.recipients if block.diagnostic), "") or reading.subject
    absence = reading.absence or Absence()
    return AutoReplied(
        reading.auto_reply.value if reading.auto_reply else "vacation",
        mail.origin,
        text[:500],
        back_on=absence.back_on.isoformat() if absence.back_on else None,
        new_address=absence.new_addresses[0] if absence.new_addresses else None,
        sentence=" ".join(absence.sentences)[:500],
    )


def _fact(fact_type: FactType, mail: Mail, token: Token, detail: Detail, rules: IntakeRules) -> Fact:
    return Fact(
        type=fact_type,
        key=DeliveryKey(token.tenant, token.broadcast, token.recipient),
        at_us=mail.at_us,
        detail=detail,
        node=rules.node,
        is_test=token.is_test,
        is_html=token.is_html,
    )


def _unmatched(mail: Mail, reading: Reading | None, destination: Destination, rules: IntakeRules, why: str) -> Fact:
    token = destination.token
    key = DeliveryKey(rules.plain_tenant, 0, 0)
    if token is not None:
        key = DeliveryKey(token.tenant, token.broadcast, token.recipient)
    block = reading.recipients[0] if reading is not None and reading.recipients else RecipientReading(None)
    detail = Unmatched(
        kind="unparsed" if reading is None else reading.kind.value,
        origin=mail.origin,
        address=block.address,
        cause=block.verdict.cause if block.verdict is not None else None,
        diagnostic=block.diagnostic,
        subject="" if reading is None else reading.subject[:500],
        why=why,
        raw=zlib.compress(mail.content[: rules.raw_bytes], 1),
    )
    return Fact(
        type=FactType.UNMATCHED,
        key=key,
        at_us=mail.at_us,
        detail=detail,
        node=rules.node,
        is_test=token is not None and token.is_test,
    )
