"""``yamabiko rules explain, test, diff, unknown``: what they print and how they end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from config.settings import load
from model.cause import Cause, Channel, Permanence
from model.detail import Report
from model.fact import (
    DeliveryKey,
    Fact,
    FactType,
)
from store.environment import Environment
from store.writer import write_now
from tests.yamabiko.serving import Server
from yamabiko.cli import cli
from yamabiko.commands.classify import DEFAULT_RULES

CASES = Path(__file__).parents[1] / "classifier" / "cases"
RULE = "[[rule]]\nid = '{}'\ncause = '{}'\nsource = 'x'\npattern = '{}'\nexamples = ['{}']\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YAMABIKO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A small set of rules, so that these tests do not depend on the ones that ship."""
    return rules_in(tmp_path / "rules", ("full", "mailbox_full", "mailbox full"), ("disk", "system_full", "full"))


def rules_in(directory: Path, *rules: tuple[str, str, str]) -> Path:
    directory.mkdir()
    text = "".join(RULE.format(name, cause, words, words) for name, cause, words in rules)
    (directory / "10.toml").write_text(text, encoding="utf-8")
    return directory


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, ["rules", *map(str, arguments)], input=stdin)


def values_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def test_explain_in_json(home: Path, rules: Path) -> None:
    values = values_of(
        run("explain", "552 5.2.2 <a@example.jp> mailbox full", "--host", "MX.example.jp", "--rules", rules, "--json")
    )
    expected = {
        "normalised": "mailbox full", "status": "5.2.2", "reply_code": 552, "hosts": ["mx.example.jp"],
        "cause": "mailbox_full", "reason": "mailbox_full", "permanence": "transient", "fault": "recipient",
        "hardness": "soft", "rule": "full", "place": "10.toml:1",
    }  # fmt: skip
    assert {key: values[key] for key in expected} == expected
    assert values["suppression"]["policy"] == "score"
    assert values["views"]["sansan_ja"] == "ディスク容量不足"
    assert set(values["views"]) == {
        "sansan", "sansan_ja", "engagelab_soft", "engagelab_invalid", "ses", "anymail", "sisimai",
    }  # fmt: skip
    ((loser,)) = values["also"]
    assert (loser["rule"], loser["why"]) == (
        "disk",
        "order: the same priority 60, and 10.toml:1 comes before 10.toml:7",
    )


def test_explain_for_a_person(home: Path, rules: Path) -> None:
    shown = run("explain", "-", "--rules", rules, "--status", "5.2.2", stdin=b"mailbox full").stdout
    for words in ("mailbox_full", "decided by", "10.toml:1", "ディスク容量不足", "MailboxFull", "order: the same"):
        assert words in shown
    shown = run("explain", "550 nothing known", "--rules", rules).stdout
    assert "No rule holds" in shown
    empty = run("explain", " ")
    assert (empty.exit_code, "empty" in empty.stderr) == (64, True)


def test_explain_uses_the_rules_in_force(home: Path, rules: Path) -> None:
    (home / "yamabiko.toml").write_text(f'[rules]\ndirectory = "{rules}"\n', encoding="utf-8")
    assert values_of(run("explain", "mailbox full", "--json"))["rule"] == "full"


def test_own_cases(home: Path, rules: Path) -> None:
    missing = run("test", "--rules", rules)
    assert (missing.exit_code, "rules-tests.toml" in missing.stderr) == (64, True)
    file = home / "rules-tests.toml"
    good = '[[case]]\ntext = "552 mailbox full"\nexpect = { cause = "mailbox_full" }\n'
    file.write_text(good, encoding="utf-8")
    passed = run("test", "--rules", rules)
    assert (passed.exit_code, "1 cases, 0 failed" in passed.stdout) == (0, True)
    file.write_text(f'{good}[[case]]\ntext = "552 mailbox full"\nexpect = {{ cause = "system_full" }}\n')
    failed = run("test", "--rules", rules)
    assert (failed.exit_code, "2 cases, 1 failed" in failed.stdout) == (1, True)
    assert "decided by full" in failed.stdout
    assert "disk lost: order: the same priority 60" in failed.stdout
    file.write_text("[[case]]\ntext = 'a'\n")
    wrong = run("test", "--rules", rules)
    assert (wrong.exit_code, "expects nothing" in wrong.stderr) == (65, True)


def test_own_cases_beside_the_rules_and_mails_beside_the_cases(home: Path, rules: Path) -> None:
    shutil.copy(CASES / "001-rfc3464-user-unknown.eml", rules.parent / "one.eml")
    case = '[[case]]\nmail = "{}"\nexpect = {{ kind = "bounce" }}\n'
    (rules.parent / "rules-tests.toml").write_text(case.format("one.eml"), encoding="utf-8")
    assert run("test", "--rules", rules).exit_code == 0
    (rules.parent / "rules-tests.toml").write_text(case.format("two.eml"), encoding="utf-8")
    lost = run("test", "--rules", rules)
    assert (lost.exit_code, "two.eml: cannot be read" in lost.stderr) == (74, True)


