"""Asks all rules at once, in time linear in the text (S21): a prefilter by words, then the few rules it names."""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.prefilter import MAX_SUBJECT, Prefilter
from classifier.rule import Evidence, Rule

#: Pairs of status and reply code whose rules are remembered; there are far fewer in real mail.
_MOST_CODES = 4_096

# RFC 5321 4.2 and RFC 2034 4: reply code, then the enhanced status. ``550-5.1.1``, ``550 #5.1.1`` and
# ``550 5.1.1`` are all seen; a number inside an address, a size or a date is none.
# Each pattern begins with a digit, what stands before it is looked at after it: so ``re`` skips all other text.
_REPLY = re.compile(
    r"([245](?<![\w.@/\[:+-][245])[0-57]\d)(?=[ \-:;]|$)(?!-\d\d-)(?! ?(?:bytes|octets|kb|mb)\b)", re.IGNORECASE
)
_STATUS = re.compile(r"([245](?<![\w.@/-][245])(?<!\d-[245])\.\d{1,3}\.\d{1,3})(?![\w.-]*[.@]?\d)(?![\w.]*@)")
# Writing without spaces goes on behind a domain ("x@example.jpは"): a last label that begins in ASCII ends with it.
_ADDRESS = re.compile(
    r"[<\"'(\[]?(?<![\w.+=/-])[\w.+=/!#$%&*^{}|~-]{1,128}@"
    r"(?:(?:[\w-]+\.)*[a-zA-Z0-9-]+|(?:[\w-]+\.)+[\w-]+)[>\"')\]]?"
)
_TYPED = re.compile(r"rfc822; ?(?=x@x)", re.IGNORECASE)
_FEW_ADDRESSES = 20
_URL = re.compile(r"(https?://[^/\s<>\"']{1,255})[/?#][^\s<>\"']*")
# A reply of several lines repeats its code, and often its status, on each (RFC 5321 4.2.1). It begins within so many
# characters.
_LONGEST_REPLY = 4_096
_FIRST_OF_MANY = re.compile(
    r"([245](?<![\w.@/-][245])[0-57]\d)-(?:(?=[^\d\s])|(?=[245]\.\d)([245]\.\d{1,3}\.\d{1,3})?)"
)
# The end of the code that begins such a line: ``re`` skips to the "-".
_CODE_AND_DASH = re.compile(r"-(?<=[245][0-57]\d-)")
# What both patterns for a status hold: ``re`` skips to the first full stop.
_HINT_OF_STATUS = re.compile(r"\.(?<=[245]\.)\d{1,3}\.\d")
#: Characters that may belong to a reply and stand before that full stop.
_BEFORE_STATUS = 7
_STATUS_AFTER_REPLY = re.compile(r"[245](?<!\w[245])[0-5]\d[ \-]#?([245]\.\d{1,3}\.\d{1,3})\b(?!\.\d)")


class Matcher:
    """Finds the rules that hold for some evidence. ``rules`` come strongest first."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Compile ``rules``; every pattern must have been accepted by RE2 before."""
        self._rules = rules
        self._by_code: dict[str, list[int]] = {}
        for rank, rule in enumerate(rules):
            for code in () if rule.pattern else rule.statuses or rule.reply_codes:
                self._by_code.setdefault(code, []).append(rank)
        self._coded_before: dict[tuple[str, int], list[int]] = {}
        self._prefilter = Prefilter(
            [(rank, rule.pattern) for rank, rule in enumerate(rules) if rule.pattern],
            [example for rule in rules for example in rule.examples],
        )
        self._has_codes = [bool(rule.statuses or rule.reply_codes) for rule in rules]
        self._scopes = _Scopes(rules, self._prefilter)

    def best(self, evidence: Evidence) -> Rule | None:
        """Return the strongest rule that holds, None when none does."""
        rules = self._rules
        limit = len(rules)
        for rank in self._coded(evidence):
            if rules[rank].applies(evidence):
                limit = rank
                break
        if evidence.text:
            for rank in self._prefilter.matching(evidence.text, self._scopes.of(evidence), limit):
                if not self._has_codes[rank] or rules[rank].applies(evidence):
                    return rules[rank]
        return rules[limit] if limit < len(rules) else None

    def matching(self, evidence: Evidence) -> list[Rule]:
        """Return every rule that holds, strongest first."""
        found = set(self._coded(evidence))
        if evidence.text:
            found.update(self._prefilter.matching(evidence.text, self._scopes.of(evidence), len(self._rules)))
        return [self._rules[rank] for rank in sorted(found) if self._rules[rank].applies(evidence)]

    def holds(self, rank: int, evidence: Evidence) -> bool:
        """Whether the rule of ``rank`` is among those that ``matching`` returns; it asks no other."""
        rule = self._rules[rank]
        if not rule.applies(evidence):
            return False
        if not rule.pattern:
            return rank in self._coded(evidence)
        scope = self._scopes.of(evidence) & self._prefilter.scope_of((rank,))
        return rank in self._prefilter.matching(evidence.text, scope, len(self._rules))

    def _coded(self, evidence: Evidence) -> list[int]:
        """Return the ranks of the rules without a pattern that a code of ``evidence`` names, strongest first."""
        key = (evidence.status, evidence.reply_code)
        ranks = self._coded_before.get(key)
        if ranks is None:
            forms = (*evidence.status_forms, *evidence.reply_forms)
            ranks = sorted({rank for code in forms for rank in self._by_code.get(code, ())})
            if len(self._coded_before) < _MOST_CODES:
                self._coded_before[key] = ranks
        return ranks


