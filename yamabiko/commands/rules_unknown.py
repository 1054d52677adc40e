"""``yamabiko rules unknown``: what no rule understands, grouped, with proposals for new rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from classifier.classify import Classifier
from classifier.clusters import Cluster, Reply, cluster_replies
from classifier.evidence import bare_evidence
from classifier.proposal import Proposal, propose_rule
from classifier.rule import PRIORITY_STATUS
from classifier.rulefile import RuleSet
from config.settings import Settings
from model.cause import Cause
from model.reading import Verdict
from yamabiko.corpus_files import read_mails, read_replies
from yamabiko.open_store import open_store
from yamabiko.operator_error import friendly, load_settings
from yamabiko.rule_options import load_rules_of, rules_option

_SHOWN = 20


@click.command("unknown")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="Directory of mails, a mail (.eml), or a text with one reply a line; the store's facts unless given.",
)
@click.option("--propose", type=click.IntRange(0), default=0, help="Print rules for the N largest clusters.")
@click.option("--limit", type=click.IntRange(1), default=_SHOWN, show_default=True, help="Clusters shown.")
@click.option("--strict", is_flag=True, help="Leave out what a weak rule (words or codes that say little) decides.")
@rules_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def unknown_command(
    context: click.Context,
    source: Path | None,
    propose: int,
    limit: int,
    rules_directory: Path | None,
    *,
    strict: bool,
    as_json: bool,
) -> None:
    """Group the replies that no rule decides, or only a weak one, by their words, the most frequent first.

    With --propose N the output is a rule file: read it, correct the causes, save it among the rules, and run
    `yamabiko rules check`. What the rules know by now is left out, whatever stands in the store.
    """
    rules = load_rules_of(context, rules_directory)
    unknown = _Unknown(rules, strict=strict)
    if source is None:
        replies = unknown.of_store(load_settings(context))
    elif source.is_dir() or source.suffix.lower() == ".eml":
        replies = unknown.of_mails(source)
    else:
        replies = unknown.of_lines(source)
    clusters = cluster_replies(replies)
    proposals = _propose(clusters[:propose], rules)
    if as_json:
        shown = {"looked_at": unknown.looked_at, "unknown": sum(cluster.count for cluster in clusters)}
        listed = [_as_values(cluster) for cluster in clusters[:limit]]
        values = shown | {"clusters": listed, "proposals": [proposal.as_toml() for proposal in proposals]}
        click.echo(json.dumps(values, ensure_ascii=False, indent=2))
        return
    if propose:
        click.echo("\n".join(proposal.as_toml() for proposal in proposals), nl=False)
        left = min(propose, len(clusters)) - len(proposals)
        reason = "; the others have no words of their own: other rules have them" if left else ""
        click.echo(f"{len(proposals)} of {len(proposals) + left} clusters got a proposal{reason}.", err=True)
        return
    _show(clusters, limit, unknown.looked_at)


class _Unknown:
    """Finds, in whatever source, the replies that today's rules do not decide."""

    def __init__(self, rules: RuleSet, *, strict: bool) -> None:
        self.classifier = Classifier(rules)
        self.strict = strict
        self.looked_at = 0
        self._priorities = {rule.id: rule.priority for rule in rules.rules}

    def is_unknown(self, verdict: Verdict) -> bool:
        """Whether no rule, or only a weak one, decided. A strong rule that says "no reason" has decided."""
        is_weak = self._priorities.get(verdict.rule, 0) < PRIORITY_STATUS
        return is_weak and (not self.strict or verdict.cause in (Cause.NO_REASON, Cause.UNPARSABLE))

    def of_mails(self, source: Path) -> Iterator[Reply]:
        """Yield what mails in files say."""
        for _, raw in read_mails(source):
            for recipient in self.classifier.read(raw).recipients:
                self.looked_at += recipient.verdict is not None
                if recipient.verdict is not None and self.is_unknown(recipient.verdict):
                    host = recipient.remote_mta or (recipient.address or "").rpartition("@")[2]
                    yield Reply(
                        recipient.diagnostic, recipient.status or "", recipient.reply_code or 0, host,
                        recipient.verdict.rule,
                    )  # fmt: skip

    def of_lines(self, source: Path) -> Iterator[Reply]:
        """Yield the replies of a text file."""
        for _, text in read_replies(source):
            yield from self._judge(text, "", 0, "")

    def of_store(self, settings: Settings) -> Iterator[Reply]:
        """Yield what the store keeps of failures and delays, as far as the rules still do not decide it."""
        from model.detail import Report
        from model.fact import FactType
        from store.log import scan_log

        with friendly(), open_store(settings, read_only=True) as env:
            for _, fact in scan_log(env):
                report = fact.detail
                if fact.type not in (FactType.FAILED, FactType.DEFERRED) or not isinstance(report, Report):
                    continue
                host = report.remote_mta or (report.address or "").rpartition("@")[2]
                yield from self._judge(report.diagnostic, report.status or "", report.reply_code or 0, host)

    def _judge(self, text: str, status: str, reply_code: int, host: str) -> Iterator[Reply]:
        if not text:
            return
        self.looked_at += 1
        # The codes stand in the text as a rule; what came beside it is added for those where they do not.
        verdict = self.classifier.diagnose(text, status=status or None, reply_code=reply_code or None, host=host)
        if self.is_unknown(verdict):
            yield _with_codes(Reply(text, status, reply_code, host.lower(), verdict.rule))


def _with_codes(reply: Reply) -> Reply:
    found = bare_evidence(reply.text, status=reply.status or None, reply_code=reply.reply_code or None)
    return Reply(reply.text, found.status, found.reply_code, reply.host, reply.rule)


def _propose(clusters: list[Cluster], rules: RuleSet) -> list[Proposal]:
    proposals: list[Proposal] = []
    for cluster in clusters:
        proposal = propose_rule(cluster, rules, proposals)
        if proposal is not None:
            proposals.append(proposal)
    return proposals


def _as_values(cluster: Cluster) -> dict[str, Any]:
    return {
        "count": cluster.count,
        "template": cluster.template,
        "wordings": 1 + len(cluster.templates),
        "statuses": dict(cluster.statuses.most_common(5)),
        "reply_codes": {str(code): count for code, count in cluster.reply_codes.most_common(5)},
        "hosts": dict(cluster.hosts.most_common(5)),
        "rules": dict(cluster.rules.most_common(5)),
        "examples": [reply.text for reply in cluster.examples],
    }


def _show(clusters: list[Cluster], limit: int, looked_at: int) -> None:
    if clusters:
        table = Table("number", "codes", "decided by", "what they say")
        for cluster in clusters[:limit]:
            codes = [code for code, _ in (*cluster.reply_codes.most_common(2), *cluster.statuses.most_common(2))]
            rule = cluster.rules.most_common(1)[0][0] if cluster.rules else "-"
            wording = cluster.template[:300] + (f"\n(+ {len(cluster.templates)} wordings)" if cluster.templates else "")
            table.add_row(f"{cluster.count:,}", " ".join(map(str, codes)) or "-", Text(rule), Text(wording))
        Console(highlight=False).print(table)
    unknown = sum(cluster.count for cluster in clusters)
    click.echo(f"{unknown:,} of {looked_at:,} replies are unknown, in {len(clusters):,} clusters.")
    if clusters:
        click.echo("`yamabiko rules unknown --propose 5` writes rules for the largest five.")
