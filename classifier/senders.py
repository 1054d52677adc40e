"""Who sent a mail, as its header tells: a mail system, another program, or a person."""

from __future__ import annotations

import re
from functools import lru_cache

from classifier.addresses import ADDRESS
from classifier.charsets import decode_words
from classifier.headers import Headers
from classifier.phrases import DAEMON, MAILER_DAEMON

_SYSTEM_SENDER = re.compile(
    r"(?:no-?reply|do-?not-?reply|list-?serv(?:er)?|list-?master|mail(?:er|gw|gate\w*|filter|scan\w*|marshal|router|ad(?:m|min))?|smtp\w*|gateway|server"
    r"|system|root|admin\w*|notif\w*|uucp|mmdf|mx\w*|filter|\w*scan\w*|anti\w*|quarantine|listserv|majordomo|mailman|sympa|ezmlm|\w*(?:anti-?_?virus|smtp|gateway|firewall)\w*|owner-\S+"
    r"|\S+[+-](?:owner|admin|bounces?)|post(?:a|amt|mann?)\b[\w.-]*)@",
    re.IGNORECASE,
)
# What else stands for an office or a program: nobody is called so.
_OFFICE = re.compile(
    r"mail|post\b|admin|system|sistema|syst[èe]me|server|serv[ei]|support|security|gateway|filter|daemon|deliver|notif|robot|\bbot\b|auto"
    r"|no.?reply|staff|microsoft|outlook|exchange|sympa|fml|team|help|list|abuse|sweeper|guard|shield|scan|virus|spam|firewall|webmaster|hostmaster|office|info\b|bounce|return|monitor|queue|\bmta\b|サポート|管理|事務局|運営|配信|センター"
    r"|中心|系统|系統|团队|团隊|통지|관리|센터|служб|систем|почт|correio|correo|courrier|\bposta\b|メール|郵便|메일|邮件|郵件|transfer|transport|relay|router",
    re.IGNORECASE,
)
# The local part of where lists and mailings have their failures sent to.
_FOR_FAILURES = re.compile(r"bounce|return|^owner-|^errors|[-+](?:owner|admin|errors?|request)$", re.IGNORECASE)
# "[Bug 20117]", "[#GW-448120]", "[example.org #5512]", "[JIRA] (MAIL-912)": a bounce repeats one behind its own words.
_TICKET = re.compile(
    r"\s*(?:re: ?)?(?:\[(?:[^\]\n]{0,40}?[# -]\d{2,}\]|jira\])"
    r"|(?:(?:new|your) )?(?:ticket|case|issue|incident|task)\b[^\n]{0,30}?"
    r" (?:assigned|updated|opened|closed|resolved) )",
    re.IGNORECASE,
)
_TRACKER_FIELDS = ("rt-ticket", "x-bugzilla-reason", "x-github-reason", "x-jira-fingerprint", "x-redmine-host")
#: The null path, and how a mail system writes it into its own mailboxes.
_NULL_PATHS = frozenset({"<>", "<MAILER-DAEMON>"})
#: Where programs that keep lists write from.
_LIST_SERVICE = re.compile(
    r"(?:list-?serv(?:er)?|majordomo|mailman|sympa|ezmlm|mlmmj|listar|smartlist|owner-\S+"
    r"|\S+[+-](?:owner|admin|bounces?|request|help))@",
    re.IGNORECASE,
)
_FROM_BOUNCES = re.compile(r"[+-](?:bounces?|owner)@", re.IGNORECASE)
# A person's whole name: two words and more, or few characters of Chinese, Japanese or Korean.
_WHOLE_NAME = re.compile(
    r"[^\W\d_][^\W\d_.'’-]*(?:[-'’. ]+[^\W\d_][^\W\d_.'’-]*){1,3}\.?"
    r"|[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{2,4}(?:[ \u3000][\u3040-\u30ff\u4e00-\u9fff]{1,3})?"
)
_MAX_SUBJECT = 100
_MAX_FROM = 400
_MAX_ENCODED = 2_000
#: Addresses and names of which each answer is remembered: one mail is asked many times.
_REMEMBERED = 256


