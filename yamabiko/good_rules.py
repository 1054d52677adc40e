"""Before the server serves: bad rules are refused, where the operator sees it; what was found good is not read again.

Reading them takes as long as all else at a start, and a server that comes back after a crash has those it had. Should
they not be good after all, since the program that reads them is another one, the SMTP workers refuse them.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from config.settings import Settings
from yamabiko import __version__, exits, run_files
from yamabiko.operator_error import OperatorError


def check_rules(settings: Settings) -> None:
    """Raise OperatorError when the rules cannot be used."""
    mark = settings.run / run_files.GOOD_RULES
    digest = _digest(settings.rules_directory)
    if digest and _read(mark) == digest:
        return
    from classifier.rulefile import RuleError, load_rules  # it takes time, and is seldom needed

    try:
        load_rules(settings.rules_directory)
    except RuleError as error:
        raise OperatorError(str(error), exits.CONFIG) from error
    try:
        mark.write_text(digest, "ascii")
    except OSError:
        return  # a full disk: they are read at the next start too


def _read(mark: Path) -> str:
    try:
        return mark.read_text("ascii")
    except (OSError, UnicodeError):
        return ""


def _digest(directory: Path) -> str:
    """Return what stands for the rules in ``directory``; empty when they cannot be read."""
    hasher = blake2b(__version__.encode(), digest_size=16)
    try:
        for path in sorted(directory.glob("*.toml")):
            content = path.read_bytes()
            hasher.update(b"%s\0%d\0" % (str(path).encode("utf-8", "surrogateescape"), len(content)))
            hasher.update(content)
    except OSError:
        return ""
    return hasher.hexdigest()
