"""Whether a mail without a structured report is one that a mail system gave back; and whether it still tries.

Sender and subject decide first, since nothing needs to be decoded for them. A mail from a mail system needs one more
sign, a mail from anybody else several: people, shops and monitors write about failed mail too.
"""

from __future__ import annotations

import re

from classifier.addresses import ADDRESS, find_all, find_named, starts_line, unglued
from classifier.headers import Headers
from classifier.message import Message
from classifier.parties import Parties
from classifier.phrases import (
    AUTOMATIC,
    BOUNCE_SENTENCE,
    BOUNCE_SUBJECT,
    DELAYED,
    DELAYED_ABROAD,
    DELAYED_SUBJECT,
    DELAYED_TOO,
    DELIVERED,
    FORWARDED,
    GIVEN_UP,
    LETTER,
    MAIL_TO_READER,
    MAILER_DAEMON,
    OWN_MAILBOX,
    PASSED_ON,
    SENDERS_MAIL,
    TO_POSTMASTER,
    WRITERS_MAIL,
)
from classifier.quoted import head_of
from classifier.reply_phrases import AWAY, CHALLENGE
from classifier.senders import (
    is_automatic,
    is_daemon,
    is_list_manager,
    is_named_daemon,
    is_of_another_path,
    is_of_list,
    is_of_tracker,
    is_of_unknown_path,
    is_person,
    is_surely_daemon,
    is_surely_machine,
    is_system,
    path_of,
)
from classifier.undelivered import (
    is_about_goods,
    is_about_mail,
    names_nobody,
    names_nobody_of,
    says_failed_of,
    says_something_undelivered,
    says_turned_away_for,
    says_undelivered,
    says_undelivered_to,
    subject_says_undelivered,
)
from model.reading import Action

#: Characters of a notification in which a sentence is looked for.
_HEAD = 16_384
_ENGLISH = (" the ", " to ", "our ", " of ", "nknown")
#: Characters in which a person asks.
_LETTER = 500
#: Characters of a notice that says nothing but who is not there.
_BRIEF = 300
#: How many signs a mail needs that no mail system wrote.
_ENOUGH = 3
_MAX_ADDRESSES = 10
#: An SMTP reply or an RFC 3463 status, as they stand in notifications.
_REPLY = re.compile(r"(?<![\d.:/-])(?:[45]\d\d[ -](?=[^\W\d]|[<#(]|\d\.\d)|#?[45]\.\d{1,2}\.\d{1,3}(?![\d.]))")

#: Lines of a mail server's log and of a program that broke: both quote replies, to whoever looks after them.
_LOG = re.compile(
    r"\bNOQUEUE: |^(?:[A-Z][a-z]{2} [ \d]?\d|\d{4}-\d\d-\d\d)[ T]\d\d:\d\d:\d\d\S* \S+ [\w./-]+\[\d+\]:"
    r"|\bto=<[^<>\s]*>, (?:orig_to|relay|delay)=|\bstatus=(?:bounced|deferred) \(|\(total: \d+\)"
    r"|^Traceback \(most recent call last\)|^smtplib\.|\bSMTP(?:Recipients|Sender)Refused\b",
    re.MULTILINE,
)


def may_be_bounce(message: Message) -> bool:
    """Whether the header is that of a mail that came back: without, no text makes it one."""
    headers = message.headers
    return (
        message.report_type == "delivery-status"
        or "x-failed-recipients" in headers
        or BOUNCE_SUBJECT.are_in_short(headers.get("subject"))
        or is_daemon(headers)
        or is_automatic(headers)
        or subject_says_undelivered(headers.get("subject"))
        or is_list_manager(headers)
        or (is_system(headers) and says_something_undelivered(headers.get("subject")))
        or is_of_unknown_path(headers)
        or (_carries_original(message) and not is_person(headers))
    )


