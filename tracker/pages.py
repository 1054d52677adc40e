"""The pages a person sees: rendered from templates, complete in one answer, nothing from another host.

They work without scripts. Everything put into them is escaped; the only style is the one whose hash the
Content-Security-Policy names.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from model.detail import UnsubscribeReason
from tracker.answer import TEXT_HEADERS
from tracker.language import DEFAULT
from tracker.wording import WORDINGS

_TEMPLATES = ("base.html", "confirm.html", "done.html", "back.html", "missing.html")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader chose in the form."""

    reason: UnsubscribeReason = UnsubscribeReason.NONE
    everything: bool = False


class Pages:
    """Renders the pages; templates are read once, when it is made."""

    def __init__(self) -> None:
        """Read the templates and the style sheet that come with the package."""
        # They take a tenth of a start, and pixels and links need none of it.
        from jinja2 import DictLoader, Environment, StrictUndefined
        from markupsafe import Markup

        folder = files("tracker") / "templates"
        style = (folder / "style.css").read_text("utf-8")
        sources = {name: (folder / name).read_text("utf-8") for name in _TEMPLATES}
        self._environment = Environment(
            loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        # The style sheet is ours and is hashed as it stands, so it must not be escaped.
        self._style = Markup(style)  # noqa: S704 - no input gets into it
        style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
        self.headers = {
            **TEXT_HEADERS,
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'sha256-{style_hash}'; form-action 'self'; base-uri 'none'; "
                "frame-ancestors 'none'"
            ),
            "X-Frame-Options": "DENY",
            "Vary": "Accept-Language",
        }

    def confirm(self, language: str, action: str, sender: str | None, choice: Choice, *, failed: bool = False) -> bytes:
        """Return the page that asks before anything changes.

        Arguments: ``action`` is the path the form posts to; ``sender`` the name shown, if known; ``failed``
        says on top that the last try did not succeed.
        """
        words = WORDINGS[language]
        lead = words.confirm_lead_named.format(sender=sender) if sender else words.confirm_lead
        return self._render(
            "confirm.html",
            language,
            action=action,
            lead=lead,
            reason=choice.reason,
            everything=choice.everything,
            failed=failed,
            other="en" if language == "ja" else "ja",
        )

    def done(self, language: str, action: str, choice: Choice) -> bytes:
        """Return the page that says the mails were stopped, with a way back."""
        reported = choice.reason in (UnsubscribeReason.SPAM, UnsubscribeReason.FRAUD)
        return self._render("done.html", language, action=action, everything=choice.everything, reported=reported)

    def back(self, language: str, action: str) -> bytes:
        """Return the page that says the mails go on."""
        return self._render("back.html", language, action=action)

    def missing(self) -> bytes:
        """Return the one page for whatever is not found, in both languages."""
        return self._render("missing.html", DEFAULT, english=WORDINGS["en"])

    def warm(self) -> None:
        """Compile all templates now; each would be when it is first used."""
        for name in _TEMPLATES:
            self._environment.get_template(name)

    def _render(self, name: str, language: str, **values: object) -> bytes:
        template = self._environment.get_template(name)
        return template.render(language=language, words=WORDINGS[language], style=self._style, **values).encode("utf-8")
