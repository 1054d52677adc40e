"""Why a mail failed: 45 causes with their permanence and fault, and the other vocabularies as views of them.

One table (mission.md 3.1) holds everything; a view is a column of it. ``fault`` decides suppression, never the
view: what is our own fault must not silence a recipient (mission 0.2, N03).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Permanence(StrEnum):
    """Whether the same mail could be delivered later (RFC 3463 2, reply class)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class CausePermanence(StrEnum):
    """What a cause says about permanence before reply and status codes are looked at."""

    #: the address or its domain is dead
    PERMANENT = "permanent"
    #: sending again may work
    TRANSIENT = "transient"
    #: permanent for this one mail, nothing about the address (P* of mission 3.1)
    MESSAGE = "message"
    #: the reply class decides (V of mission 3.1)
    EITHER = "either"


class Fault(StrEnum):
    """Whose fault a failure is; suppression looks at this."""

    #: the mailbox
    RECIPIENT = "recipient"
    #: the recipient's domain
    DOMAIN = "domain"
    #: what the mail says
    CONTENT = "content"
    #: we, our provider, our addresses
    SENDER = "sender"
    #: the way there, or the machine at its end
    NETWORK = "network"
    #: decided on our side before sending
    LOCAL = "local"
    #: not known
    UNKNOWN = "unknown"


class Channel(IntEnum):
    """How a failure became known (mission 0.1)."""

    #: before any receiving server was asked
    PRE_SEND = 1
    #: refused inside the SMTP session
    IN_SESSION = 2
    #: accepted first, reported back later by mail
    OUT_OF_BAND = 3


class Reason(StrEnum):
    """The twelve classes of ``yamabiko classify``, as the measuring corpus defines them."""

    USER_UNKNOWN = "user_unknown"
    HOST_UNKNOWN = "host_unknown"
    REJECTED = "rejected"
    MAILBOX_FULL = "mailbox_full"
    TIMEOUT = "timeout"
    RELAY_ERROR = "relay_error"
    SERVER_CONFIG_ERROR = "server_config_error"
    USER_CONFIG_ERROR = "user_config_error"
    OTHER = "other"
    AUTO_REPLY = "auto_reply"
    ADDRESS_SYNTAX_ERROR = "address_syntax_error"
    UNPARSABLE = "unparsable"


class SansanClass(StrEnum):
    """Sansan's twelve delivery statuses (S19-S30)."""

    USER_UNKNOWN = "user_unknown"
    HOST_UNKNOWN = "host_unknown"
    REJECTED = "rejected"
    DISK_FULL = "disk_full"
    TIMEOUT = "timeout"
    RELAY_ERROR = "relay_error"
    SERVER_CONFIG = "server_config"
    USER_CONFIG = "user_config"
    OTHER = "other"
    AUTO_REPLY = "auto_reply"
    ADDRESS_SYNTAX = "address_syntax"
    UNPARSABLE = "unparsable"


class SuppressPolicy(StrEnum):
    """What the default profile does with the address (last column of mission 3.1)."""

    #: TTL grows with the number of failures (E41, E42)
    LADDER = "ladder"
    #: 30 days
    DAYS_30 = "days_30"
    #: 180 days
    DAYS_180 = "days_180"
    #: until an operator deletes the entry
    FOREVER = "forever"
    #: soft points; enough of them suppress for a while
    SCORE = "score"
    #: nothing
    NO = "no"
    #: nothing, whatever a profile says: it is our own fault
    NEVER = "never"