def is_bounce(message: Message, notice: str, original: str = "") -> bool:
    """Whether sender, subject and text together say that a mail system gave a message back.

    Arguments: ``notice`` is the text without the quoted ``original``, see ``quoted.cut_original``.
    """
    headers = message.headers
    if "x-failed-recipients" in headers:
        return True
    subject = headers.get("subject")
    if TO_POSTMASTER.are_in_short(subject) or _is_log(message, notice, original):
        return False
    if is_of_tracker(headers) and not _carries_original(message):
        return False
    if _is_of_mail_to_reader(message, notice, original):
        return False
    if not (_has_trace(message, subject, notice, original) or _speaks_of_readers_mail(message, subject, notice)):
        return False
    has_subject = BOUNCE_SUBJECT.are_in_short(subject)
    is_machine = is_named_daemon(headers)
    is_sure = is_surely_machine(headers, is_named=is_machine) and (
        is_surely_daemon(headers) or _is_notice(message, subject, notice, original, is_named=is_machine)
    )
    if is_sure or message.report_type == "delivery-status":
        if has_subject or (BOUNCE_SENTENCE.are_in(notice[:_HEAD]) and not _is_for_owner(message, notice)):
            return is_machine or (_is_of_mail(message, subject, notice) and not WRITERS_MAIL.are_in(notice[:_HEAD]))
        return _says_so_of_another(message, subject, notice, original) or DELIVERED.are_in_short(subject)
    if is_machine and has_subject and not PASSED_ON.are_in_short(subject) and not is_of_list(headers):
        return True
    if is_person(headers) or not (has_subject or _speaks_as_machine(message, subject, notice, is_machine=is_machine)):
        return False
    # Without an envelope an office's text has one sign less, which all that came by SMTP has.
    is_archived = is_of_unknown_path(headers) and not LETTER.are_in(notice[:_HEAD])
    return _weigh(message, subject, notice, original) + is_machine + is_archived >= _ENOUGH


def _speaks_as_machine(message: Message, subject: str, notice: str, *, is_machine: bool) -> bool:
    """Whether a text under an unknown subject may be a mail system's; without an envelope, no letter is."""
    if not (
        subject_says_undelivered(subject)
        or says_undelivered(notice)
        or names_nobody(subject)
        or (is_machine and _carries_original(message) and names_nobody(notice))
    ):
        return False
    if path_of(message.headers):
        return True
    return not LETTER.are_in(notice[:_HEAD]) and (is_system(message.headers) or _has_traces(message, notice))


def _has_traces(message: Message, notice: str) -> bool:
    """Whether a text has what an office's own words about a mail have not."""
    return (
        _carries_original(message)
        or _REPLY.search(notice[:_HEAD]) is not None
        or AUTOMATIC.are_in(notice[:_HEAD])
        or any(starts_line(notice, address) for address in _foreign_in(notice, message))
    )


def reports_failure(message: Message, notice: str, original: str) -> bool:
    """Whether an automatic answer is a mail system's about a failure, though neither sender nor subject says so."""
    if AWAY.are_in(notice[:_HEAD]) or not says_something_undelivered(notice):
        return False
    has_reply = _REPLY.search(notice[:_HEAD]) is not None
    if not has_reply and CHALLENGE.are_in(f"{message.headers.get('subject')}\n{notice[:_HEAD]}"):
        # The filter keeps the mail until its sender has answered.
        return False
    foreign = _foreign_in(notice, message)
    has_reply = has_reply and bool(foreign)
    is_listed = any(starts_line(notice, address) for address in foreign)
    if not says_undelivered(notice):
        return has_reply and is_listed
    return (
        has_reply
        or is_listed
        or any(names_nobody_of(notice, address) or says_turned_away_for(notice, address) for address in foreign)
    )


def _is_log(message: Message, notice: str, original: str) -> bool:
    return _LOG.search(notice[:_HEAD]) is not None and not original and not _carries_original(message)


def _has_trace(message: Message, subject: str, notice: str, original: str) -> bool:
    """Whether anything of one mail is there: who it was for, what a server said, or the mail itself."""
    if original or _carries_original(message) or _REPLY.search(notice[:_HEAD]):
        return True
    if is_of_another_path(message.headers):
        return False
    html = message.first("text/html")
    if _foreign_in(notice, message) or (html and _foreign_in(html.text, message)):
        return True
    return bool(_foreign_in(subject, message)) and (
        BOUNCE_SUBJECT.are_in_short(subject) or says_something_undelivered(subject) or names_nobody(subject)
    )


def _has_link(message: Message, notice: str) -> bool:
    html = message.first("text/html")
    return "http" in notice or (html is not None and b"href" in html.payload[:_HEAD].lower())


def _is_of_mail_to_reader(message: Message, notice: str, original: str) -> bool:
    """Whether what failed was on its way to the one who reads the notice: so write those who fish for passwords."""
    if original or _carries_original(message):
        return False
    if MAIL_TO_READER.are_in(notice[:_HEAD]) and not SENDERS_MAIL.are_in(notice[:_HEAD]):
        return True
    to = ADDRESS.search(message.headers.raw("to"))
    if to is None or to.group(1) not in notice:
        return False
    own = re.escape(to.group(1))
    return re.search(rf"\b(?:to|for|für|[àa]|para|per|voor)[ \n]<?{own}|{own}>? ?(?:様)?(?:宛|あて)", notice[:_HEAD]) is not None


