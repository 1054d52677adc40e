"""A bad rule file is refused with its name, the line, what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.rulefile import RuleError, load_rules

GOOD = """\
source = "RFC 5321 4.2.3"

[[rule]]
id = "user-unknown"
cause = "user_unknown"
pattern = 'user unknown'
examples = ["550 5.1.1 user unknown"]
"""


def write(directory: Path, text: str, name: str = "10-test.toml") -> Path:
    (directory / name).write_text(text, encoding="utf-8")
    return directory


def test_a_good_file_loads(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, GOOD))
    assert [rule.id for rule in rules.rules] == ["user-unknown"]
    assert rules.rules[0].line == 3


def test_version_follows_content(tmp_path: Path) -> None:
    first = load_rules(write(tmp_path, GOOD)).version
    assert load_rules(tmp_path).version == first
    assert load_rules(write(tmp_path, GOOD + "# more\n")).version != first


def replaced(line: str, by: str) -> str:
    assert line in GOOD
    return GOOD.replace(line, by)


BAD = {
    "no-toml": (GOOD + "\n[[rule\n", 9, "valid TOML", "Mend the line"),
    "unknown-key": (replaced("examples", "exmples"), 7, "no field", "Use:"),
    "unknown-cause": (replaced('"user_unknown"', '"usr_unknown"'), 5, "no cause", "mailbox_full"),
    "back-reference": (replaced("'user unknown'", r"'(a)\1'"), 6, "not RE2", "back-references"),
    "look-ahead": (replaced("'user unknown'", "'user (?=unknown)'"), 6, "not RE2", "look-around"),
    "unbalanced": (replaced("'user unknown'", "'user (unknown'"), 6, "not RE2", "RE2"),
    "matches-nothing-at-all": (replaced("'user unknown'", "'(?:user)?'"), 6, "empty text", "words"),
    "too-long": (replaced("'user unknown'", "'" + "a" * 5_000 + "'"), 6, "longer than 4096", "Split"),
    "too-big-a-program": (replaced("'user unknown'", "'((a{100}){100}){10}'"), 6, "not RE2", "RE2"),
    "no-example": (replaced('examples = ["550 5.1.1 user unknown"]\n', ""), 3, "no example", "must match"),
    "example-does-not-match": (replaced("550 5.1.1 user unknown", "552 full"), 3, "does not match", "Correct"),
    "no-source": (replaced('source = "RFC 5321 4.2.3"', ""), 3, "no source", "comes from"),
    "no-id": (replaced('id = "user-unknown"\n', ""), 3, "proper id", "google-over-quota"),
    "no-condition": (replaced("pattern = 'user unknown'\n", ""), 4, "no condition", "pattern"),
    "bad-status": (replaced("pattern =", "status = '9.1.1'\npattern ="), 6, "status '9.1.1'", "x.1.1"),
    "bad-reply": (replaced("pattern =", "reply_code = '999'\npattern ="), 6, "reply_code '999'", "550"),
    "bad-command": (replaced("pattern =", "command = 'HELP'\npattern ="), 6, "command 'HELP'", "RCPT"),
    "bad-priority": (replaced("pattern =", "priority = 101\npattern ="), 6, "priority is 101", "0 to 100"),
    "bad-permanence": (replaced("pattern =", "permanence = 'hard'\npattern ="), 6, "'hard'", "permanent"),
    "bad-reason": (replaced("pattern =", "reason = 'unknown'\npattern ="), 6, "'unknown' is no reason", "user_unknown"),
    "unknown-provider": (replaced("pattern =", "provider = 'nobody'\npattern ="), 6, '"nobody"', "[provider]"),
    "duplicate-id": (GOOD + GOOD[GOOD.index("[[rule]]") :], 8, "already used at 10-test.toml:3", "id of its own"),
    "unknown-top-key": ("colour = 1\n" + GOOD, 1, '"colour"', "Use one of"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(name: str, tmp_path: Path) -> None:
    text, line, problem, remedy = BAD[name]
    with pytest.raises(RuleError) as caught:
        load_rules(write(tmp_path, text))
    message = str(caught.value)
    assert message.startswith(f"10-test.toml:{line}:"), message
    assert problem in message
    assert remedy in message


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "10.toml").write_bytes(GOOD.encode() + b"# \xff\n")
    with pytest.raises(RuleError, match=r"^10\.toml:8: is not UTF-8\. Save"):
        load_rules(tmp_path)


def test_no_directory_and_no_files(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="not a directory"):
        load_rules(tmp_path / "missing")
    with pytest.raises(RuleError, match="no rule file"):
        load_rules(tmp_path)


def test_too_many_rules(tmp_path: Path) -> None:
    rule = "[[rule]]\nid = 'r{0}'\ncause = 'user_unknown'\npattern = 'word{0}x'\nexamples = ['word{0}x']\n"
    write(tmp_path, "source = 'x'\n" + "".join(rule.format(number) for number in range(2_001)))
    with pytest.raises(RuleError, match="2001 rules are more than 2000"):
        load_rules(tmp_path)


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_a_torn_file_never_crashes(cut: int, tmp_path: Path) -> None:
    """A file caught half written loads or is refused; nothing else."""
    try:
        load_rules(write(tmp_path, GOOD[:cut]))
    except RuleError:
        return


EVIL = [
    "(a+)+$", "(a|aa)+$", "(.*a){25}", "(x+x+)+y", "([a-z]+)*1", "(a|a?)+$", "(.*)*b", r"(\w+\s?)*!", "((a*)*)*$",
    "(?:a?){30}a{30}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", EVIL)
def test_evil_patterns_are_refused_or_fast(pattern: str, tmp_path: Path) -> None:
    """S21: at most 10 ms on 64 KiB, once the automaton is built."""
    import time

    from classifier.matcher import evidence_of

    text = GOOD.replace("'user unknown'", f"'user unknown|{pattern}'")
    try:
        rules = load_rules(write(tmp_path, text))
    except RuleError:
        return
    evidence = evidence_of("a" * 65_535 + "!")
    rules.matcher.matching(evidence)
    started = time.process_time()
    rules.matcher.matching(evidence)
    assert time.process_time() - started < 0.010
