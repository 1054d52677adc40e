"""Unsubscribe: the page for people and the RFC 8058 endpoint. Pure; keys and time are arguments.

Reading never changes anything (T5). Tokens never expire and are not used up: whoever presses twice gets the same
answer twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from urllib.parse import parse_qs

from model.detail import (
    Complained,
    Detail,
    Unsubscribed,
    UnsubscribeReason,
    UnsubscribeVia,
)
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from model.keyring import KeyRing
from model.token import Token, TokenType, from_url, open_token
from tracker.answer import BROKEN, RETRY_AFTER_S, TEXT_HEADERS, Answer, Promise, Visit
from tracker.forms import FormError, parse_form
from tracker.language import choose_language
from tracker.metrics import Count
from tracker.pages import Choice, Pages
from tracker.settings import TrackerSettings

# RFC 8058 3.1
_ONE_CLICK_FIELD, _ONE_CLICK_VALUE = "List-Unsubscribe", "one-click"
# RFC 5965 7.3: what the two reporting reasons are called in a feedback report (A26).
_FEEDBACK_TYPES = {UnsubscribeReason.SPAM: "abuse", UnsubscribeReason.FRAUD: "fraud"}


def open_unsubscribe(token_text: str, keys: KeyRing) -> Token:
    """Return the token of an unsubscribe URL. Raises TokenError when it does not verify."""
    return open_token(from_url(token_text), TokenType.UNSUBSCRIBE, keys)


class UnsubscribeDesk:
    """Answers for ``/u/{token}``."""

    def __init__(self, settings: TrackerSettings, pages: Pages) -> None:
        """Hold what never changes between requests."""
        self._settings = settings
        self._pages = pages

    def show(self, visit: Visit, token: Token) -> Answer:
        """Return the page that asks. Changes nothing, whatever the request says."""
        asked = parse_qs(visit.query[:1_000]).get("lang", [""])[0]
        return self._confirm(visit, token, _language(visit, asked), Choice(), status=200)

    def take(self, visit: Visit, token: Token, body: bytes) -> Answer:
        """Return the answer to a POST: one-click, our form, or 400 and the page for anything else."""
        try:
            form = parse_form(body, visit.headers.get("Content-Type", ""))
        except FormError:
            return self._confirm(visit, token, _language(visit, ""), Choice(), status=400)
        if form.get(_ONE_CLICK_FIELD, "").lower() == _ONE_CLICK_VALUE:
            detail = Unsubscribed(UnsubscribeVia.ONE_CLICK)
            facts = self._facts(FactType.UNSUBSCRIBED, token, visit, detail)
            return Answer(200, TEXT_HEADERS, b"Unsubscribed\n", facts, Promise.STRICT, BROKEN, tally=Count.UNSUBSCRIBES)
        language = _language(visit, form.get("lang", ""))
        choice = _read_choice(form)
        if choice is not None and form.get("action") == "unsubscribe":
            return self._unsubscribe(visit, token, language, choice)
        if choice is not None and form.get("action") == "resubscribe":
            return self._resubscribe(visit, token, language, choice)
        return self._confirm(visit, token, language, Choice(), status=400)

    def _unsubscribe(self, visit: Visit, token: Token, language: str, choice: Choice) -> Answer:
        detail = Unsubscribed(UnsubscribeVia.PAGE, choice.reason, choice.everything)
        facts = self._facts(FactType.UNSUBSCRIBED, token, visit, detail)
        feedback_type = _FEEDBACK_TYPES.get(choice.reason)
        if feedback_type:
            complaint = Complained(feedback_type, _form_origin(token), via_form=True)
            facts = [*facts, *self._facts(FactType.COMPLAINED, token, visit, complaint)]
        page = self._pages.done(language, visit.path, choice)
        refusal = self._confirm(visit, token, language, choice, status=503)
        return Answer(200, self._pages.headers, page, facts, Promise.STRICT, refusal, tally=Count.UNSUBSCRIBES)

    def _resubscribe(self, visit: Visit, token: Token, language: str, choice: Choice) -> Answer:
        detail = Unsubscribed(UnsubscribeVia.PAGE, everything=choice.everything)
        facts = self._facts(FactType.RESUBSCRIBED, token, visit, detail)
        page = self._pages.back(language, visit.path)
        refusal = self._confirm(visit, token, language, choice, status=503)
        return Answer(200, self._pages.headers, page, facts, Promise.STRICT, refusal, tally=Count.RESUBSCRIBES)

    def _confirm(self, visit: Visit, token: Token, language: str, choice: Choice, *, status: int) -> Answer:
        sender = self._settings.sender_names.get(token.tenant)
        page = self._pages.confirm(language, visit.path, sender, choice, failed=status != 200)
        headers = self._pages.headers
        if status == 503:
            headers = {**headers, "Retry-After": str(RETRY_AFTER_S)}
        return Answer(status, headers, page, tally=Count.PAGES if status == 200 else None)

    def _facts(self, kind: FactType, token: Token, visit: Visit, detail: Detail) -> Sequence[Fact]:
        key = DeliveryKey(token.tenant, token.broadcast, token.recipient)
        return [Fact(kind, key, visit.at_us, detail, self._settings.node, token.is_test, token.is_html)]


def _language(visit: Visit, asked: str) -> str:
    return choose_language(asked, visit.headers.get("Accept-Language", ""))


def _read_choice(form: Mapping[str, str]) -> Choice | None:
    scope, reason = form.get("scope", "list"), form.get("reason", "0")
    if scope not in ("list", "all") or reason not in ("0", "1", "2", "3", "4"):
        return None
    return Choice(UnsubscribeReason(int(reason)), scope == "all")


def _form_origin(token: Token) -> bytes:
    """Return the identity of the form's complaint: one per delivery, however often it is sent."""
    key = DeliveryKey(token.tenant, token.broadcast, token.recipient)
    return blake2b(key.pack(), digest_size=16, person=b"unsubscribe-form").digest()
