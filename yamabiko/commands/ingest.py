"""``yamabiko ingest``: returned mails that are already in files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import click

from model.fact import (
    Fact,
    FactType,
    UniqueClock,
)
from yamabiko import exits, key_file
from yamabiko.first_start import prepare_home
from yamabiko.key_file import KeyFile
from yamabiko.open_store import open_store
from yamabiko.operator_error import OperatorError, friendly, load_settings

if TYPE_CHECKING:
    from mta.mailbox import RawMail

#: Facts a commit. The slot is the console's: it stamps rarely, and a clash would need the same microsecond.
_BATCH = 200
_SLOT = 7


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--tenant", type=click.IntRange(0, 65_535), default=1, show_default=True,
    help="Whose the mails are that name no delivery.",
)  # fmt: skip
@click.pass_context
def ingest_command(context: click.Context, paths: tuple[str, ...], tenant: int) -> None:
    """Take in the mails at PATH: a file, an mbox, a Maildir, a folder, or - for standard input.

    Of a folder that is no Maildir, files named .eml, .mbox, .mbx or .txt are read, however deep.

    Nothing is changed or deleted there. The same mail taken in twice counts once, so a run that was broken off
    may simply be repeated. May be used while the server runs.

    As over SMTP, a mail larger than smtp.max_message_bytes is not taken: it is named, and the exit code is 65.
    """
    from classifier.classify import Classifier
    from classifier.rulefile import RuleError, load_rules
    from mta.ingest import ingest_message
    from mta.intake import IntakeRules
    from mta.mailbox import iterate_mails
    from mta.return_path import ReturnPaths
    from store.suppression_desk import SuppressionDesk
    from store.writer import write_now

    settings = load_settings(context)
    with friendly():
        prepare_home(settings)
        keys = KeyFile.load(settings.secrets / key_file.FILE_NAME).ring()
    try:
        classifier = Classifier(load_rules(settings.rules_directory))
    except RuleError as error:
        raise OperatorError(str(error), exits.CONFIG) from error
    most = settings.smtp.max_message_bytes
    return_paths = ReturnPaths((settings.smtp.return_path_domain,), settings.smtp.accepted_addresses)
    stamp = UniqueClock(_SLOT).stamp
    with friendly(), open_store(settings) as env:
        rules = IntakeRules(settings.node, tenant, shares_bounces=SuppressionDesk(env).shares_bounces)

        def facts_of(content: bytes) -> list[Fact]:
            reading, at_us = classifier.read(content), stamp(time.time_ns() // 1_000)
            return ingest_message(content, reading, keys=keys, return_paths=return_paths, rules=rules, at_us=at_us)

        mails = chain.from_iterable(iterate_mails(path, most=most) for path in paths)
        tally = _take_in(mails, facts_of, lambda facts: write_now(env, facts).known)
    tally.tell()
    if tally.too_large:
        raise OperatorError(
            f"{tally.too_large} mails are larger than smtp.max_message_bytes, {most:,}. Raise it (or set "
            "YAMABIKO_SMTP_MAX_MESSAGE_BYTES for once) and run this again: what was taken in counts once.",
            exits.DATA,
        )


@dataclass
class _Tally:
    """What was done, for who asked."""

    mails: int = 0
    too_large: int = 0
    known: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def stored(self, facts: list[Fact], known: int) -> None:
        """Count facts that are stored now, ``known`` of them before."""
        self.known += known
        self.kinds.update(fact.type.name.lower() for fact in facts)

    def tell(self) -> None:
        """Print all of it."""
        click.echo(f"{self.mails} mails, {self.kinds.total()} facts, {self.known} of them known already.")
        for kind, count in sorted(self.kinds.items()):
            words = "  (prove nothing, so count nowhere)" if kind == FactType.UNMATCHED.name.lower() else ""
            click.echo(f"  {count:>8}  {kind}{words}")


def _take_in(
    mails: Iterable[RawMail], facts_of: Callable[[bytes], list[Fact]], write: Callable[[list[Fact]], int]
) -> _Tally:
    """Store the facts of all mails that are not too large; ``write`` returns how many it knew already."""
    tally, facts = _Tally(), list[Fact]()
    for mail in mails:
        if mail.is_too_large:
            tally.too_large += 1
            click.echo(f"{mail.source}: {mail.size:,} octets are too large; not taken in.", err=True)
            continue
        tally.mails += 1
        facts += facts_of(mail.content)
        if len(facts) >= _BATCH:
            tally.stored(facts, write(facts))
            facts = []
    tally.stored(facts, write(facts))
    return tally
