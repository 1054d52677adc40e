"""``yamabiko ingest``: returned mails that are already in files."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice

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

#: Mails a commit. The slot is the console's: it stamps rarely, and a clash would need the same microsecond.
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
    return_paths = ReturnPaths((settings.smtp.return_path_domain,), settings.smtp.accepted_addresses)
    stamp = UniqueClock(_SLOT).stamp
    mails, known, kinds = 0, 0, Counter[str]()
    with friendly(), open_store(settings) as env:
        rules = IntakeRules(settings.node, tenant, shares_bounces=SuppressionDesk(env).shares_bounces)
        for path in paths:
            source = iterate_mails(path)
            while batch := list(islice(source, _BATCH)):
                facts: list[Fact] = []
                for mail in batch:
                    facts += ingest_message(
                        mail.content,
                        classifier.read(mail.content),
                        keys=keys,
                        return_paths=return_paths,
                        rules=rules,
                        at_us=stamp(time.time_ns() // 1_000),
                    )
                known += write_now(env, facts).known
                mails += len(batch)
                kinds.update(fact.type.name.lower() for fact in facts)
    click.echo(f"{mails} mails, {sum(kinds.values())} facts, {known} of them known already.")
    for kind, count in sorted(kinds.items()):
        words = "  (prove nothing, so count nowhere)" if kind == FactType.UNMATCHED.name.lower() else ""
        click.echo(f"  {count:>8}  {kind}{words}")