class Cause(StrEnum):
    """Why it failed; our own 45 (mission 3.1). ``SPECS`` says everything about each."""

    #: no such mailbox
    USER_UNKNOWN = "user_unknown"
    #: the mailbox exists but is closed, suspended or inactive
    MAILBOX_DISABLED = "mailbox_disabled"
    #: the mailbox has moved and is not forwarded
    MAILBOX_MOVED = "mailbox_moved"
    #: the address now belongs to somebody else (RFC 7293)
    ADDRESS_REASSIGNED = "address_reassigned"
    #: the address is malformed
    ADDRESS_SYNTAX = "address_syntax"
    #: the domain does not exist or has no mail host
    HOST_UNKNOWN = "host_unknown"
    #: the domain says it takes no mail (RFC 7505)
    DOMAIN_NO_MAIL = "domain_no_mail"
    #: the recipient's mailbox is over its quota
    MAILBOX_FULL = "mailbox_full"
    #: over quota for so long that nobody reads it
    MAILBOX_FULL_ABANDONED = "mailbox_full_abandoned"
    #: this recipient gets too much mail just now
    RECIPIENT_RATE_LIMITED = "recipient_rate_limited"
    #: the recipient's own filter refuses
    RECIPIENT_FILTERED = "recipient_filtered"
    #: only chosen senders may write to this recipient
    RECIPIENT_RESTRICTED = "recipient_restricted"
    #: the recipient's own delivery set-up is broken
    MAILBOX_CONFIG_ERROR = "mailbox_config_error"
    #: larger than this recipient or server takes
    MESSAGE_TOO_LARGE = "message_too_large"
    #: refused for what it says or how it is built
    CONTENT_REJECTED = "content_rejected"
    #: refused for a forbidden attachment
    ATTACHMENT_REJECTED = "attachment_rejected"
    #: refused as carrying malware
    VIRUS_DETECTED = "virus_detected"
    #: refused as spam, or for a listed URL in it
    SPAM_CONTENT = "spam_content"
    #: a charset or an encoding the receiver cannot take
    CHARSET_UNSUPPORTED = "charset_unsupported"
    #: breaks a rule of the message format
    RFC_NONCOMPLIANT = "rfc_noncompliant"
    #: our IP address is on a block list
    IP_BLOCKLISTED = "ip_blocklisted"
    #: our IP address or domain has a bad reputation there
    REPUTATION_BLOCK = "reputation_block"
    #: SPF, DKIM or DMARC failed
    AUTH_FAILED = "auth_failed"
    #: no or wrong reverse DNS, or a bad HELO name
    PTR_MISSING = "ptr_missing"
    #: our envelope sender is refused
    SENDER_REJECTED = "sender_rejected"
    #: the server does not relay to this domain
    RELAY_DENIED = "relay_denied"
    #: we send too much, too fast or on too many connections
    RATE_LIMITED = "rate_limited"
    #: told to come back later, as every first try is
    GREYLISTED = "greylisted"
    #: TLS is required or failed
    TLS_REQUIRED = "tls_required"
    #: refused by a policy that is not named
    POLICY_REJECTED = "policy_rejected"
    #: the server takes no mail just now
    SERVER_NOT_ACCEPTING = "server_not_accepting"
    #: the server's disk is full
    SYSTEM_FULL = "system_full"
    #: the server is misconfigured or broken inside
    REMOTE_CONFIG_ERROR = "remote_config_error"
    #: the mail goes round in circles
    ROUTING_LOOP = "routing_loop"
    #: DNS failed for the moment
    DNS_TEMP_FAILURE = "dns_temp_failure"
    #: no connection, or it broke
    CONNECTION_FAILED = "connection_failed"
    #: not delivered in time
    DELIVERY_EXPIRED = "delivery_expired"
    #: the SMTP dialogue went wrong
    PROTOCOL_ERROR = "protocol_error"
    #: on our suppression list, so not sent
    SUPPRESSED_LIST = "suppressed_list"
    #: unsubscribed, so not sent
    SUPPRESSED_UNSUBSCRIBED = "suppressed_unsubscribed"
    #: on the provider's own suppression list
    SUPPRESSED_UPSTREAM = "suppressed_upstream"
    #: handing over to the sending system failed
    SUBMIT_FAILED = "submit_failed"
    #: the mail could not be made from its template
    RENDER_FAILED = "render_failed"
    #: a bounce that gives no reason
    NO_REASON = "no_reason"
    #: a bounce whose text nobody understands, or that names no recipient
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class CauseSpec:
    """One row of the crosswalk. ``None`` means the vocabulary has no word for it."""

    #: stable number, used in stored records
    number: int
    cause: Cause
    fault: Fault
    permanence: CausePermanence
    reason: Reason
    sansan: SansanClass | None
    #: EngageLab class when it came back out of band (E06-E11)
    engagelab_soft: str | None
    #: EngageLab class when refused in session or before sending (E12-E19)
    engagelab_invalid: str
    #: KARTE / Amazon SES bounceType:bounceSubType
    ses: str | None
    sisimai: str | None
    #: django-anymail event type and reject reason
    anymail: tuple[str, str | None]
    suppress: SuppressPolicy


