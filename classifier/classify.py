"""The classifier: raw mail to ``Reading``, bare reply to ``Verdict``; never raises, whatever the octets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from classifier.addresses import clean_address, find_named
from classifier.evidence import bare_evidence, command_in, reported_evidence
from classifier.forms import FORMS
from classifier.headers import Headers
from classifier.judge import Judge, has_words
from classifier.matcher import collapse
from classifier.message import Message, parse_message
from classifier.noted import may_note, may_note_in_html, passage_about
from classifier.phrases import REPEATED_SUBJECT
from classifier.quoted import cut_original
from classifier.report import DeliveryStatus, Report
from classifier.returned import read_returned
from classifier.rule import PRIORITY_STATUS, PRIORITY_WEAK_TEXT, Evidence, Rule
from classifier.rulefile import RuleSet
from classifier.said import without_summary
from classifier.senders import is_daemon
from model.cause import Cause, Reason
from model.reading import Action, Kind, Reading, RecipientReading, Returned, Verdict

_MAX_SHOWN = 1_000
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_NOT_RETURNED = Returned()
_NO_VERDICT = frozenset({Action.DELIVERED, Action.RELAYED, Action.EXPANDED})


class Classifier:
    """Reads mail and replies by one rule set; safe to share between threads, keeps no state but a cache."""

    def __init__(self, rules: RuleSet) -> None:
        """Build a classifier of ``rules``."""
        self.rules = rules
        self.judge = Judge(rules)

    @property
    def version(self) -> str:
        """The version of its rule set."""
        return self.rules.version

    def read(self, raw: bytes, *, explain: bool = False) -> Reading:
        """Return all that the mail ``raw`` says. Never raises: what cannot be read is ``not_bounce``.

        Arguments: ``explain`` fills ``Reading.steps``.
        """
        steps: list[str] | None = [] if explain else None
        try:
            reading = self._read(raw, steps)
        except Exception as error:  # noqa: BLE001 - the boundary of S19: a mail must never stop its reader
            if steps is not None:
                steps.append(f"failed: {type(error).__name__}")
            reading = Reading(kind=Kind.NOT_BOUNCE, form="unreadable", rules_version=self.version)
        return replace(reading, steps=tuple(steps)) if steps is not None else reading

    def diagnose(
        self,
        text: str,
        *,
        status: str | None = None,
        reply_code: int | None = None,
        host: str | None = None,
        command: str | None = None,
    ) -> Verdict:
        """Return the verdict on a bare reply, as an SMTP log has it.

        Arguments: ``status`` and ``reply_code`` override what stands in ``text``; ``host`` is the server that
        spoke, ``command`` the SMTP command it answered.
        """
        return self.judge.decide(bare_evidence(text, status=status, reply_code=reply_code, host=host, command=command))

    def _read(self, raw: bytes, steps: list[str] | None) -> Reading:
        message = parse_message(raw)
        if steps is not None:
            steps.append(f"parsed: {len(message.parts)} part(s), {message.type}")
        headers = message.headers
        report = _ask_forms(message, steps)
        if report is None and (wrapped := _wrapped_in(message)) is not None:
            message = wrapped
            report = _ask_forms(message, steps)
        if report is None:
            return _reading(Kind.NOT_BOUNCE, headers, self.version, Report(form=""), (), _NOT_RETURNED)
        returned = read_returned(message, report)
        if len(report.recipients) == 1 and returned.to and _names_nobody_else(report.recipients[0], headers):
            # The notification names nobody, or whom it was sent to: the original was for one.
            report.recipients[0].address = returned.to
        notification = _Notification(message)
        recipients = tuple([self._judge_recipient(status, report, notification, steps) for status in report.recipients])
        kind = report.kind or _kind_of(recipients)
        if steps is not None:
            steps.append(f"kind: {kind.value}")
        return _reading(kind, headers, self.version, report, recipients, returned)

    def _judge_recipient(
        self, status: DeliveryStatus, report: Report, notification: _Notification, steps: list[str] | None
    ) -> RecipientReading:
        verdict: Verdict | None = None
        if status.action in _NO_VERDICT:
            evidence = reported_evidence(status, report, status.diagnostic)
        else:
            verdict, evidence = self._weigh(status, report, notification)
            if steps is not None:
                steps.append(f"{status.address or '(no address)'}: {verdict.cause.value} by {verdict.rule}")
        return RecipientReading(
            address=status.address or None,
            final_address=status.final_address or None,
            action=status.action,
            verdict=verdict,
            status=evidence.status or status.status or None,
            reply_code=evidence.reply_code or None,
            command=evidence.command or None,
            diagnostic=collapse(status.diagnostic)[:_MAX_SHOWN],
            remote_mta=status.remote_mta or None,
        )

    def _weigh(self, status: DeliveryStatus, report: Report, notification: _Notification) -> tuple[Verdict, Evidence]:
        """Judge by the remote server's words; only where they say nothing, by the notification's own."""
        judge = self.judge
        status.command = status.command or _noted_command(status, report, notification)
        best: Evidence | None = None
        decisive: Rule | None = None
        strength = -1
        asked: list[Evidence] = []
        rules: list[Rule | None] = []
        before = None
        for text in _texts_of(status, report, notification):
            if text == before:
                continue
            before = text
            evidence = reported_evidence(status, report, text)
            asked.append(evidence)
            rule = judge.strongest(evidence)
            rules.append(rule)
            found = rule.priority if rule is not None else 0
            if found > strength or best is None:
                best, decisive, strength = evidence, rule, found
            # What the server said outweighs the notification around it, even in weak words. Where it said nothing, the
            # notification may tell more of a failure than its bare status: but for time that ran out (x.4.7).
            is_said = text != "" or status.action is Action.DELAYED or status.status.endswith(".4.7")
            if (strength >= PRIORITY_STATUS and is_said) or (found >= PRIORITY_WEAK_TEXT and evidence.reply_code):
                break
        assert best is not None
        is_asked = decisive is None and report.text and len(report.recipients) == 1
        subject = notification.subject_about(status.address) if is_asked else ""
        if subject and subject.encode("utf-8", "replace") not in report.returned_head:
            # Some say why in the subject alone.
            evidence = reported_evidence(status, report, f"{status.diagnostic}\n{subject}")
            decisive = judge.strongest(evidence)
            best = evidence if decisive is not None else best
        if strength < PRIORITY_STATUS and asked[0].reply_code and self._stands_alone(asked[0], rules[0], strength):
            best, decisive = asked[0], rules[0]
        elif strength < PRIORITY_WEAK_TEXT:
            # Where rules know little, the words nearest to the server's own that make anything probable decide.
            best = next((evidence for evidence in asked if judge.guess(decisive, evidence) is not None), best)
        if decisive is None and status.action is Action.DELAYED and not any([one.reply_code for one in asked]):
            # The words of a warning without an answer are its own; failures have taught what words weigh.
            best = best._replace(text="")
        verdict = judge.state(decisive, best, is_warning=status.action is Action.DELAYED)
        if verdict.cause is Cause.NO_REASON and not status.address:
            # Mission A10: neither a recipient nor a reason.
            verdict = replace(verdict, cause=Cause.UNPARSABLE)
        elif verdict.cause is Cause.NO_REASON and status.action is Action.DELAYED:
            # A warning without a reason says that time passes; the cause stays unknown.
            verdict = replace(verdict, stated=Reason.TIMEOUT)
        return verdict, best

    def _stands_alone(self, answered: Evidence, rule: Rule | None, strength: int) -> bool:
        """Whether an answer that no rule knows well says more than the words around it, which say nothing specific.

        Arguments: ``rule`` is what decides the answer, ``strength`` the priority of what those words say.
        """
        if rule is not None and rule.priority >= PRIORITY_WEAK_TEXT:
            return False
        if rule is not None and has_words(answered.text) and (rule.statuses or strength < PRIORITY_WEAK_TEXT):
            return True
        return self.judge.guess(rule, answered) is not None


def _texts_of(status: DeliveryStatus, report: Report, notification: _Notification) -> Iterator[str]:
    """Yield what may state the reason, the closest to the server's own words first."""
    yield _PARAGRAPH.split(status.diagnostic, 1)[0] if report.text else status.diagnostic
    notice = report.text or notification.words
    if report.text:
        yield status.diagnostic
    else:
        named = notification.named
        own = named.get(status.address.lower()) or named.get(status.final_address.lower(), "")
        if own:
            yield f"{status.diagnostic}\n{_PARAGRAPH.split(own, 1)[0]}"
            yield f"{status.diagnostic}\n{own}"
            if len(named) > 1:
                return
    if report.is_shared:
        yield notice
    elif notice and len(report.recipients) == 1:
        yield f"{status.diagnostic}\n{notice}"