def _speaks_of_readers_mail(message: Message, subject: str, notice: str) -> bool:
    """Whether a notice without any trace of a mail says that the one who reads it sent one that failed.

    Maintenance is announced, and passwords are fished for, under a mail system's name and on the null path.
    """
    if OWN_MAILBOX.are_in(notice[:_HEAD]) or not (says_undelivered(notice) or subject_says_undelivered(subject)):
        return False
    if is_of_another_path(message.headers) or _has_link(message, notice):
        return False
    is_null = path_of(message.headers) in ("", "<>")
    return SENDERS_MAIL.are_in(notice[:_HEAD]) or (is_null and MAILER_DAEMON.are_in_short(message.headers.get("from")))


def _is_notice(message: Message, subject: str, notice: str, original: str, *, is_named: bool) -> bool:
    """Whether a text is about one mail that failed, and is no letter, though no mail system's own name stands above it.

    Offices write of much else under a name of theirs, and programs may answer on the null path whatever it is.

    Arguments: ``is_named`` is whether it is an office's name.
    """
    headers = message.headers
    head = notice[:_HEAD]
    is_passed_on = PASSED_ON.are_in_short(subject) and not AUTOMATIC.are_in(head)
    if not is_named and (is_passed_on or _is_written(headers, notice)):
        return False
    foreign = _foreign_in(notice, message)
    has_rows = bool(original) or _has_rows(message, notice, foreign)
    is_told = BOUNCE_SUBJECT.are_in_short(subject) or subject_says_undelivered(subject) or names_nobody(subject)
    is_senders = SENDERS_MAIL.are_in(head) and says_undelivered(notice)
    if LETTER.are_in(head):
        return (has_rows and is_told) or (is_named and is_senders and foreign != [] and not is_passed_on)
    if is_told or has_rows or is_senders:
        return True
    if is_named and says_something_undelivered(subject):
        return True
    is_office = is_named or is_system(headers)
    return any(says_undelivered_to(notice, one) or (is_office and names_nobody_of(notice, one)) for one in foreign)


def _is_written(headers: Headers, notice: str) -> bool:
    """Whether it went through a list or a mailing, or answers and quotes."""
    if is_of_list(headers) or "list-unsubscribe" in headers:
        return True
    return "in-reply-to" in headers or "\n>" in notice


def _is_for_owner(message: Message, notice: str) -> bool:
    """Whether a notice is about the reader's own mailbox; those who fish for passwords write so too."""
    return (
        OWN_MAILBOX.are_in(notice[:_HEAD])
        and not _foreign_in(notice, message)
        and not _carries_original(message)
        and _REPLY.search(notice[:_HEAD]) is None
    )


def _is_of_mail(message: Message, subject: str, notice: str) -> bool:
    """Whether a machine's notice is about mail: fax servers and backups use the null path as well."""
    if _carries_original(message) or (_REPLY.search(notice[:_HEAD]) and _foreign_in(notice, message)):
        return True
    is_senders = SENDERS_MAIL.are_in(notice[:_HEAD])
    for address in _foreign_in(notice, message):
        if starts_line(notice, address) or (is_senders and says_undelivered_to(notice, address)):
            return True
    return is_about_mail(f"{subject}\n{notice}") and not (is_about_goods(subject) and not is_about_mail(subject))


def _says_so_of_another(message: Message, subject: str, notice: str, original: str) -> bool:
    """Whether words of no known system say of an address that is not the mail's own that a mail failed."""
    foreign = _foreign_in(f"{subject}\n{notice}", message)
    is_mailer = MAILER_DAEMON.are_in_short(message.headers.get("from"))
    if is_mailer and (
        says_something_undelivered(subject)
        or original
        or _REPLY.search(notice[:_HEAD])
        or any(says_failed_of(notice, address) for address in foreign)
    ):
        # It writes for no other reason.
        return True
    if not foreign or WRITERS_MAIL.are_in(notice[:_HEAD]):
        return False
    if is_about_goods(subject) and not is_about_mail(subject) and not _has_rows(message, notice, foreign):
        return False
    if subject_says_undelivered(subject):
        return True
    is_named = is_named_daemon(message.headers)
    if is_named or is_system(message.headers):
        says_so = says_something_undelivered if is_named else says_undelivered
        if says_so(notice) or names_nobody(subject) or names_nobody(notice):
            return True
    elif any(starts_line(notice, address) or says_failed_of(notice, address) for address in foreign) or original:
        # A person's responder may name whom to write to instead.
        is_backed = bool(head_of(original)) or _carries_original(message)
        return (
            says_undelivered(notice)
            or (is_backed and (says_something_undelivered(notice) or names_nobody(notice)))
            or (len(notice) <= _BRIEF and names_nobody(notice) and any(starts_line(notice, one) for one in foreign))
        )
    if not names_nobody(notice):
        return _carries_original(message) and _REPLY.search(notice[:_HEAD]) is not None
    return _REPLY.search(notice[:_HEAD]) is not None or (
        says_undelivered(notice) and SENDERS_MAIL.are_in(notice[:_HEAD])
    )


