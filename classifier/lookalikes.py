"""Mails that look like bounces and are none: logs, tickets, letters, lures, notices about the reader's own mailbox."""

from __future__ import annotations

import re

from classifier.addresses import ADDRESS
from classifier.headers import Headers
from classifier.message import Message
from classifier.notice import quotes_another
from classifier.phrases import (
    AUTOMATIC,
    BOUNCE_SUBJECT,
    LETTER,
    MAIL_TO_READER,
    MAILER_DAEMON,
    OWN_MAILBOX,
    OWN_WORDS,
    PASSED_ON,
    SENDERS_MAIL,
)
from classifier.senders import (
    has_persons_name,
    has_whole_name,
    is_named_daemon,
    is_of_another_path,
    is_of_list,
    is_of_tracker,
    path_of,
)
from classifier.traces import HEAD, carries_original, foreign_in, has_reply
from classifier.undelivered import (
    is_about_another_thing,
    is_about_work,
    says_something_undelivered,
    says_undelivered,
    subject_says_undelivered,
)

#: Lines of a mail server's log and of a program that broke: both quote replies, to whoever looks after them.
#: Each with a piece of it; a search for all at once would try each of them at every character.
_LOG = tuple(
    (sign, re.compile(pattern, re.MULTILINE))
    for sign, pattern in (
        ("NOQUEUE: ", r"\bNOQUEUE: "),
        ("]:", r"^(?:[A-Z][a-z]{2} [ \d]?\d|\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d\S* \S+ [\w./-]+\[\d+\]:"),
        ("to=<", r"\bto=<[^<>\s]*>, (?:orig_to|relay|delay)="),
        ("status=", r"\bstatus=(?:bounced|deferred) \("),
        ("(total: ", r"\(total: \d+\)"),
        ("at ", r"^[ \t]*at [\w.$]+\([^)\n]{0,99}\)[ \t]*$|\bat [\w.$]{1,200}\(\w{1,99}\.\w{1,9}:\d"),
        ("ORA-", r"\bORA-\d{5}: "),
        ("PHP ", r"\bPHP (?:Warning|Fatal error|Notice): "),
        ("Traceback (", r"^Traceback \(most recent call last\)"),
        ("Refused", r"\bSMTP(?:Recipients|Sender)Refused\b"),
        # What a monitor's plugin found.
        ("CRITICAL", r"\b[A-Z][A-Z-]{1,15} CRITICAL(?: -|:)"),
    )
)
#: One of these stands in every such line.
_LOG_SIGNS = (
    "]:",
    "NOQUEUE",
    ", relay=",
    ", orig_to=",
    ", delay=",
    "status=",
    "(total:",
    "Traceback",
    "smtplib",
    "SMTP",
    "CRITICAL",
)
_SENDER_ROW = re.compile(
    r"(?:^|\n)[ \t【\[・■●*-]*(?:[^\W\d_]{1,12} ?/ ?)?"
    r"(?:sender|from|mail from|absender|expéditeur|remitente|mittente|remetente|afzender|nadawca|отправитель"
    r"|送信者|差出人|送信元|发件人|寄件者|寄件人|발신자|보낸 ?사람)"
    r"(?: ?/ ?[^\W\d_]{1,12})?[ \t】\]]*[:=：]?[ \t]*[<\"]?$",
    re.IGNORECASE,
)
#: Words that stand before whom a mail was for.
_TO = frozenset({"to", "for", "für", "an", "à", "a", "para", "per", "voor"})
_FOR = ("宛", "あて", "様宛")
_MAX_PLACES = 8
#: Characters in which somebody says why a mail is passed on.
_OPENING = 300
_MAX_SUBJECT = 100
#: Programs that build, watch and keep account of other programs; a mail about a mail is not their work.
_WORKERS = re.compile(
    r"\b(?:jenkins|gitlab|gitea|bitbucket|buildbot|teamcity|bamboo|travis|circleci|jira|redmine|bugzilla|confluence"
    r"|nagios|icinga|zabbix|grafana|prometheus|alertmanager|sentry|munin|monit|pagerduty)\b",
    re.IGNORECASE,
)
#: Subjects of programs that watch servers.
_ALERT = re.compile(
    r"\W{0,4}(?:(?:down|critical|problem|firing|resolved|recovery|recovered|alert|incident|outage|crit|unreachable)"
    r" ?[\]:：-]|warning\]|\d+ alerts? |monitor\w* |(?:check|service|host|probe) \S+ (?:is|failed|down)"
    r"|(?:problem|recovery|acknowledgement) (?:service|host) "
    r"|[^\n]{0,60} (?:is|are|was) (?:critical|down|unreachable)\b"
    r"|(?:障害|復旧|異常|監視|死活|閾値|しきい値)(?:検知|発生|通知|監視)?[\]】）):： ])",
    re.IGNORECASE,
)


