"""Rules for a process that can be at work without them: read when they are first needed, or a while after the start."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

# Imported when the rules are read: all phrases of the classifier are compiled then, half of what a console imports.
if TYPE_CHECKING:
    from classifier.classify import Classifier
    from classifier.reload import LiveRules

_log = logging.getLogger(__name__)


class LaterRules:
    """The classifier of a directory of rules, as LiveRules keeps it once they are read. For any thread."""

    def __init__(self, directory: Path) -> None:
        """Read nothing yet."""
        self._directory = directory
        self._rules: LiveRules | None = None
        self._lock = threading.Lock()

    @property
    def classifier(self) -> Classifier:
        """The classifier in force. Raises RuleError when the rules were no good whenever they were read."""
        return (self._rules or self._read()).classifier

    def warm(self) -> None:
        """Read the rules if they are not yet, so that nobody has to wait for them; bad ones are told in the log."""
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - bad rules, or no file left to open: who needs them tries again
            _log.error("rules refused, and there are no others", extra={"problem": str(error)})

    def refresh(self) -> None:
        """Follow the files; they are looked at again whoever read them."""
        if self._rules is not None:
            self._rules.refresh()

    def _read(self) -> LiveRules:
        from classifier.reload import LiveRules

        with self._lock:
            if self._rules is None:
                self._rules = LiveRules(self._directory)
            return self._rules
