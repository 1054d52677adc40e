"""The arguments of MAIL and RCPT: a path in angle brackets and its parameters. Pure.

Strict about the path (S7), generous about the parameters: whatever a real server sends (AUTH=, RET=, ENVID=,
NOTIFY=, ORCPT=, XOORG= ...) is taken and ignored, since refusing it loses a bounce (M7).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from model.errors import RemoteError
from mta import replies
from mta.replies import Reply

#: RFC 5321 4.5.3.1.3: a path has at most 256 octets, punctuation included; 320 leaves room for 64 + @ + 255.
MAX_PATH = 320

# RFC 5321 4.1.2: Path = "<" [ A-d-l ":" ] Mailbox ">". The inner part may be a quoted string with ">" in it.
# No two branches start alike and a run of plain characters is taken whole, so that matching is linear.
_PATH = re.compile(
    r'\s*<(?P<route>@[^<>\s:"]+:)?(?P<path>(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^<>"\\\x00-\x20\x7f]++)*)>(?P<rest>.*)\Z',
    re.DOTALL,
)
# RFC 5321 4.1.2: esmtp-keyword; real servers also use an underscore or a dot in it. The value may hold any
# printable octet but "=", which real AUTH= and ORCPT= values break: everything up to the space is taken.
_PARAMETER = re.compile(r"(?P<key>[A-Za-z0-9][A-Za-z0-9_.\-]*)(?:=(?P<value>[^\x00-\x20\x7f]+))?\Z")
# What nearly every RCPT says; the same as _PATH and _is_mailbox would find, in a third of the time.
_PLAIN_FORWARD = re.compile(r"[Tt][Oo]:<([A-Za-z0-9+=_.\-]{1,64}@[A-Za-z0-9.\-]{1,255})>\Z")
_SIZE = re.compile(r"[0-9]{1,20}\Z")


class ArgumentError(RemoteError):
    """An argument of MAIL or RCPT is malformed. ``reply`` is what to answer."""

    def __init__(self, reply: Reply) -> None:
        """``reply`` is one of mta.replies."""
        super().__init__(reply.text)
        self.reply = reply


class PathArgument(NamedTuple):
    """A parsed argument. ``path`` is empty for ``<>``; octets that are no UTF-8 are surrogates in it."""

    path: str
    #: the declared size in octets (RFC 1870), if any
    size: int | None = None
    is_utf8: bool = False
    #: the parameters in order, keys in upper case; a value is None when there is none
    parameters: tuple[tuple[str, str | None], ...] = ()


_NULL = PathArgument("")


def parse_reverse_path(argument: str) -> PathArgument:
    """Read what follows ``MAIL`` (RFC 5321 4.1.1.2).

    Raises ArgumentError (501) when it is not ``FROM:<path>`` with well-formed parameters.
    """
    if argument == "FROM:<>":
        return _NULL  # every bounce
    path, rest = _split(argument, "FROM:", replies.BAD_REVERSE_PATH)
    if path and not _is_mailbox(path):
        raise ArgumentError(replies.BAD_REVERSE_PATH)
    return _with_parameters(path, rest)


def parse_forward_path(argument: str) -> PathArgument:
    """Read what follows ``RCPT`` (RFC 5321 4.1.1.3); a bare ``<postmaster>`` is allowed (RFC 5321 4.5.1).

    Raises ArgumentError (501) when it is not ``TO:<path>`` with well-formed parameters.
    """
    plain = _PLAIN_FORWARD.match(argument)
    if plain is not None:
        return PathArgument(plain[1])
    path, rest = _split(argument, "TO:", replies.BAD_FORWARD_PATH)
    if path.lower() != "postmaster" and not _is_mailbox(path):
        raise ArgumentError(replies.BAD_FORWARD_PATH)
    return _with_parameters(path, rest)


def _split(argument: str, keyword: str, reply: Reply) -> tuple[str, str]:
    if argument[: len(keyword)].upper() != keyword:
        raise ArgumentError(replies.BAD_ARGUMENT)
    match = _PATH.match(argument, len(keyword))
    if match is None or len(match["path"]) > MAX_PATH:
        raise ArgumentError(reply)
    # RFC 5321 appendix C: a source route is taken and ignored.
    return match["path"], match["rest"]


def _is_mailbox(path: str) -> bool:
    # Only the frame is checked: a null mailbox, two unquoted "@" or an empty half. What the local part may
    # hold is the sender's affair; return_path decides whether it is one of ours.
    local, at, domain = path.rpartition("@")
    return bool(at and local and domain) and (local.startswith('"') or "@" not in local) and '"' not in domain


def _with_parameters(path: str, rest: str) -> PathArgument:
    if rest and not rest[0].isspace():
        raise ArgumentError(replies.BAD_ARGUMENT)
    if not rest.strip():
        return PathArgument(path)
    parameters: list[tuple[str, str | None]] = []
    for word in rest.split():
        match = _PARAMETER.match(word)
        if match is None:
            raise ArgumentError(replies.BAD_ARGUMENT)
        parameters.append((match["key"].upper(), match["value"]))
    values = dict(parameters)
    size = values.get("SIZE")
    if "SIZE" in values and (size is None or not _SIZE.match(size)):
        raise ArgumentError(replies.BAD_ARGUMENT)
    return PathArgument(path, int(size) if size else None, "SMTPUTF8" in values, tuple(parameters))