def is_lookalike(message: Message, notice: str) -> bool:
    """Whether a text, which has no copy of a mail, is a log, a ticket, or about mail to the one who reads it."""
    head = notice[:HEAD]
    headers = message.headers
    subject = headers.subject
    # A mail system repeats the subject of the mail that failed, whatever that was about.
    is_of_work = (
        is_about_work(subject)
        or is_about_another_thing(subject)
        or _ALERT.match(subject[:_MAX_SUBJECT])
        or _WORKERS.search(headers.get("from"))
    ) and not is_named_daemon(headers)
    return (
        is_of_tracker(headers)
        or (is_of_work and not SENDERS_MAIL.are_in(head))
        or (any([sign in head for sign in _LOG_SIGNS]) and _is_log(head))
        or _is_of_mail_to_reader(message, head)
    )


def _is_log(head: str) -> bool:
    return any(sign in head and pattern.search(head) is not None for sign, pattern in _LOG)


def _is_of_mail_to_reader(message: Message, head: str) -> bool:
    """Whether what failed was on its way to the one who reads the notice: so write those who fish for passwords."""
    headers = message.headers
    if MAIL_TO_READER.are_in_short(headers.subject) or MAIL_TO_READER.are_in(head):
        return True
    head = f"{headers.get('subject')}\n{head}"
    to = ADDRESS.search(headers.raw("to")) if "@" in head else None
    if to is None:
        return False
    address = to.group(1)
    at = head.find(address)
    if at >= 0 and has_reply(head) and (foreign_in(head, message) or not _has_link(message, head)):
        # A server that verifies senders names them in its answer; who fishes names nobody else and gives a link.
        return False
    for _ in range(_MAX_PLACES):
        if at < 0:
            return False
        before = head[max(at - 20, 0) : at].rstrip("<").split()
        after = head[at + len(address) : at + len(address) + 5].lstrip("> ")
        if (before and before[-1].lower() in _TO) or after.startswith(_FOR):
            return True
        at = head.find(address, at + 1)
    return False


def speaks_of_readers_mail(message: Message, subject: str, notice: str) -> bool:
    """Whether a notice without any trace of a mail says that the one who reads it sent one that failed.

    Maintenance is announced, and passwords are fished for, under a mail system's name and on the null path.
    """
    if OWN_MAILBOX.are_in(notice[:HEAD]):
        return False
    if not (says_undelivered(notice) or subject_says_undelivered(subject)) and not (
        # A report under a subject that only reports have may name what it is about in a paragraph of its own.
        path_of(message.headers) == "<>" and BOUNCE_SUBJECT.are_in_short(subject) and says_something_undelivered(notice)
    ):
        return False
    if is_of_another_path(message.headers) or _has_link(message, notice):
        return False
    is_null = path_of(message.headers) in ("", "<>")
    if names_reader_as_sender(message, notice):
        return True
    return SENDERS_MAIL.are_in(notice[:HEAD]) or (is_null and MAILER_DAEMON.are_in_short(message.headers.get("from")))


def names_reader_as_sender(message: Message, notice: str) -> bool:
    """Whether a row of ``notice`` says that the one who reads it sent what it is about."""
    to = ADDRESS.search(message.headers.raw("to"))
    at = notice[:HEAD].find(to.group(1)) if to is not None else -1
    return at >= 0 and _SENDER_ROW.search(notice[max(at - 40, 0) : at]) is not None


def _has_link(message: Message, notice: str) -> bool:
    html = message.first("text/html")
    return "http" in notice or (html is not None and b"href" in html.payload[:HEAD].lower())


def is_written(headers: Headers, notice: str) -> bool:
    """Whether it went through a list or a mailing, or answers and quotes."""
    if is_of_list(headers) or "list-unsubscribe" in headers:
        return True
    return "in-reply-to" in headers or "\n> " in notice or "\n>> " in notice


def is_passed_on(message: Message, subject: str, notice: str) -> bool:
    """Whether somebody with a name of a person's wrote a letter, an answer, or words above another's mail.

    Whatever the envelope: forwarders and programs of phones send people's mail on the null path too.
    """
    headers = message.headers
    if not has_persons_name(headers):
        return False
    if has_whole_name(headers) and not AUTOMATIC.are_in(notice[:HEAD]):
        return True
    if PASSED_ON.are_in_short(subject) or LETTER.are_in(notice[:HEAD]) or is_written(headers, notice):
        return True
    if OWN_WORDS.are_in(notice[:_OPENING]) or OWN_WORDS.are_in(notice[-_OPENING:]):
        return True
    words = message.first("text/plain", "text/html")
    return words is not None and quotes_another(words.opening)


def is_for_owner(message: Message, notice: str) -> bool:
    """Whether a notice is about the reader's own mailbox; those who fish for passwords write so too."""
    return (
        OWN_MAILBOX.are_in(notice[:HEAD])
        and not foreign_in(notice, message)
        and not carries_original(message)
        and not has_reply(notice)
    )