def _names_nobody_else(status: DeliveryStatus, headers: Headers) -> bool:
    """Whether a report names no recipient but, by mistake, the one who gets it."""
    address, to = status.address.lower(), headers.raw("to").lower()
    return not address or (address in to and address == clean_address(to))


class _Notification:
    """The words of the notification's first text part, read when a recipient's own fields say too little."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._may_note: bool | None = None
        self._opening: str | None = None
        self._own: str | None = None
        self._words: str | None = None
        self._named: dict[str, str] | None = None

    def subject_about(self, address: str) -> str:
        """Return its own subject; "" when that only repeats the original's, which hardly names its recipient."""
        subject = self._message.headers.subject
        if REPEATED_SUBJECT.are_in_short(subject) and not (address and address in subject):
            return ""
        return subject

    @property
    def may_note(self) -> bool:
        """Whether it may name a command (``noted``): of HTML its source tells, which is far longer than its text."""
        if self._may_note is None:
            part = self._message.first("text/plain", "text/html")
            self._may_note = part is None or part.type != "text/html" or may_note_in_html(part.source)
        return self._may_note

    @property
    def opening(self) -> str:
        """How it begins, the quoted original included."""
        if self._opening is None:
            self._opening = ""
            for part in self._message.find("text/plain", "text/html"):
                text = part.text
                if text and not text.isspace():
                    self._opening = part.opening
                    break
        return self._opening

    @property
    def own(self) -> str:
        """The same without the quoted original."""
        if self._own is None:
            self._own = cut_original(self.opening)[0] if self.opening else ""
        return self._own

    @property
    def words(self) -> str:
        """The same without what says nothing of the reason."""
        if self._words is None:
            self._words = without_summary(self.own)
        return self._words

    @property
    def named(self) -> dict[str, str]:
        """The recipients that the words name, in lower case, and what they say of each."""
        if self._named is None:
            self._named = {name.address.lower(): name.text for name in find_named(self.words)}
        return self._named


