"""Keeps a classifier that follows its rule files: a good change replaces it, a bad one is refused and told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from classifier.classify import Classifier
from classifier.rulefile import RuleError, load_rules


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What came of a change of the rule files."""

    #: version now in use
    version: str
    #: number of rules now in use
    count: int
    #: why the change was refused, with file and line; "" when it was taken
    error: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the new rules are in use."""
        return not self.error


class LiveRules:
    """The classifier of a directory of rules, kept current by calling ``refresh``."""

    def __init__(self, directory: Path) -> None:
        """Load the rules of ``directory``. Raises RuleError when they are bad: there is nothing older to keep."""
        self._directory = directory
        self._seen = self._stamp()
        self._digest = self._hash()
        self.classifier = Classifier(load_rules(directory))

    def refresh(self) -> ReloadResult | None:
        """Look at the files; None when nothing changed since the last call.

        Cheap enough for every second: file sizes and times first, contents only when those differ. A bad set is
        reported once, and again only after the next change.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        digest = self._hash()
        self._seen = stamp
        if digest == self._digest:
            return None
        self._digest = digest
        error = ""
        try:
            self.classifier = Classifier(load_rules(self._directory))
        except RuleError as refused:
            error = str(refused)
        rules = self.classifier.rules
        return ReloadResult(rules.version, len(rules.rules), error)

    def _stamp(self) -> tuple[tuple[str, int, int, int], ...]:
        stamps = []
        for path in sorted(self._directory.glob("*.toml")):
            try:
                stat = path.stat()
            except OSError:
                # Replaced between the listing and the look: the next call sees the new file.
                continue
            stamps.append((path.name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(stamps)

    def _hash(self) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(self._directory.glob("*.toml")):
            try:
                data = path.read_bytes()
            except OSError:
                data = b"unreadable"
            digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0%d\0" % len(data) + data)
        return digest.digest()
