"""Asks all rules at once, in time linear in the text (S21): one RE2 Set of literals, then the few rules it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from operator import or_

import re2

from classifier.literals import MAX_CLAUSES, required_literals
from classifier.rule import Evidence, Rule

#: Longest text that is searched, in octets (S21).
MAX_SUBJECT = 64 * 1024
# Memory of an automaton, at most. A Set of all patterns would remember, for every text, which of hundreds of
# half-matched patterns are open at once, and build 1,000 us of new states for each unknown reply; a Set of the
# literals they need has few states, and the patterns it leaves are asked one by one, strongest first.
_LITERALS_MEMORY = 32 * 1024 * 1024
_PATTERNS_MEMORY = 256 * 1024 * 1024
_LEAST_MEMORY = 1024 * 1024
#: Pairs of status and reply code whose rules are remembered; there are far fewer in real mail.
_MOST_CODES = 4_096

# RFC 5321 4.2 and RFC 2034 4: reply code, then the enhanced status. ``550-5.1.1``, ``550 #5.1.1`` and
# ``550 5.1.1`` are all seen; a number inside an address, a size or a date is none.
# Each pattern begins with a digit, what stands before it is looked at after it: so ``re`` skips all other text.
_REPLY = re.compile(
    r"([245](?<![\w.@/\[:+-][245])[0-5]\d)(?=[ \-:;]|$)(?!-\d\d-)(?! ?(?:bytes|octets|kb|mb)\b)", re.IGNORECASE
)
_STATUS = re.compile(r"([245](?<![\w.@/-][245])(?<!\d-[245])\.\d{1,3}\.\d{1,3})(?![\w.-]*[.@]?\d)(?![\w.]*@)")
_ADDRESS = re.compile(r"[<\"'(\[]?(?<![\w.+=/-])[\w.+=/!#$%&*^{}|~-]{1,128}@(?:[\w-]+\.)*[\w-]+[>\"')\]]?")
_FEW_ADDRESSES = 20
_URL = re.compile(r"(https?://[^/\s<>\"']{1,255})[/?#][^\s<>\"']*")
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
        count = sum(1 for rule in rules if rule.pattern) or 1
        memory = min(_LITERALS_MEMORY, max(_LEAST_MEMORY, _PATTERNS_MEMORY // count))
        self._patterns = [_compile([rule.pattern], memory) if rule.pattern else None for rule in rules]
        self._prefilter = _Prefilter([(rank, rule.pattern) for rank, rule in enumerate(rules) if rule.pattern])

    def best(self, evidence: Evidence) -> Rule | None:
        """Return the strongest rule that holds, None when none does."""
        rules = self._rules
        limit = next((rank for rank in self._coded(evidence) if rules[rank].applies(evidence)), len(rules))
        if evidence.text:
            subject = evidence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
            for rank in self._prefilter.candidates(subject):
                if rank > limit:
                    break
                pattern = self._patterns[rank]
                if rules[rank].applies(evidence) and pattern is not None and pattern.Match(subject):
                    return rules[rank]
        return rules[limit] if limit < len(rules) else None

    def matching(self, evidence: Evidence) -> list[Rule]:
        """Return every rule that holds, strongest first."""
        found = list(self._coded(evidence))
        subject = evidence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
        for rank in self._prefilter.candidates(subject) if subject else ():
            pattern = self._patterns[rank]
            if pattern is not None and pattern.Match(subject):
                found.append(rank)
        return [self._rules[rank] for rank in sorted(found) if self._rules[rank].applies(evidence)]

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


class _Prefilter:
    """Names the few patterns that may match a text, by the literals that occur in it.

    A bit stands for one clause of one alternative of a pattern, lower bits for stronger rules: first clauses below,
    second clauses ``_shift`` higher. Every literal sets the bits of the clauses it fulfils; an alternative with both
    bits set may match.
    """

    def __init__(self, patterns: list[tuple[int, str]]) -> None:
        """``patterns`` are rank and pattern, the strongest first."""
        arms = [(rank, clauses) for rank, pattern in patterns for clauses in required_literals(pattern)]
        self._ranks = [rank for rank, _ in arms]
        self._shift = len(arms)
        #: the clauses that are not there, and so hold for every text
        self._free = 0
        bits: dict[str, int] = {}
        for place, (_, clauses) in enumerate(arms):
            for number in range(MAX_CLAUSES):
                bit = 1 << (place + number * self._shift)
                if number >= len(clauses):
                    self._free |= bit
                    continue
                for literal in clauses[number]:
                    bits[literal] = bits.get(literal, 0) | bit
        self._all = (1 << self._shift) - 1
        # Nearly all texts are ASCII. In lower case, and with the literals that can occur there alone, they need a
        # third of the states: 15 instead of 60 us for a text of unknown words.
        self._ascii = _Literals({literal: held for literal, held in bits.items() if literal.isascii()}, is_ascii=True)
        self._other = _Literals(bits, is_ascii=False)

    def candidates(self, subject: bytes) -> Iterator[int]:
        """Yield the ranks of all rules whose pattern may match, strongest first."""
        held = self._ascii.find(subject.lower()) if subject.isascii() else self._other.find(subject)
        held |= self._free
        left = held & (held >> self._shift) & self._all
        last = -1
        while left:
            lowest = left & -left
            left ^= lowest
            rank = self._ranks[lowest.bit_length() - 1]
            if rank != last:
                last = rank
                yield rank


class _Literals:
    """An RE2 Set of literals, and the bits each of them sets."""

    def __init__(self, bits: dict[str, int], *, is_ascii: bool) -> None:
        """Arguments: ``is_ascii`` when only ASCII in lower case will be searched."""
        if is_ascii:
            lowered: dict[str, int] = {}
            for literal, held in bits.items():
                lowered[literal.lower()] = lowered.get(literal.lower(), 0) | held
            bits = lowered
        literals = sorted(bits)
        self._bits = [bits[literal] for literal in literals]
        self._set = _compile(literals, _LITERALS_MEMORY, literal=True, case_sensitive=is_ascii)

    def find(self, subject: bytes) -> int:
        """Return the bits that the literals in ``subject`` set."""
        # Without a match the Set answers None; the order of its answers says nothing. Empty, it cannot be asked.
        hits = self._set.Match(subject) or () if self._bits else ()
        return reduce(or_, map(self._bits.__getitem__, hits), 0)


def _compile(patterns: list[str], memory: int, *, literal: bool = False, case_sensitive: bool = False) -> re2.Set:
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.log_errors = False
    options.never_capture = True
    options.literal = literal
    options.max_mem = memory
    compiled = re2.Set.SearchSet(options)
    for pattern in patterns:
        compiled.Add(pattern)
    compiled.Compile()
    return compiled


def find_status(text: str) -> str:
    """Return the enhanced status code in ``text`` that says most: one after a reply code, then not x.0.0."""
    if text.count(".") < 2:
        return ""
    found = _STATUS_AFTER_REPLY.findall(text)
    specific = [status for status in found if not is_vague(status)]
    if specific:
        return str(specific[0])
    others = _STATUS.findall(text)
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


def subject_of(text: str) -> str:
    """Return ``text`` as rules see it: white space collapsed, every address written ``x@x``.

    So no rule takes a word for the server's that stands in somebody's address (``full@``, ``spam@``), and the
    dots of an address end no sentence. Of a URL only scheme and host stay, which may name a block list.
    """
    collapsed = collapse(text)
    if "://" in collapsed:
        collapsed = _URL.sub(r"\1", collapsed)
    return _hide_addresses(collapsed) if "@" in collapsed else collapsed


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


def codes_of(text: str) -> tuple[str, int]:
    """Return status and reply code of a collapsed ``text``."""
    return find_status(text), find_reply(text)


def evidence_of(text: str, *, host: str = "", rule: Rule | None = None) -> Evidence:
    """Return what a bare reply proves. ``rule`` lends its command, for the check of its own examples."""
    collapsed = subject_of(text)
    status, reply = codes_of(collapsed)
    command = rule.commands[0] if rule is not None and rule.commands else ""
    return Evidence(collapsed, status, reply, (host,) if host else (), command)