def _has_rows(message: Message, notice: str, foreign: list[str]) -> bool:
    """Whether it carries an original or lists recipients."""
    return _carries_original(message) or any(starts_line(notice, address) for address in foreign)


def _weigh(message: Message, subject: str, notice: str, original: str) -> int:
    """Count what speaks for a mail that was given back, less what speaks for a person or a newsletter."""
    headers = message.headers
    # A person who forwards or answers a notification has its subject and its words, but is no mail system.
    is_answer = "in-reply-to" in headers or "references" in headers or "\n>" in notice
    if (
        is_of_list(headers)
        or FORWARDED.are_in_short(subject)
        or PASSED_ON.are_in_short(subject)
        and (is_answer or LETTER.are_in(notice[:_HEAD]) or _carries_original(message))
    ):
        return 0
    foreign = [name.address for name in find_named(notice[:_HEAD], Parties(headers), is_strict=True)]
    if not foreign and not original and not _carries_original(message):
        return 0
    signs = 2 if _carries_original(message) or (original and "\n" in original.strip()) else 0
    signs += (
        subject_says_undelivered(subject)
        or names_nobody(subject)
        or (says_something_undelivered(subject) and not is_about_goods(subject))
    )
    signs += says_undelivered(notice) and SENDERS_MAIL.are_in(notice[:_HEAD])
    if not signs:
        # All else stands in logs, and in what people and programs write about mail servers, as well.
        return 0
    signs += _REPLY.search(notice[:_HEAD]) is not None
    signs += any(
        starts_line(notice, address) or says_undelivered_to(notice, address) or names_nobody_of(notice, address)
        for address in foreign[:_MAX_ADDRESSES]
    )
    signs += is_system(headers) + is_list_manager(headers)
    signs += is_automatic(headers) or AUTOMATIC.are_in(notice[:_HEAD])
    signs -= "list-unsubscribe" in headers or headers.raw("precedence").lower() == "list"
    signs -= (LETTER.are_in(notice[:_HEAD]) or WRITERS_MAIL.are_in(notice[:_HEAD])) + ("?" in notice[:_LETTER])
    signs -= 2 * (is_about_goods(f"{subject}\n{notice}") and not is_about_mail(subject))
    return signs


def _carries_original(message: Message) -> bool:
    return message.first("message/rfc822", "text/rfc822-headers", "message/rfc822-headers") is not None


def _foreign_in(text: str, message: Message) -> list[str]:
    """Return the addresses in ``text`` that are neither the mail's own sender nor receiver."""
    if "@" not in text:
        return []
    own = Parties(message.headers)
    found: list[str] = []
    for number, match in enumerate(find_all(ADDRESS, text[:_HEAD])):
        if number >= _MAX_ADDRESSES:
            break
        address = unglued(match.group(1))
        if "//" not in address and address.lower() not in own:
            found.append(address)
    return found


def action_of(subject: str, notice: str) -> Action:
    """Tell a warning, after which the mail is still tried, from a failure, by what both say of it."""
    is_delayed = "(delay" in subject.lower() or DELAYED.are_in(notice) or DELAYED_TOO.are_in(notice)
    # English words need no other language's; most notifications have them.
    if not is_delayed and not (notice.isascii() and any([word in notice for word in _ENGLISH])):
        is_delayed = DELAYED_ABROAD.are_in(notice)
    if is_delayed and (DELAYED_SUBJECT.are_in_short(subject) or not GIVEN_UP.are_in(notice)):
        return Action.DELAYED
    if DELIVERED.are_in_short(subject) and not says_undelivered(notice):
        return Action.DELIVERED
    return Action.FAILED
