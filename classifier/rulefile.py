"""Reads a directory of rule files (TOML) and refuses what is wrong, naming file, line and remedy."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import re2

from classifier.matcher import Matcher, evidence_of
from classifier.rule import (
    MAX_PATTERN,
    MAX_RULES,
    PRIORITY_REPLY,
    PRIORITY_SCOPED_TEXT,
    PRIORITY_STATUS,
    PRIORITY_TEXT,
    Rule,
)
from classifier.words import WordWeights
from model.cause import Cause, Permanence, Reason

_RULE_KEYS = frozenset({
    "id", "cause", "pattern", "host", "provider", "command", "reply_code", "status",
    "permanence", "reason", "confidence", "priority", "source", "examples",
})  # fmt: skip
_FILE_KEYS = frozenset({"rule", "provider", "source", "words"})
_ID = re.compile(r"[a-z0-9]+(?:[-._][a-z0-9]+)*\Z")
_STATUS = re.compile(r"(?:[245x]\.\d{1,3}\.\d{1,3}|x\.\d)\Z")
_REPLY = re.compile(r"[245](?:[0-57]\d)?\Z")
_SYNTAX_LINE = re.compile(r"at line (\d+)")
_COMMANDS = frozenset({"CONN", "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"})
MAX_FILE = 1024 * 1024


class RuleError(Exception):
    """A rule file is wrong; the operator must act. The text says where, what and how to mend it."""

    def __init__(self, file: str, line: int, problem: str, remedy: str) -> None:
        """Build the text from ``file``, ``line`` (1 is the first; 0 when none), ``problem`` and ``remedy``."""
        self.file, self.line, self.problem, self.remedy = file, line, problem, remedy
        place = f"{file}:{line}" if line else file
        super().__init__(f"{place}: {problem}. {remedy}")


@dataclass(frozen=True)
class RuleSet:
    """All rules, the strongest first, and the hash of the files they come from."""

    version: str
    rules: tuple[Rule, ...]
    matcher: Matcher
    #: what decides where no rule is certain; None when no file holds weights of words
    words: WordWeights | None = None


def load_rules(directory: Path) -> RuleSet:
    """Read every ``*.toml`` of ``directory``, in order of name.

    Raises RuleError when a file cannot be read, is no TOML, or has a rule that is incomplete, of an unknown
    cause, not RE2, too large, named twice, or not matching one of its own examples; or weights of words that are no
    table of numbers.
    """
    if not directory.is_dir():
        raise RuleError(str(directory), 0, "this is not a directory", "Name a directory that holds *.toml rule files.")
    paths = sorted(directory.glob("*.toml"))
    if not paths:
        raise RuleError(str(directory), 0, "no rule file here", "Put at least one *.toml rule file into it.")
    digest = hashlib.blake2b(digest_size=6)
    sources = [_Source(path, _read_file(path)) for path in paths]
    providers: dict[str, tuple[str, ...]] = {}
    for source in sources:
        digest.update(source.path.name.encode("utf-8", "surrogateescape") + b"\0" + source.text.encode() + b"\0")
        providers.update(source.read_providers())
    rules = [rule for source in sources for rule in source.read_rules(providers)]
    _refuse_duplicates(rules)
    if len(rules) > MAX_RULES:
        raise RuleError(
            str(directory), 0, f"{len(rules)} rules are more than {MAX_RULES}", "Join rules of the same cause."
        )
    ranked = tuple(sorted(rules, key=lambda rule: -rule.priority))
    matcher = Matcher(ranked)
    _check_examples(ranked, matcher)
    words = [found for source in sources if (found := source.read_words()) is not None]
    return RuleSet(digest.hexdigest(), ranked, matcher, words[-1] if words else None)


def _read_file(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RuleError(
            path.name, 0, f"cannot be read: {error.strerror}", "Check owner and mode of the file."
        ) from None
    if len(data) > MAX_FILE:
        raise RuleError(path.name, 0, f"{len(data)} octets are more than {MAX_FILE}", "Split the file.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleError(path.name, line, "is not UTF-8", "Save the file as UTF-8.") from None


def _refuse_duplicates(rules: list[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        first = seen.setdefault(rule.id, rule)
        if first is not rule:
            raise RuleError(
                rule.file,
                rule.line,
                f'the id "{rule.id}" is already used at {first.file}:{first.line}',
                "Give this rule an id of its own.",
            )


def _check_examples(rules: tuple[Rule, ...], matcher: Matcher) -> None:
    for rank, rule in enumerate(rules):
        for number, example in enumerate(rule.examples, 1):
            evidence = evidence_of(example, host=rule.hosts[0] if rule.hosts else "", rule=rule)
            if not matcher.holds(rank, evidence):
                raise RuleError(
                    rule.file,
                    rule.line,
                    f'rule "{rule.id}" does not match its example {number} ({example[:80]!r})',
                    "Correct the pattern or the codes, or give a real reply that it is meant for.",
                )


class _Source:
    """One rule file: its text, and the line each table starts at, for errors that point."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.name = path.name
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            match = _SYNTAX_LINE.search(str(error))
            line = int(match.group(1)) if match else text.count("\n") + 1
            raise RuleError(
                self.name, line, f"is not valid TOML: {error}", "Mend the line; write patterns in 'single quotes'."
            ) from None
        except RecursionError:
            raise RuleError(self.name, 1, "is nested too deeply", "Use the form that docs/rules.md shows.") from None
        unknown = sorted(set(self.data) - _FILE_KEYS)
        if unknown:
            raise RuleError(
                self.name,
                self._line_of(unknown[0], 1),
                f'"{unknown[0]}" is not known at the top of a rule file',
                f"Use one of: {', '.join(sorted(_FILE_KEYS))}.",
            )
        self.starts = [at for at, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[rule]]")]

    def read_providers(self) -> dict[str, tuple[str, ...]]:
        table = self.data.get("provider", {})
        if not isinstance(table, dict):
            raise RuleError(self.name, self._line_of("provider", 1), "provider is no table", "Write [provider].")
        return {name: self._texts(table, name, 1, lower=True) for name in table}

    def read_words(self) -> WordWeights | None:
        table = self.data.get("words")
        if table is None:
            return None
        try:
            return WordWeights(table if isinstance(table, str) else "")
        except ValueError as error:
            raise self._error(
                "words", 1, f"the table of words is wrong: {error}", "Learn it anew: docs/rules.md, Words"
            ) from None

    def read_rules(self, providers: Mapping[str, tuple[str, ...]]) -> list[Rule]:
        entries = self.data.get("rule", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise RuleError(self.name, 1, "rule is not a list of tables", "Start each rule with [[rule]].")
        return [
            self._read_rule(entry, self.starts[index] if index < len(self.starts) else 1, providers)
            for index, entry in enumerate(entries)
        ]

    def _read_rule(self, entry: dict[str, Any], line: int, providers: Mapping[str, tuple[str, ...]]) -> Rule:
        for key in entry:
            if key not in _RULE_KEYS:
                raise self._error(key, line, f'"{key}" is no field of a rule', f"Use: {', '.join(sorted(_RULE_KEYS))}")
        name = entry.get("id", "")
        if not isinstance(name, str) or not _ID.match(name):
            raise self._error("id", line, "the rule has no proper id", 'Give an id such as "google-over-quota"')
        pattern = self._pattern(entry, line)
        hosts = self._texts(entry, "host", line, lower=True)
        for provider in self._texts(entry, "provider", line):
            if provider not in providers:
                raise self._error(
                    "provider", line, f'the provider "{provider}" is not defined', "Define it in a [provider] table"
                )
            hosts += providers[provider]
        commands = tuple(command.upper() for command in self._texts(entry, "command", line))
        self._refuse_others(commands, _COMMANDS.__contains__, "command", line, ", ".join(sorted(_COMMANDS)))
        replies = self._texts(entry, "reply_code", line)
        self._refuse_others(replies, _REPLY.match, "reply_code", line, 'a code, "550", or a class, "5"')
        statuses = self._texts(entry, "status", line)
        self._refuse_others(
            statuses, _STATUS.match, "status", line, '"5.1.1", "x.1.1" for any class, or "x.1" for a whole subject'
        )
        if not (pattern or replies or statuses):
            raise self._error("id", line, f'rule "{name}" has no condition', "Give a pattern, a status or a reply_code")
        source = entry.get("source", self.data.get("source", ""))
        if not isinstance(source, str) or not source.strip():
            raise self._error("source", line, f'rule "{name}" has no source', "Say where the knowledge comes from")
        examples = self._texts(entry, "examples", line)
        if not examples:
            raise self._error("examples", line, f'rule "{name}" has no example', "Give a reply that it must match")
        text_default = PRIORITY_SCOPED_TEXT if hosts or commands else PRIORITY_TEXT
        default = text_default if pattern else PRIORITY_STATUS if statuses else PRIORITY_REPLY
        return Rule(
            id=name,
            cause=self._cause(entry, line),
            pattern=pattern,
            hosts=hosts,
            commands=commands,
            reply_codes=replies,
            statuses=statuses,
            permanence=self._permanence(entry, line),
            reason=self._reason(entry, line),
            confidence=float(self._number(entry, "confidence", line, 1.0, 1.0)),
            priority=int(self._number(entry, "priority", line, default, 100)),
            source=source,
            examples=examples,
            file=self.name,
            line=line,
        )

    def _pattern(self, entry: dict[str, Any], line: int) -> str:
        pattern = entry.get("pattern", "")
        if not isinstance(pattern, str):
            raise self._error("pattern", line, "the pattern is no text", "Write it in 'single quotes'")
        if len(pattern.encode()) > MAX_PATTERN:
            raise self._error("pattern", line, f"the pattern is longer than {MAX_PATTERN} octets", "Split the rule")
        if not pattern:
            return ""
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = False
        options.max_mem = 1024 * 1024
        try:
            compiled = re2.compile(pattern, options)
        except re2.error as error:
            reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else error.args[0]
            raise self._error(
                "pattern", line, f"the pattern is not RE2: {reason}", "RE2 has no look-around and no back-references"
            ) from None
        if compiled.search("") is not None:
            raise self._error("pattern", line, "the pattern matches an empty text", "Name words that must be there")
        return pattern

    def _cause(self, entry: dict[str, Any], line: int) -> Cause:
        try:
            return Cause(entry.get("cause", ""))
        except ValueError:
            known = ", ".join(cause.value for cause in Cause)
            raise self._error(
                "cause", line, f"{entry.get('cause', '')!r} is no cause", f"Use one of: {known}"
            ) from None

    def _permanence(self, entry: dict[str, Any], line: int) -> Permanence | None:
        if "permanence" not in entry:
            return None
        try:
            return Permanence(entry["permanence"])
        except ValueError:
            raise self._error(
                "permanence", line, f"{entry['permanence']!r} is no permanence", "Use permanent, transient or unknown"
            ) from None

    def _reason(self, entry: dict[str, Any], line: int) -> Reason | None:
        if "reason" not in entry:
            return None
        try:
            return Reason(entry["reason"])
        except ValueError:
            known = ", ".join(reason.value for reason in Reason)
            raise self._error("reason", line, f"{entry['reason']!r} is no reason", f"Use one of: {known}") from None

    def _number(self, entry: dict[str, Any], key: str, line: int, default: float, most: float) -> float:
        value = entry.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise self._error(key, line, f"{key} is {value!r}", f"Use a number from 0 to {most:g}")
        return value

    def _texts(self, entry: Mapping[str, Any], key: str, line: int, *, lower: bool = False) -> tuple[str, ...]:
        value = entry.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(text, str) and text for text in values):
            raise self._error(key, line, f"{key} is no text and no list of texts", f'Write {key} = ["..."]')
        return tuple(text.lower() if lower else text for text in values)

    def _refuse_others(self, values: tuple[str, ...], is_good: Any, key: str, line: int, allowed: str) -> None:
        for value in values:
            if not is_good(value):
                raise self._error(key, line, f"{key} {value!r} is not known", f"Use {allowed}")

    def _error(self, key: str, line: int, problem: str, remedy: str) -> RuleError:
        return RuleError(self.name, self._line_of(key, line), problem, f"{remedy}.")

    def _line_of(self, key: str, start: int) -> int:
        """Return the line where ``key`` is set in the table that starts at ``start``, or ``start``."""
        for number, line in enumerate(self.text.splitlines()[start - 1 :], start):
            stripped = line.strip()
            if number > start and stripped.startswith("[["):
                break
            if stripped.startswith(key) and stripped[len(key) :].lstrip().startswith("="):
                return number
        return start