def path_of(headers: Headers) -> str:
    """Return the envelope's reverse-path as the Return-Path field has it: ``<>`` from a machine, "" when unknown.

    One that names the mail's own receiver, and not who sent it, was written by a list that passed the mail on.
    """
    path = headers.raw("return-path").strip()
    if path in _NULL_PATHS:
        return "<>"
    address = _address_in(headers.raw("to")[:_MAX_FROM]).lower() if "@" in path else ""
    if address and address in path.lower() and address not in headers.raw("from").lower():
        return ""
    return path


def is_daemon(headers: Headers) -> bool:
    """Whether the envelope or the From field says that a mail system wrote it."""
    return headers.raw("return-path").strip() in _NULL_PATHS or is_named_daemon(headers)


def is_named_daemon(headers: Headers) -> bool:
    """Whether the From field says so, or says nothing at all."""
    sender = f"{decode_words(headers.raw('from'))} {headers.raw('sender')}"
    return DAEMON.are_in_short(sender) or headers.raw("from").strip() in ("", "<>")


def is_surely_machine(headers: Headers, *, is_named: bool) -> bool:
    """Whether no person can have sent it: RFC 5321 4.5.5 keeps the null path for notifications.

    Arguments: ``is_named`` is what ``is_named_daemon`` says.
    """
    path = path_of(headers)
    if path == "<>":
        return True
    if is_of_list(headers):
        return False
    if is_named and not path:
        return True
    return is_named and MAILER_DAEMON.are_in_short(f"{decode_words(headers.raw('from'))} {path}")


def is_surely_daemon(headers: Headers) -> bool:
    """Whether the From field has a name that nobody but a mail system has, or says nothing."""
    sender = decode_words(headers.raw("from"))
    return not sender.strip(" <>") or MAILER_DAEMON.are_in_short(sender)


def is_of_daemon(headers: Headers) -> bool:
    """Whether the address in the From field, not only the name before it, is one that only a mail system has."""
    return MAILER_DAEMON.are_in_short(_written_from(headers)[1])


def is_of_another_path(headers: Headers) -> bool:
    """Whether the envelope names somebody of another domain than the From field, and no mail system.

    Those who fish for passwords take a mail system's name and send from wherever they broke in.
    """
    path = _address_in(path_of(headers)[:_MAX_FROM])
    sender = _address_in(headers.raw("from")[:_MAX_FROM])
    if not path or not sender:
        return False
    if DAEMON.are_in_short(path) or path.lower().startswith("root@"):
        return False
    return _domain_of(path) != _domain_of(sender)


def _domain_of(address: str) -> str:
    """Return the last two labels of the domain: hosts of one owner share them."""
    return ".".join(address.lower().rpartition("@")[2].split(".")[-2:])


def is_system(headers: Headers) -> bool:
    """Whether the sender's address is one that programs write from."""
    return _is_system(_address_in(headers.raw("from")[:_MAX_FROM]))


@lru_cache(maxsize=_REMEMBERED)
def _address_in(value: str) -> str:
    """Return the first address in the ``value`` of a field; "" when there is none. One mail is asked many times."""
    match = ADDRESS.search(value) if "@" in value else None
    return match.group(1) if match is not None else ""


@lru_cache(maxsize=_REMEMBERED)
def _is_system(address: str) -> bool:
    return _SYSTEM_SENDER.match(address) is not None


@lru_cache(maxsize=_REMEMBERED)
def _is_list_service(address: str) -> bool:
    return _LIST_SERVICE.match(address) is not None


@lru_cache(maxsize=_REMEMBERED)
def _is_office(words: str) -> bool:
    return _OFFICE.search(words) is not None


@lru_cache(maxsize=_REMEMBERED)
def _is_kept_for_failures(address: str) -> bool:
    return _FOR_FAILURES.search(address.partition("@")[0]) is not None


