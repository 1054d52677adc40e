"""Asks all rules at once: one RE2 Set holds every pattern, so a search is linear in the text (S21)."""

from __future__ import annotations

import re

import re2

from classifier.rule import Evidence, Rule

#: Longest text that is searched, in octets (S21).
MAX_SUBJECT = 64 * 1024
_SET_MEMORY = 32 * 1024 * 1024
# One automaton of all patterns would remember, for every text, which of hundreds of half-matched patterns are
# open at once; several small ones are many times cheaper to build (measured on first use: 1,500 against 300 us
# a reply), and the strongest rules being asked first, most replies never reach the last.
_SET_COUNT = 16

# RFC 5321 4.2 and RFC 2034 4: reply code, then the enhanced status. ``550-5.1.1``, ``550 #5.1.1`` and
# ``550 5.1.1`` are all seen; a number inside an address, a size or a date is none.
_REPLY = re.compile(
    r"(?<![\w.@/\[:+-])([245][0-5]\d)(?=[ \-:;]|$)(?!-\d\d-)(?! ?(?:bytes|octets|kb|mb)\b)", re.IGNORECASE
)
_STATUS = re.compile(r"(?<![\w.@/-])(?<!\d-)([245]\.\d{1,3}\.\d{1,3})(?![\w.-]*[.@]?\d)(?![\w.]*@)")
_ADDRESS = re.compile(r"[<\"'(\[]?(?<![\w.+=/-])[\w.+=/!#$%&*^{}|~-]{1,128}@(?:[\w-]+\.)*[\w-]+[>\"')\]]?")
_URL = re.compile(r"(https?://[^/\s<>\"']{1,255})[/?#][^\s<>\"']*")
_STATUS_AFTER_REPLY = re.compile(r"\b[245][0-5]\d[ \-]#?([245]\.\d{1,3}\.\d{1,3})\b(?!\.\d)")


class Matcher:
    """Finds the rules that hold for some evidence. ``rules`` come strongest first."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Compile ``rules``; every pattern must have been accepted by RE2 before."""
        self._rules = rules
        self._by_code: dict[str, list[int]] = {}
        ranks: list[int] = []
        for rank, rule in enumerate(rules):
            if rule.pattern:
                ranks.append(rank)
            else:
                for code in rule.statuses or rule.reply_codes:
                    self._by_code.setdefault(code, []).append(rank)
        size = -(-len(ranks) // _SET_COUNT) or 1
        self._sets = [self._compile(ranks[at : at + size]) for at in range(0, len(ranks), size)]

    def best(self, evidence: Evidence) -> Rule | None:
        """Return the strongest rule that holds, None when none does."""
        rules = self._rules
        by_code = [rank for rank in self._coded(evidence) if rules[rank].applies(evidence)]
        limit = min(by_code, default=len(rules))
        if evidence.text:
            subject = evidence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
            for patterns, ranks in self._sets:
                if ranks[0] > limit:
                    break
                # Without a match the Set answers None; the order of its answers says nothing.
                for index in sorted(patterns.Match(subject) or ()):
                    rank: int = ranks[index]
                    if rank < limit and rules[rank].applies(evidence):
                        return rules[rank]
        return rules[limit] if by_code else None

    def matching(self, evidence: Evidence) -> list[Rule]:
        """Return every rule that holds, strongest first."""
        found = self._coded(evidence)
        subject = evidence.text.encode("utf-8", "replace")[:MAX_SUBJECT]
        for patterns, ranks in self._sets if subject else ():
            found += [ranks[index] for index in patterns.Match(subject) or ()]
        return [self._rules[rank] for rank in sorted(found) if self._rules[rank].applies(evidence)]

    def _coded(self, evidence: Evidence) -> list[int]:
        """Return the ranks of the rules without a pattern that a code of ``evidence`` names."""
        return [
            rank for code in (*evidence.status_forms, *evidence.reply_forms) for rank in self._by_code.get(code, ())
        ]

    def _compile(self, ranks: list[int]) -> tuple[re2.Set, list[int]]:
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _SET_MEMORY
        patterns = re2.Set.SearchSet(options)
        for rank in ranks:
            patterns.Add(self._rules[rank].pattern)
        patterns.Compile()
        return patterns, ranks


def find_status(text: str) -> str:
    """Return the enhanced status code in ``text`` that says most: one after a reply code, then not x.0.0."""
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
    return _ADDRESS.sub("x@x", collapsed) if "@" in collapsed else collapsed


def codes_of(text: str) -> tuple[str, int]:
    """Return status and reply code of a collapsed ``text``."""
    return find_status(text), find_reply(text)


def evidence_of(text: str, *, host: str = "", rule: Rule | None = None) -> Evidence:
    """Return what a bare reply proves. ``rule`` lends its command, for the check of its own examples."""
    collapsed = subject_of(text)
    status, reply = codes_of(collapsed)
    command = rule.commands[0] if rule is not None and rule.commands else ""
    return Evidence(collapsed, status, reply, (host,) if host else (), command)
