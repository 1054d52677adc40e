"""Mails that came by another way than our port 25: the same facts, with a look at what they prove.

No envelope comes with a file, so the recipient is read from the mail's own address fields. A token found there
(``header``), or in the header of the returned mail (``returned``, RETURN_PATH or MESSAGE tokens), may suppress like
one at RCPT: its MAC proves that it comes from our mail to that recipient, and whoever could show it could as well
have sent it to port 25. A token in an ENVID or only in a body may not. What carries no token of ours is kept as
UNMATCHED.
"""

from __future__ import annotations

from dataclasses import replace

from model.fact import Fact
from model.keyring import KeyRing
from model.reading import Kind, Reading
from mta.correlate import Step, correlate, find_destinations
from mta.intake import IntakeRules, Mail, facts_of
from mta.return_path import Destination, DestinationKind, ReturnPaths

#: rungs of the ladder trusted for files
TRUSTED_STEPS = frozenset({Step.RCPT, Step.HEADER, Step.RETURNED})


def ingest_message(
    content: bytes,
    reading: Reading,
    *,
    keys: KeyRing,
    return_paths: ReturnPaths,
    rules: IntakeRules,
    at_us: int,
) -> list[Fact]:
    """Return the facts of one mail from a file; never empty, the same each time the mail is given (D15).

    Arguments: ``at_us`` is when it came, microseconds since 1970-01-01 UTC: a unique time of now, or what the
    operator says. Line ends may be LF or CRLF: bare newlines say nothing about a file.
    """
    rules = replace(rules, trusted_steps=TRUSTED_STEPS)
    mail = Mail.of(content, at_us)
    named = find_destinations(mail.headers, return_paths, keys)
    destination = _choose(named, reading)
    found = correlate(reading, destination, keys, named=named)
    if found.how is Step.RCPT:
        # The ladder calls a destination's own token RCPT; here the destination was read from a header.
        found = found._replace(how=Step.HEADER)
    return facts_of(mail, reading, destination, found, keys, rules)


def _choose(named: list[Destination], reading: Reading) -> Destination:
    """Return the destination a mail was most likely sent to."""
    first = DestinationKind.FEEDBACK if reading.kind is Kind.FEEDBACK_REPORT else DestinationKind.RETURN_PATH
    for destination in named:
        if destination.kind is first:
            return destination
    return named[0] if named else Destination(DestinationKind.PLAIN, None, "")