_SOFT = {
    "su": "service_unreachable",
    "ip": "ip_domain_rejected",
    "ne": "address_not_exist",
    "sp": "spam_rejected",
    "sr": "sender_recipient_rejected",
    "ot": "other",
    "-": None,
}
_INVALID = {
    "bl": "blacklist",
    "un": "unsubscribed",
    "sv": "server_unreachable",
    "af": "address_format",
    "ne": "address_not_exist",
    "sp": "spam",
    "sr": "sender_recipient_rejected",
    "ot": "other",
}
_SANSAN = {
    "UU": SansanClass.USER_UNKNOWN,
    "HU": SansanClass.HOST_UNKNOWN,
    "RJ": SansanClass.REJECTED,
    "DF": SansanClass.DISK_FULL,
    "TO": SansanClass.TIMEOUT,
    "RE": SansanClass.RELAY_ERROR,
    "SC": SansanClass.SERVER_CONFIG,
    "UC": SansanClass.USER_CONFIG,
    "OT": SansanClass.OTHER,
    "FE": SansanClass.ADDRESS_SYNTAX,
    "UP": SansanClass.UNPARSABLE,
    "-": None,
}
_FAULT = {
    "R": Fault.RECIPIENT,
    "D": Fault.DOMAIN,
    "C": Fault.CONTENT,
    "S": Fault.SENDER,
    "N": Fault.NETWORK,
    "L": Fault.LOCAL,
    "?": Fault.UNKNOWN,
}
_PERMANENCE = {
    "P": CausePermanence.PERMANENT,
    "T": CausePermanence.TRANSIENT,
    "M": CausePermanence.MESSAGE,
    "V": CausePermanence.EITHER,
}

