"""``yamabiko classify`` and ``yamabiko rules``: one JSON line a mail; exit codes that a script can use."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from yamabiko.commands.classify import classify_command
from yamabiko.commands.rules import rules_group

CASES = Path(__file__).parent / "cases"
FIRST = CASES / "001-rfc3464-user-unknown.eml"


def test_one_line_a_mail() -> None:
    result = CliRunner().invoke(classify_command, [str(FIRST)])
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["id"] == "001-rfc3464-user-unknown"
    assert record["kind"] == "bounce"
    (recipient,) = record["recipients"]
    expected = {
        "address": "cat@example.net",
        "reason": "user_unknown",
        "permanence": "hard",
        "cause": "user_unknown",
        "fault": "recipient",
        "status": "5.1.1",
        "reply_code": 550,
        "action": "failed",
    }
    assert {key: recipient[key] for key in expected} == expected
    assert recipient["rule"]
    assert "steps" not in record


def test_explain() -> None:
    result = CliRunner().invoke(classify_command, ["--explain", str(FIRST)])
    assert any(step.startswith("cat@example.net: user_unknown by ") for step in json.loads(result.stdout)["steps"])


def test_a_directory() -> None:
    result = CliRunner().invoke(classify_command, [str(CASES)])
    assert len(result.stdout.splitlines()) == len(list(CASES.iterdir()))


def test_standard_input() -> None:
    result = CliRunner().invoke(classify_command, ["-"], input=FIRST.read_bytes())
    assert json.loads(result.stdout)["id"] == "-"


def test_auto_reply_has_its_reason_and_no_permanence() -> None:
    (case,) = CASES.glob("*-vacation-with-status-inside.eml")
    (recipient,) = json.loads(CliRunner().invoke(classify_command, [str(case)]).stdout)["recipients"]
    assert (recipient["reason"], recipient["permanence"]) == ("auto_reply", None)


def test_a_missing_file_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    result = CliRunner().invoke(classify_command, [str(tmp_path / "no.eml"), str(FIRST)])
    assert result.exit_code == 1
    assert "no.eml: cannot be read: No such file or directory" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_bad_rules(tmp_path: Path) -> None:
    (tmp_path / "10.toml").write_text("[[rule]]\nid = 'x'\n")
    result = CliRunner().invoke(classify_command, ["--rules", str(tmp_path), str(FIRST)])
    assert result.exit_code == 1
    assert "10.toml:2:" in result.stderr
    checked = CliRunner().invoke(rules_group, ["check", str(tmp_path)])
    assert checked.exit_code == 1
    assert "10.toml:2:" in checked.stderr


def test_rules_check_of_the_pack() -> None:
    result = CliRunner().invoke(rules_group, ["check"])
    assert result.exit_code == 0, result.output
    assert ": 0 errors, 0 warnings" in result.stdout
    assert "also match" in CliRunner().invoke(rules_group, ["check", "--all"]).stdout


def test_rules_check_finds_an_unreachable_rule(tmp_path: Path) -> None:
    rule = "[[rule]]\nid = '{}'\ncause = 'mailbox_full'\nsource = 'x'\npattern = 'full'\nexamples = ['full']\n"
    (tmp_path / "10.toml").write_text(rule.format("a") + rule.format("b"))
    result = CliRunner().invoke(rules_group, ["check", str(tmp_path)])
    assert result.exit_code == 1
    assert "1 errors" in result.stdout