def is_list_manager(headers: Headers) -> bool:
    """Whether a list manager says that it wrote."""
    return "x-mlserver" in headers or "x-list-administrivia" in headers


def is_list_service(headers: Headers) -> bool:
    """Whether the sender's address is one that list managers write from, or one says that it wrote."""
    return is_list_manager(headers) or _is_list_service(_address_in(headers.raw("from")[:_MAX_FROM]))


def is_automatic(headers: Headers) -> bool:
    """Whether the header says that a program wrote it (RFC 3834 5)."""
    return headers.raw("auto-submitted").lower().startswith("auto-")


def is_person(headers: Headers) -> bool:
    """Whether somebody sent it: name and address are no office's and no program's, and no envelope names another.

    A bare address that wrote to where lists have their failures sent to may be an unknown system's.
    """
    name, address = _written_from(headers)
    path = path_of(headers).lower()
    if not address or (path and address.lower() not in path):
        return False
    if not (path and name) and is_for_failures(headers):
        return False
    return _is_persons(headers, name, address)


def has_persons_name(headers: Headers) -> bool:
    """Whether the From field has a person's name before a person's address, whatever the envelope says."""
    name, address = _written_from(headers)
    return bool(name and address) and _is_persons(headers, name, address)


def has_whole_name(headers: Headers) -> bool:
    """Whether the From field has the whole name of a person, as no mail system calls itself."""
    name, address = _written_from(headers)
    return _WHOLE_NAME.fullmatch(name) is not None and bool(address) and _is_persons(headers, name, address)


def _written_from(headers: Headers) -> tuple[str, str]:
    """Return the name and the address of the From field; "" for what is not there."""
    return _name_and_address(headers.raw("from")[:_MAX_ENCODED])


@lru_cache(maxsize=_REMEMBERED)
def _name_and_address(value: str) -> tuple[str, str]:
    sender = decode_words(value)[:_MAX_FROM]
    match = ADDRESS.search(sender)
    return (sender[: match.start()].strip(" \t<\"'"), match.group(1)) if match is not None else ("", "")


def _is_persons(headers: Headers, name: str, address: str) -> bool:
    if is_automatic(headers) or is_system(headers) or is_list_manager(headers) or is_named_daemon(headers):
        return False
    return not _is_office(name) and not _is_office(address.partition("@")[0])


def is_of_list(headers: Headers) -> bool:
    """Whether a list passed it on to its members (RFC 2919), and did not write it itself."""
    is_listed = "list-id" in headers or "x-beenthere" in headers or "x-ml-name" in headers
    if not is_listed or is_list_manager(headers) or is_for_failures(headers):
        return False
    if "list-unsubscribe" in headers or headers.raw("precedence").lower() == "list":
        return True
    # Nobody posts from where a list has its failures sent to, or its keeper is written to.
    return _FROM_BOUNCES.search(headers.raw("from")[:_MAX_FROM]) is None


def is_of_tracker(headers: Headers) -> bool:
    """Whether a ticket system sent it: its header says so, or the subject begins with a ticket's number.

    A mail system on the null path repeats the subject of the mail that failed, ticket and all.
    """
    if any(name in headers for name in _TRACKER_FIELDS):
        return True
    is_numbered = _TICKET.match(headers.subject[:_MAX_SUBJECT]) is not None
    return is_numbered and not (path_of(headers) == "<>" and is_named_daemon(headers))


def is_for_failures(headers: Headers) -> bool:
    """Whether it was sent to an address that lists and mailings keep for their failures."""
    return _is_kept_for_failures(_address_in(headers.raw("to")[:_MAX_FROM]))


def is_of_unknown_path(headers: Headers) -> bool:
    """Whether an office or a program wrote it, and no envelope tells which: some systems leave no Return-Path."""
    if path_of(headers) or "in-reply-to" in headers or "list-unsubscribe" in headers:
        return False
    return is_system(headers) or _is_office(decode_words(headers.raw("from"))[:_MAX_FROM])
