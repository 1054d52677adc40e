"""Whether a mail without a structured report is one that a mail system gave back; and whether it still tries.

Sender and subject decide first, since nothing needs to be decoded for them. A mail from a mail system needs one more
sign, a mail from anybody else several: people, shops and monitors write about failed mail too.
"""

from __future__ import annotations

import re

from classifier.addresses import find_named, starts_line
from classifier.lookalikes import (
    is_for_owner,
    is_lookalike,
    is_passed_on,
    is_written,
    names_reader_as_sender,
    speaks_of_readers_mail,
)
from classifier.message import Message
from classifier.parties import Parties
from classifier.phrases import (
    AUTOMATIC,
    BOUNCE_SENTENCE,
    BOUNCE_SUBJECT,
    DELAYED,
    DELAYED_ABROAD,
    DELAYED_ABROAD_TOO,
    DELAYED_SUBJECT,
    DELAYED_TOO,
    DELIVERED,
    FORWARDED,
    GIVEN_UP,
    LETTER,
    MAILER_DAEMON,
    PASSED_ON,
    REPEATED_SUBJECT,
    SENDERS_MAIL,
    STILL_TRIED,
    TO_POSTMASTER,
    WRITERS_MAIL,
)
from classifier.quoted import head_of
from classifier.reply_phrases import AWAY, CHALLENGE
from classifier.senders import (
    is_automatic,
    is_daemon,
    is_for_failures,
    is_list_service,
    is_named_daemon,
    is_of_list,
    is_of_tracker,
    is_of_unknown_path,
    is_person,
    is_surely_daemon,
    is_surely_machine,
    is_system,
    path_of,
)
from classifier.traces import HEAD, carries_original, foreign_in, has_reply, has_rows, has_trace
from classifier.undelivered import (
    is_about_goods,
    is_about_mail,
    is_about_work,
    names_nobody,
    names_nobody_of,
    says_failed_of,
    says_something_undelivered,
    says_turned_away_for,
    says_undelivered,
    says_undelivered_to,
    subject_says_undelivered,
)
from classifier.wrapping import unwrapped
from model.reading import Action

