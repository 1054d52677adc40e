"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token allows. Every route needs exactly one; what is not granted is denied."""

    #: see broadcasts
    BROADCASTS_READ = "broadcasts:read"
    #: describe and change broadcasts
    BROADCASTS_WRITE = "broadcasts:write"
    #: list recipients, get return paths and links for them
    SENDS_WRITE = "sends:write"
    #: see numbers
    REPORTS_READ = "reports:read"
    #: see recipients and what happened to them
    RECIPIENTS_READ = "recipients:read"
    #: say that errors were seen
    ERRORS_ACK = "errors:ack"
    #: report what became of mails: accepted, deferred, failed, converted; and how queues stand
    ATTEMPTS_WRITE = "attempts:write"
    #: see what people and tokens did
    AUDIT_READ = "audit:read"
    #: see, make and revoke tokens, and so give rights to others (S36)
    TOKENS_WRITE = "tokens:write"
    #: see which exports there are
    EXPORTS_READ = "exports:read"
    #: have exports made
    EXPORTS_WRITE = "exports:write"
    #: export recipients that come from an address book (R05)
    EXPORTS_ADDRESSBOOK = "exports:addressbook"
    #: take files with contacts away (S35)
    CONTACTS_DOWNLOAD = "contacts:download"
    #: see who is not mailed, ask before sending
    SUPPRESSIONS_READ = "suppressions:read"
    #: lift suppressions, set blocks, exemptions and the policy, decide incidents
    SUPPRESSIONS_WRITE = "suppressions:write"
    #: have people forgotten, and say how long what is kept
    ERASURES_WRITE = "erasures:write"
    #: read the event stream
    EVENTS_READ = "events:read"
    #: make, see, test, replay and remove webhooks; their URLs may hold secrets of others
    WEBHOOKS_WRITE = "webhooks:write"
    #: see commands and how far they are
    COMMANDS_READ = "commands:read"
    #: ask sending systems to pause or resume
    COMMANDS_WRITE = "commands:write"
    #: say what became of a command
    COMMANDS_ACK = "commands:ack"
    #: see notices of opens, clicks and the like, with the people they are about
    NOTICES_READ = "notices:read"
    #: say which notices there shall be
    NOTICES_WRITE = "notices:write"


class Role(StrEnum):
    """Sets of scopes with a name (T17)."""

    #: looks on
    VIEWER = "viewer"
    #: a system that sends mails
    SENDER = "sender"
    #: looks on and helps recipients
    OPERATOR = "operator"
    #: everything but giving rights to others
    ADMIN = "admin"
    #: everything (S36)
    SYSTEM_ADMIN = "system_admin"


_VIEWER = (Scope.BROADCASTS_READ, Scope.REPORTS_READ)
_SENDER = (
    *_VIEWER, Scope.BROADCASTS_WRITE, Scope.SENDS_WRITE, Scope.SUPPRESSIONS_READ, Scope.ATTEMPTS_WRITE,
    Scope.COMMANDS_READ, Scope.COMMANDS_ACK,
)  # fmt: skip
_EXPORTS = (Scope.EXPORTS_READ, Scope.EXPORTS_WRITE, Scope.CONTACTS_DOWNLOAD)
_OPERATOR = (
    *_SENDER, Scope.RECIPIENTS_READ, Scope.ERRORS_ACK, Scope.EVENTS_READ, Scope.COMMANDS_WRITE, Scope.NOTICES_READ,
    Scope.NOTICES_WRITE, *_EXPORTS,
)  # fmt: skip
_SYSTEM = (Scope.TOKENS_WRITE,)

#: What each role may do. Only an administrator lifts suppressions or lets data out by webhooks, only a system
#: administrator gives rights.
ROLES: dict[Role, tuple[Scope, ...]] = {
    Role.VIEWER: _VIEWER,
    Role.SENDER: _SENDER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: tuple(scope for scope in Scope if scope not in _SYSTEM),
    Role.SYSTEM_ADMIN: tuple(Scope),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever a token was given to."""

    name: str
    tenant: int
    scopes: frozenset[Scope]