def _wrapped_in(message: Message) -> Message | None:
    """Return the notification that a mail system passed on as an attachment without a word of its own."""
    inner = message.first("message/rfc822")
    if inner is None or not is_daemon(message.headers):
        return None
    if any(part.text.strip() for part in message.find("text/plain", "text/html")):
        return None
    wrapped = parse_message(inner.body)
    return wrapped if is_daemon(wrapped.headers) else None


def _ask_forms(message: Message, steps: list[str] | None) -> Report | None:
    for name, read in FORMS:
        report = read(message)
        if report is not None:
            if steps is not None:
                steps.append(f"form: {name} ({report.form}), {len(report.recipients)} recipient(s)")
            return report
    if steps is not None:
        steps.append("form: none")
    return None


def _noted_command(status: DeliveryStatus, report: Report, notification: _Notification) -> str:
    """Return the command that only the notification names, beside the recipient: not the report."""
    if report.text:
        # dma names it above the answer, which is all that stands below an address.
        return command_in(collapse(report.text)) if "did not like our" in report.text else ""
    # Nothing is reduced or cut where nothing is noted.
    if not (notification.may_note and may_note(notification.opening)):
        return ""
    passage = passage_about(notification.own, status.final_address or status.address)
    return command_in(collapse(passage)) if passage else ""


def _kind_of(recipients: tuple[RecipientReading, ...]) -> Kind:
    """Name the mail by its worst recipient (RFC 3464 2.3.3): one failure makes it a bounce."""
    actions = [recipient.action for recipient in recipients]
    if Action.FAILED in actions:
        return Kind.BOUNCE
    return Kind.DELAY_WARNING if Action.DELAYED in actions else Kind.DELIVERED_NOTICE


def _reading(
    kind: Kind,
    headers: Headers,
    version: str,
    report: Report,
    recipients: tuple[RecipientReading, ...],
    returned: Returned,
) -> Reading:
    return Reading(
        kind=kind,
        recipients=recipients,
        form=report.form,
        rules_version=version,
        message_id=headers.raw("message-id")[:_MAX_SHOWN] or None,
        date=headers.raw("date")[:_MAX_SHOWN] or None,
        subject=headers.get("subject")[:_MAX_SHOWN],
        reporting_mta=report.reporting_mta[:_MAX_SHOWN] or None,
        envelope_id=report.envelope_id[:_MAX_SHOWN] or None,
        arrival_date=report.arrival_date[:_MAX_SHOWN] or None,
        feedback_type=report.feedback_type or None,
        auto_reply=report.auto_reply,
        absence=report.absence,
        is_read_receipt=report.is_read_receipt,
        returned=returned,
    )
