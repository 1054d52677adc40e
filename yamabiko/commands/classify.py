"""``yamabiko classify``: read mails from files and print, as JSON lines, what each says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

import config
from model.reading import Action, Kind, Reading, RecipientReading

#: The rule pack that comes with Yamabiko.
DEFAULT_RULES = Path(config.__file__).parent / "rules"


@click.command("classify")
@click.option("--explain", is_flag=True, help="Add the steps that led to each answer.")
@click.option(
    "--rules",
    "rules_directory",
    type=click.Path(path_type=Path),
    default=DEFAULT_RULES,
    show_default=False,
    help="Directory of rule files instead of the ones that come with Yamabiko.",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def classify_command(files: tuple[str, ...], rules_directory: Path, *, explain: bool) -> None:
    """Print one JSON line for each mail in FILE, a directory of mails, or - for standard input."""
    # They take half a second to import, and whoever asks for the manual does not need them.
    from classifier.classify import Classifier
    from classifier.rulefile import RuleError, load_rules

    try:
        classifier = Classifier(load_rules(rules_directory))
    except RuleError as error:
        raise click.ClickException(str(error)) from None
    encoder = msgspec.json.Encoder()
    failed = False
    for name, raw in _read_inputs(files):
        if isinstance(raw, OSError):
            click.echo(f"{name}: cannot be read: {raw.strerror}", err=True)
            failed = True
            continue
        reading = classifier.read(raw, explain=explain)
        click.echo(encoder.encode(as_record(name, reading, explain=explain)))
    if failed:
        raise SystemExit(1)


def as_record(name: str, reading: Reading, *, explain: bool = False) -> dict[str, Any]:
    """Return ``reading`` as the plain values that ``yamabiko classify`` prints; ``name`` becomes its id."""
    record: dict[str, Any] = {
        "id": name,
        "kind": reading.kind.value,
        "recipients": [_recipient_record(reading.kind, recipient) for recipient in reading.recipients],
        "form": reading.form,
        "message_id": reading.message_id,
        "envelope_id": reading.envelope_id,
        "feedback_type": reading.feedback_type,
        "auto_reply": reading.auto_reply.value if reading.auto_reply else None,
        "returned": {
            "message_id": reading.returned.message_id,
            "to": reading.returned.to,
            "token_headers": [list(pair) for pair in reading.returned.token_headers],
        },
        "rules_version": reading.rules_version,
    }
    if reading.absence is not None:
        record["absence"] = asdict(reading.absence)
    if explain:
        record["steps"] = list(reading.steps)
    return record


def _recipient_record(kind: Kind, recipient: RecipientReading) -> dict[str, Any]:
    verdict = recipient.verdict
    record: dict[str, Any] = {
        "address": recipient.address,
        "final_address": recipient.final_address,
        "reason": "auto_reply" if kind is Kind.AUTO_REPLY else None,
        "permanence": None,
        "action": recipient.action.value,
        "status": recipient.status,
        "reply_code": recipient.reply_code,
        "command": recipient.command,
        "remote_mta": recipient.remote_mta,
        "diagnostic": recipient.diagnostic,
    }
    if verdict is not None:
        # A delay says nothing final about an address.
        is_hard = verdict.is_dead and recipient.action is Action.FAILED
        record |= {
            "reason": verdict.reason.value,
            "permanence": "hard" if is_hard else "soft",
            "cause": verdict.cause.value,
            "fault": verdict.fault.value,
            "rule": verdict.rule,
            "confidence": verdict.confidence,
            "conflict": verdict.conflict,
        }
    return record


def _read_inputs(files: tuple[str, ...]) -> Iterator[tuple[str, bytes | OSError]]:
    for name in files:
        if name == "-":
            yield "-", sys.stdin.buffer.read()
            continue
        path = Path(name)
        for entry in sorted(path.iterdir()) if path.is_dir() else [path]:
            if entry.is_dir():
                continue
            try:
                yield entry.stem, entry.read_bytes()
            except OSError as error:
                yield str(entry), error