def test_diff(home: Path, rules: Path, tmp_path: Path) -> None:
    new = rules_in(tmp_path / "new", ("full", "system_full", "mailbox full"), ("other", "system_full", "full"))
    replies = tmp_path / "replies.txt"
    replies.write_text("552 mailbox full\n\n552 disk full\n550 nothing\n", encoding="utf-8")
    same = run("diff", rules, rules, "--corpus", CASES, "--fail-on-change")
    assert (same.exit_code, " 0 changed" in same.stdout) == (0, True)
    values = values_of(run("diff", rules, new, "--replies", replies, "--json"))
    assert (values["verdicts"], values["changed"], values["other_rule_only"]) == (3, 1, 1)
    ((flip,)) = values["flips"]
    assert (flip["name"], flip["old"]["cause"], flip["new"]["cause"]) == (
        "replies.txt:1",
        "mailbox_full",
        "system_full",
    )
    shown = run("diff", rules, new, "--replies", replies, "--fail-on-change", "--rule-changes")
    assert shown.exit_code == 1
    assert "What became what" in shown.stdout
    assert "replies.txt:3" in shown.stdout
    nothing = run("diff", rules, new)
    assert (nothing.exit_code, "--corpus" in nothing.stderr) == (64, True)


def test_unknown_in_files(home: Path, rules: Path, tmp_path: Path) -> None:
    lines = tmp_path / "log.txt"
    wombats = [f"554 5.9.9 <u{n}@example.jp>: the wombat of 192.0.2.{n} is asleep" for n in range(3)]
    lines.write_text("\n".join([*wombats, "552 mailbox full"]), encoding="utf-8")
    values = values_of(run("unknown", "--from", lines, "--rules", rules, "--json"))
    assert (values["looked_at"], values["unknown"]) == (4, 3)
    ((cluster,)) = values["clusters"]
    assert (cluster["count"], cluster["template"]) == (3, "the wombat of <ip> is asleep")
    shown = run("unknown", "--from", lines, "--rules", rules)
    assert "3 of 4 replies are unknown, in 1 clusters." in shown.stdout
    proposed = run("unknown", "--from", lines, "--rules", rules, "--propose", "3")
    assert "1 of 1 clusters got a proposal." in proposed.stderr
    (rules / "20.toml").write_text(proposed.stdout, encoding="utf-8")
    checked = run("check", rules)
    assert (checked.exit_code, "3 rules" in checked.stdout, "0 errors, 0 warnings" in checked.stdout) == (0, True, True)
    assert values_of(run("unknown", "--from", lines, "--rules", rules, "--strict", "--json"))["unknown"] == 0


def test_unknown_in_mails(home: Path) -> None:
    values = values_of(run("unknown", "--from", CASES, "--json", "--strict"))
    assert values["looked_at"] > 30
    weak = values_of(run("unknown", "--from", CASES, "--json"))
    assert weak["unknown"] >= values["unknown"]


def test_unknown_in_the_store(home: Path, rules: Path) -> None:
    settings = load(None, {"YAMABIKO_HOME": str(home)})
    env = Environment(settings.data, map_size=1 << 28)
    texts = ["554 the wombat sleeps", "554 the wombat sleeps", "552 mailbox full", ""]
    reports = [
        Report(
            Channel.OUT_OF_BAND, bytes([number] * 16), Cause.UNPARSABLE, Permanence.UNKNOWN, diagnostic=text,
            rule="built-in:unmatched", address=f"u{number}@example.jp",
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip
    try:
        write_now(env, [
            Fact(FactType.FAILED, DeliveryKey(1, 5, 10 + number), 10**15 + number, report)
            for number, report in enumerate(reports)
        ])  # fmt: skip
    finally:
        env.close()
    values = values_of(run("unknown", "--rules", rules, "--json"))
    assert (values["looked_at"], values["unknown"]) == (3, 2)
    ((cluster,)) = values["clusters"]
    assert (cluster["template"], cluster["hosts"]) == ("the wombat sleeps", {"example.jp": 2})


def test_without_a_store(tmp_path: Path) -> None:
    server = Server(tmp_path / "home")
    done = server.run("rules", "unknown")
    assert done.returncode == 78
    assert "there is no store" in done.stderr.decode()


def test_every_command_has_a_manual() -> None:
    for name in ("check", "explain", "test", "diff", "unknown"):
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert len(shown.stdout) > 150


def test_the_rules_that_ship_are_the_default(home: Path) -> None:
    values = values_of(run("explain", "550 5.1.1 no such user", "--json"))
    assert (DEFAULT_RULES / values["place"].partition(":")[0]).exists()
    assert values["cause"] == "user_unknown"