# number, cause, fault, permanence, reason, Sansan, EngageLab soft, EngageLab invalid, SES, Sisimai,
# Anymail event|reject reason, suppression
_TABLE = """
1 user_unknown R P user_unknown UU ne ne Permanent:General userunknown bounced|bounced ladder
2 mailbox_disabled R P user_unknown UU ne ne Permanent:General suspend bounced|bounced ladder
3 mailbox_moved R P user_unknown UU ne ne Permanent:General hasmoved bounced|bounced ladder
4 address_reassigned R P user_unknown UU sr sr Permanent:General hasmoved bounced|bounced forever
5 address_syntax R P address_syntax_error FE ot af Permanent:General syntaxerror rejected|invalid forever
6 host_unknown D P host_unknown HU su sv Permanent:General hostunknown bounced|bounced ladder
7 domain_no_mail D P rejected HU su sv Permanent:General notaccept bounced|bounced days_30
8 mailbox_full R T mailbox_full DF ot ot Transient:MailboxFull mailboxfull deferred|bounced score
9 mailbox_full_abandoned R P mailbox_full DF ne ne Transient:MailboxFull mailboxfull bounced|bounced days_30
10 recipient_rate_limited R T rejected TO ot ot Transient:General speeding deferred| no
11 recipient_filtered R P rejected RJ sr sr Permanent:General filtered bounced|blocked score
12 recipient_restricted R P rejected RJ sr sr Permanent:General rejected bounced|blocked days_180
13 mailbox_config_error R V user_config_error UC ot ot Transient:General mailererror bounced|other score
14 message_too_large C M rejected RJ ot ot Transient:MessageTooLarge emailtoolarge bounced|other no
15 content_rejected C M rejected RJ ot ot Transient:ContentRejected contenterror bounced|blocked no
16 attachment_rejected C M rejected RJ ot ot Transient:AttachmentRejected policyviolation bounced|other no
17 virus_detected C M rejected RJ ot ot Transient:ContentRejected virusdetected bounced|other no
18 spam_content C M rejected RJ sp sp Transient:ContentRejected spamdetected bounced|spam no
19 charset_unsupported C M server_config_error SC ot ot Transient:ContentRejected contenterror bounced|other no
20 rfc_noncompliant C M rejected RJ sr sr Transient:ContentRejected notcompliantrfc bounced|other no
21 ip_blocklisted S T rejected RJ ip sp Transient:General blocked bounced|blocked never
22 reputation_block S T rejected RJ ip sp Transient:General badreputation bounced|blocked never
23 auth_failed S T rejected RJ sr sr Transient:General authfailure bounced|blocked never
24 ptr_missing S T rejected RJ ip sr Transient:General requireptr bounced|blocked never
25 sender_rejected S M rejected RJ sr sr Transient:General rejected bounced|blocked never
26 relay_denied S P relay_error RE ot ot Permanent:General norelaying bounced|blocked no
27 rate_limited S T rejected TO ip ot Transient:General ratelimited deferred| never
28 greylisted N T rejected TO ot ot Transient:General spamdetected deferred| no
29 tls_required N T server_config_error SC ot sv Transient:General failedstarttls bounced|blocked no
30 policy_rejected ? V rejected RJ sr sr Permanent:General policyviolation bounced|blocked score
31 server_not_accepting N T server_config_error SC su sv Transient:General notaccept bounced|timed_out no
32 system_full N T mailbox_full DF su sv Transient:General systemfull deferred| no
33 remote_config_error N V server_config_error SC su ot Transient:General systemerror bounced|other no
34 routing_loop N P relay_error RE su sv Transient:General networkerror bounced|other no
35 dns_temp_failure N T host_unknown TO su sv Transient:General networkerror deferred| no
36 connection_failed N T timeout TO su sv Transient:General networkerror bounced|timed_out no
37 delivery_expired N M timeout TO su sv Transient:General expired bounced|timed_out no
38 protocol_error N V server_config_error SC ot ot Transient:General syntaxerror bounced|other no
39 suppressed_list L V rejected - - bl - suppressed rejected|bounced no
40 suppressed_unsubscribed L V rejected - - un Permanent:UnsubscribedRecipient - rejected|unsubscribed no
41 suppressed_upstream L P rejected UU - bl Permanent:Suppressed suppressed rejected|bounced no
42 submit_failed L V other OT - ot FAILED - failed| no
43 render_failed L M other OT - ot RENDERING_FAILURE - failed| no
44 no_reason ? V other OT ot ot Undetermined:Undetermined onhold bounced|other score
45 unparsable ? V unparsable UP ot ot Undetermined:Undetermined undefined unknown| no
"""


def _read_row(row: str) -> CauseSpec:
    number, cause, fault, permanence, reason, sansan, soft, invalid, ses, sisimai, anymail, suppress = row.split()
    event, _, reject = anymail.partition("|")
    return CauseSpec(
        number=int(number),
        cause=Cause(cause),
        fault=_FAULT[fault],
        permanence=_PERMANENCE[permanence],
        reason=Reason(reason),
        sansan=_SANSAN[sansan],
        engagelab_soft=_SOFT[soft],
        engagelab_invalid=_INVALID[invalid],
        ses=None if ses == "-" else ses,
        sisimai=None if sisimai == "-" else sisimai,
        anymail=(event, reject or None),
        suppress=SuppressPolicy(suppress),
    )


#: Every cause's row, by cause.
SPECS: dict[Cause, CauseSpec] = {spec.cause: spec for spec in map(_read_row, _TABLE.strip().splitlines())}
#: The same, by stored number.
BY_NUMBER: dict[int, CauseSpec] = {spec.number: spec for spec in SPECS.values()}


def is_hard(cause: Cause, permanence: Permanence) -> bool:
    """Whether a failure counts as hard: permanent and the recipient's or domain's fault (mission 4.2, A31).

    A provider's own suppression list counts as hard too (K14).
    """
    spec = SPECS[cause]
    if cause is Cause.SUPPRESSED_UPSTREAM:
        return True
    return permanence is Permanence.PERMANENT and spec.fault in (Fault.RECIPIENT, Fault.DOMAIN)