class _Scopes:
    """Which patterns may decide, by the conditions of their rules on hosts and commands."""

    def __init__(self, rules: tuple[Rule, ...], prefilter: Prefilter) -> None:
        self._anywhere = prefilter.scope_of(rank for rank, rule in enumerate(rules) if not rule.hosts)
        suffixes: dict[str, list[int]] = {}
        for rank, rule in enumerate(rules):
            for suffix in rule.hosts:
                suffixes.setdefault(suffix, []).append(rank)
        self._longest = max(map(len, suffixes), default=0)
        #: how hosts end that may lie below a suffix, in two labels; empty: with a suffix of one label they all may
        self._ends = frozenset(".".join(suffix.split(".")[-2:]) for suffix in suffixes)
        if any("." not in suffix for suffix in suffixes):
            self._ends = frozenset()
        self._by_host = {suffix: prefilter.scope_of(ranks) for suffix, ranks in suffixes.items()}
        commands = {command for rule in rules for command in rule.commands}
        self._without_command = prefilter.scope_of(rank for rank, rule in enumerate(rules) if not rule.commands)
        self._by_command = {
            command: self._without_command
            | prefilter.scope_of(rank for rank, rule in enumerate(rules) if command in rule.commands)
            for command in commands
        }

    def of(self, evidence: Evidence) -> int:
        """Return the scope of ``evidence``."""
        scope = self._anywhere
        by_host, ends = self._by_host, self._ends
        for host in evidence.hosts:
            if ends and host[host.rfind(".", 0, max(0, host.rfind("."))) + 1 :] not in ends:
                continue
            # Rule.applies: a host is one of the suffixes, or lies below one.
            scope |= by_host.get(host, 0)
            at = host.find(".", max(0, len(host) - self._longest - 1)) + 1
            while at:
                scope |= by_host.get(host[at:], 0)
                at = host.find(".", at) + 1
        return scope & self._by_command.get(evidence.command, self._without_command)


def find_status(text: str) -> str:
    """Return the enhanced status code in ``text`` that says most: one after a reply code, then not x.0.0."""
    hint = _HINT_OF_STATUS.search(text)
    if hint is None:
        return ""
    first = max(0, hint.start() - _BEFORE_STATUS)
    found = _STATUS_AFTER_REPLY.findall(text, first)
    specific = [status for status in found if not is_vague(status)]
    if specific:
        return str(specific[0])
    others = _STATUS.findall(text, first)
    specific = [status for status in others if not is_vague(status)]
    return str((specific or found or others or [""])[0])


def is_vague(status: str) -> bool:
    """Whether ``status`` says no more than its class (mission A18)."""
    return status[1:] == ".0.0"


def find_reply(text: str) -> int:
    """Return the first SMTP reply code in ``text``, 0 when there is none."""
    match = _REPLY.search(text)
    return int(match.group(1)) if match else 0


def collapse(text: str) -> str:
    """Return ``text`` with each run of white space made one space."""
    return " ".join(text[:MAX_SUBJECT].split())


@lru_cache(maxsize=8)
def subject_of(text: str) -> str:
    """Return ``text`` as rules see it: white space collapsed, every address written ``x@x``.

    So no rule takes a word for the server's that stands in somebody's address (``full@``, ``spam@``), and the
    dots of an address end no sentence. Of a URL only scheme and host stay, which may name a block list. The codes
    that begin the further lines of one reply are left out, so that they part no words. Remembered, as all recipients
    of a notification may share its text.
    """
    collapsed = _join_lines(collapse(text))
    if "://" in collapsed:
        # A function, since ``re`` would read a template anew each time.
        collapsed = _URL.sub(_scheme_and_host, collapsed)
    if "@" not in collapsed:
        return collapsed
    shown = _hide_addresses(collapsed)
    # The type of an address (RFC 3464 2.1.2) is no word about the standard.
    return _TYPED.sub("", shown) if "822;" in shown else shown


def _scheme_and_host(match: re.Match[str]) -> str:
    return match[1]


def _join_lines(text: str) -> str:
    """Leave out the codes with which the second and later lines of a reply begin."""
    dash = _CODE_AND_DASH.search(text, 0, _LONGEST_REPLY)
    # All codes have three digits, so that the search begins at the first of them.
    first = _FIRST_OF_MANY.search(text, dash.start() - 3, _LONGEST_REPLY) if dash is not None else None
    if first is None:
        return text
    return text[: first.end()] + _further_lines(first.group(1), first.group(2)).sub(" ", text[first.end() :])


@lru_cache(maxsize=256)
def _further_lines(code: str, status: str | None) -> re.Pattern[str]:
    # Another status than that of the first line says something of its own.
    return re.compile(rf" {code}[- ](?:{re.escape(status)} )?" if status else f" {code}[- ]")


def _hide_addresses(text: str) -> str:
    """Write every address of the collapsed ``text`` as ``x@x``."""
    if text.count("@") > _FEW_ADDRESSES:
        return _ADDRESS.sub("x@x", text)
    # The same, but it looks only at words that hold an @.
    kept: list[str] = []
    done = 0
    at = text.find("@")
    while at >= 0:
        match = _ADDRESS.search(text, max(done, text.rfind(" ", done, at)))
        if match is None:
            break
        kept += (text[done : match.start()], "x@x")
        done = match.end()
        at = text.find("@", done)
    return "".join(kept) + text[done:]


@lru_cache(maxsize=8)
def codes_of(text: str) -> tuple[str, int]:
    """Return status and reply code of a collapsed ``text``."""
    return find_status(text), find_reply(text)


def evidence_of(text: str, *, host: str = "", rule: Rule | None = None) -> Evidence:
    """Return what a bare reply proves. ``rule`` lends its command, for the check of its own examples."""
    collapsed = subject_of(text)
    status, reply = codes_of(collapsed)
    command = rule.commands[0] if rule is not None and rule.commands else ""
    return Evidence(collapsed, status, reply, (host,) if host else (), command)