# How Majordomo tells the keeper of a list of a mail that it holds.
_TO_LIST_KEEPER = re.compile(r"BOUNCE \S{1,200}@\S{1,200}:")
# The row of a notice that says why.
_REASON_ROW = re.compile(
    r"^[ \t]*(?:reason|cause|motif|raison|grund|ursache|motivo|causa|reden|orsak|årsag|powód|důvod|причина|sebep"
    r"|理由|原因|사유)[ \t]*[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_ENGLISH = (" the ", " to ", "our ", " of ", "nknown")
#: Characters in which a person asks.
_LETTER = 500
#: Characters of a notice that says nothing but who is not there.
_BRIEF = 300
#: How many signs a mail needs that no mail system wrote.
_ENOUGH = 3
_MAX_ADDRESSES = 10
#: Characters in which a bounce's subject says what it is.
_OWN_WORDS = 32


def may_be_bounce(message: Message) -> bool:
    """Whether the header is that of a mail that came back: without, no text makes it one."""
    headers = message.headers
    return (
        message.report_type == "delivery-status"
        or "x-failed-recipients" in headers
        or BOUNCE_SUBJECT.are_in_short(headers.subject)
        or is_daemon(headers)
        or is_automatic(headers)
        or subject_says_undelivered(headers.subject)
        or is_list_service(headers)
        or (is_system(headers) and says_something_undelivered(headers.subject))
        or is_of_unknown_path(headers)
        or ((carries_original(message) or is_for_failures(headers)) and not is_person(headers))
    )


def is_bounce(message: Message, notice: str, original: str = "") -> bool:
    """Whether sender, subject and text together say that a mail system gave a message back.

    Arguments: ``notice`` is the text without the quoted ``original``, see ``quoted.cut_original``.
    """
    headers = message.headers
    if "x-failed-recipients" in headers:
        return True
    subject = headers.subject
    if TO_POSTMASTER.are_in_short(subject):
        return False
    if _TO_LIST_KEEPER.match(subject) and not SENDERS_MAIL.are_in(notice[:HEAD]):
        return False
    has_subject = BOUNCE_SUBJECT.are_in_short(subject)
    is_machine = is_named_daemon(headers)
    has_copy = original != "" or carries_original(message)
    if has_subject and is_machine and path_of(headers) == "<>" and (has_copy or has_reply(notice)):
        # Most are so plain.
        return True
    notice = unwrapped(notice)
    if is_lookalike(message, notice) if not has_copy else (is_of_tracker(headers) and not is_machine):
        # A ticket may quote a whole notification, with the original in it.
        return False
    if is_passed_on(message, subject, notice):
        return False
    if not (has_copy or has_trace(message, subject, notice) or speaks_of_readers_mail(message, subject, notice)):
        return False
    is_sure = is_surely_machine(headers, is_named=is_machine) and (
        is_surely_daemon(headers)
        or (is_machine and has_subject and path_of(headers) == "<>")
        or _is_notice(message, subject, notice, original, is_named=is_machine)
    )
    if is_sure or message.report_type == "delivery-status":
        if has_subject or (BOUNCE_SENTENCE.are_in(notice[:HEAD]) and not is_for_owner(message, notice)):
            return is_machine or (_is_of_mail(message, subject, notice) and not WRITERS_MAIL.are_in(notice[:HEAD]))
        return (
            _says_so_of_another(message, subject, notice, original)
            or DELIVERED.are_in_short(subject)
            or (has_copy and says_undelivered(notice))
        )
    if is_machine and has_subject and not PASSED_ON.are_in_short(subject) and not is_of_list(headers):
        return True
    if is_person(headers) or not (
        has_subject or _speaks_as_machine(message, subject, notice, original, is_machine=is_machine)
    ):
        return False
    # Without an envelope an office's text has one sign less, which all that came by SMTP has.
    is_archived = is_of_unknown_path(headers) and not LETTER.are_in(notice[:HEAD])
    return _weigh(message, subject, notice, original) + is_machine + is_archived >= _ENOUGH


def _speaks_as_machine(message: Message, subject: str, notice: str, original: str, *, is_machine: bool) -> bool:
    """Whether a text under an unknown subject may be a mail system's; without an envelope, no letter is."""
    if not (
        _lists_as_system(message, notice, original, is_machine=is_machine)
        or subject_says_undelivered(subject)
        or says_undelivered(notice)
        or names_nobody(subject)
        or (is_machine and carries_original(message) and names_nobody(notice))
    ):
        return False
    if path_of(message.headers):
        return True
    return not LETTER.are_in(notice[:HEAD]) and (is_system(message.headers) or _has_traces(message, notice))


def _lists_as_system(message: Message, notice: str, original: str, *, is_machine: bool) -> bool:
    """Whether an office or a program lists whom something was not delivered to, or lists any above an original."""
    if not (is_machine or is_system(message.headers)):
        return False
    if is_list_service(message.headers) and carries_original(message) and says_something_undelivered(notice):
        return True
    is_listing = any(starts_line(notice, address) for address in foreign_in(notice, message))
    return is_listing and (original != "" or says_something_undelivered(notice))


def _has_traces(message: Message, notice: str) -> bool:
    """Whether a text has what an office's own words about a mail have not."""
    return (
        carries_original(message)
        or has_reply(notice)
        or AUTOMATIC.are_in(notice[:HEAD])
        or any(starts_line(notice, address) for address in foreign_in(notice, message))
    )


def reports_failure(message: Message, notice: str, original: str) -> bool:
    """Whether an automatic answer is a mail system's about a failure, though neither sender nor subject says so."""
    subject = message.headers.subject
    notice = unwrapped(notice)
    if AWAY.are_in(notice[:HEAD]) or not (says_something_undelivered(notice) or says_something_undelivered(subject)):
        return False
    is_answered = has_reply(notice)
    if not is_answered and CHALLENGE.are_in(f"{subject}\n{notice[:HEAD]}"):
        # The filter keeps the mail until its sender has answered.
        return False
    foreign = foreign_in(notice, message)
    is_answered = is_answered and bool(foreign)
    is_listed = any(starts_line(notice, address) for address in foreign)
    if not says_undelivered(notice):
        return is_answered and (is_listed or says_something_undelivered(subject))
    is_senders = SENDERS_MAIL.are_in(notice[:HEAD])
    return (
        is_answered
        or is_listed
        or any(names_nobody_of(notice, address) or says_turned_away_for(notice, address) for address in foreign)
        or (is_senders and any(says_undelivered_to(notice, address) for address in foreign))
    )


def _is_notice(message: Message, subject: str, notice: str, original: str, *, is_named: bool) -> bool:
    """Whether a text is about one mail that failed, and is no letter, though no mail system's own name stands above it.

    Offices write of much else under a name of theirs, and programs may answer on the null path whatever it is.

    Arguments: ``is_named`` is whether it is an office's name.
    """
    headers = message.headers
    head = notice[:HEAD]
    is_passed_on = PASSED_ON.are_in_short(subject) and not AUTOMATIC.are_in(head)
    if is_passed_on and is_named and is_automatic(headers) and not FORWARDED.are_in_short(subject):
        # A program answers so.
        is_passed_on = False
    is_answer = is_written(headers, notice) and not (is_system(headers) and AUTOMATIC.are_in(head))
    if not is_named and (is_passed_on or _asks(subject) or is_about_work(subject) or is_answer):
        return False
    is_told = BOUNCE_SUBJECT.are_in_short(subject) or subject_says_undelivered(subject)
    is_letter = LETTER.are_in(head)
    if is_told and not is_letter:
        return True
    foreign = foreign_in(notice, message)
    is_told = is_told or (names_nobody(subject) and foreign_in(f"{subject}\n{notice}", message) != ())
    is_shown = bool(original) or has_rows(message, notice, foreign)
    is_senders = SENDERS_MAIL.are_in(head) and says_undelivered(notice)
    if is_letter:
        is_senders = is_senders or _is_row_of_reader(message, subject, notice)
        return (is_told and (is_shown or (is_senders and is_system(headers)))) or (
            is_senders and bool(foreign) and not is_passed_on
        )
    if is_told or is_shown or is_senders or _is_row_of_reader(message, subject, notice):
        return True
    if is_named and says_something_undelivered(subject):
        return True
    is_office = is_named or is_system(headers)
    return any(says_failed_of(notice, one) or (is_office and names_nobody_of(notice, one)) for one in foreign)


def _is_row_of_reader(message: Message, subject: str, notice: str) -> bool:
    """Whether a table says what was turned away, and that the one who reads sent it."""
    return names_reader_as_sender(message, notice) and says_something_undelivered(f"{subject}\n\n{notice}")


def _is_about_bounce(subject: str) -> bool:
    """Whether an answer's ``subject`` is a question, or a bounce's own; where a system answers, its words come last."""
    return _asks(subject) or BOUNCE_SUBJECT.are_in_short(subject.partition(":")[2][:_OWN_WORDS])


def _asks(subject: str) -> bool:
    """Whether ``subject`` is a question of its own; one behind "Undeliverable:" is the original's."""
    if "?" not in subject and "？" not in subject:
        return False
    return PASSED_ON.are_in_short(subject) or not REPEATED_SUBJECT.are_in_short(subject)


def _is_of_mail(message: Message, subject: str, notice: str) -> bool:
    """Whether a machine's notice is about mail: fax servers and backups use the null path as well."""
    if carries_original(message) or (has_reply(notice) and foreign_in(notice, message)):
        return True
    is_senders = SENDERS_MAIL.are_in(notice[:HEAD])
    is_of_goods = is_about_goods(f"{subject}\n{notice}")
    for address in foreign_in(notice, message):
        if starts_line(notice, address) or (is_senders and says_undelivered_to(notice, address)):
            return True
        if not is_of_goods and says_failed_of(notice, address):
            return True
    return is_about_mail(f"{subject}\n{notice}") and not (is_about_goods(subject) and not is_about_mail(subject))


def _says_so_of_another(message: Message, subject: str, notice: str, original: str) -> bool:
    """Whether words of no known system say of an address that is not the mail's own that a mail failed."""
    foreign = foreign_in(f"{subject}\n{notice}", message)
    is_mailer = MAILER_DAEMON.are_in_short(message.headers.get("from"))
    if is_mailer and (
        says_something_undelivered(subject)
        or original
        or has_reply(notice)
        or any(starts_line(notice, address) or says_failed_of(notice, address) for address in foreign)
    ):
        # It writes for no other reason.
        return True
    if not foreign or WRITERS_MAIL.are_in(notice[:HEAD]):
        return False
    if is_about_goods(subject) and not is_about_mail(subject) and not has_rows(message, notice, foreign):
        return False
    if subject_says_undelivered(subject) or _is_row_of_reader(message, subject, notice):
        return True
    is_named = is_named_daemon(message.headers)
    if is_named or is_system(message.headers):
        says_so = says_something_undelivered if is_named else says_undelivered
        if says_so(notice) or names_nobody(subject) or names_nobody(notice):
            return True
    elif any(starts_line(notice, address) or says_failed_of(notice, address) for address in foreign) or original:
        # A person's responder may name whom to write to instead.
        is_backed = bool(head_of(original)) or carries_original(message)
        return (
            says_undelivered(notice)
            or (is_backed and (says_something_undelivered(notice) or names_nobody(notice)))
            or (len(notice) <= _BRIEF and _says_why(notice) and any(starts_line(notice, one) for one in foreign))
        )
    if not names_nobody(notice):
        return carries_original(message) and has_reply(notice)
    return has_reply(notice) or (says_undelivered(notice) and SENDERS_MAIL.are_in(notice[:HEAD]))


def _says_why(notice: str) -> bool:
    """Whether a brief ``notice`` says of somebody that there is nobody, or has a row for the reason of a failure."""
    return names_nobody(notice) or (_REASON_ROW.search(notice) is not None and says_something_undelivered(notice))


def _weigh(message: Message, subject: str, notice: str, original: str) -> int:
    """Count what speaks for a mail that was given back, less what speaks for a person or a newsletter."""
    headers = message.headers
    # A person who forwards or answers a notification has its subject and its words, but is no mail system.
    is_answer = "in-reply-to" in headers or "references" in headers or "\n>" in notice
    if (
        is_of_list(headers)
        or FORWARDED.are_in_short(subject)
        or PASSED_ON.are_in_short(subject)
        and (is_answer or _is_about_bounce(subject) or LETTER.are_in(notice[:HEAD]) or carries_original(message))
    ):
        return 0
    foreign = [name.address for name in find_named(notice[:HEAD], Parties(headers), is_strict=True)]
    is_of_lists = is_list_service(headers)
    if not foreign and not original and not carries_original(message) and not is_of_lists:
        # A list may refuse without a word of its own name.
        return 0
    if "list-unsubscribe" in headers and not original and not carries_original(message) and not is_of_lists:
        # A mailing, which may be about mail that comes back.
        return 0
    signs = 2 if carries_original(message) or (original and "\n" in original.strip()) else 0
    signs += (
        subject_says_undelivered(subject)
        or names_nobody(subject)
        or (says_something_undelivered(subject) and not is_about_goods(subject))
    )
    signs += says_undelivered(notice) and (is_of_lists or SENDERS_MAIL.are_in(notice[:HEAD]))
    is_listing = is_named_daemon(headers) and has_rows(message, notice, foreign)
    if not signs and not (is_listing and says_something_undelivered(notice)):
        # All else stands in logs, and in what people and programs write about mail servers, as well.
        return 0
    signs += has_reply(notice)
    signs += any(
        starts_line(notice, address) or says_undelivered_to(notice, address) or names_nobody_of(notice, address)
        for address in foreign[:_MAX_ADDRESSES]
    )
    signs += is_system(headers) + is_of_lists
    # Nobody but mail systems has cause to write there.
    signs += is_for_failures(headers) and has_rows(message, notice, foreign)
    signs += is_automatic(headers) or AUTOMATIC.are_in(notice[:HEAD])
    signs -= "list-unsubscribe" in headers or headers.raw("precedence").lower() == "list"
    signs -= (LETTER.are_in(notice[:HEAD]) or WRITERS_MAIL.are_in(notice[:HEAD])) + ("?" in notice[:_LETTER])
    signs -= _asks(subject)
    signs -= 2 * (is_about_goods(f"{subject}\n{notice}") and not is_about_mail(subject))
    return signs


def action_of(subject: str, notice: str) -> Action:
    """Tell a warning, after which the mail is still tried, from a failure, by what both say of it."""
    notice = unwrapped(notice)
    is_delayed = "(delay" in subject.lower() or DELAYED.are_in(notice) or DELAYED_TOO.are_in(notice)
    # English words need no other language's; most notifications have them.
    if not is_delayed and not (notice.isascii() and any([word in notice for word in _ENGLISH])):
        is_delayed = DELAYED_ABROAD.are_in(notice) or DELAYED_ABROAD_TOO.are_in(notice)
    if is_delayed and (
        DELAYED_SUBJECT.are_in_short(subject) or STILL_TRIED.are_in(notice) or not GIVEN_UP.are_in(notice)
    ):
        return Action.DELAYED
    if DELIVERED.are_in_short(subject) and not says_undelivered(notice):
        return Action.DELIVERED
    return Action.FAILED
