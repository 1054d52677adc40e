"""What a tenant chose about suppression: kept as a document, read where it is asked who may be mailed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from store.errors import StoreCorruptError
from store.standing import is_own_fault
from store.suppression import Suppression, SuppressionKind

#: Kind and name of the document.
POLICY_KIND, POLICY_NAME = "policy", "suppression"
_OF_BOUNCES = (SuppressionKind.BOUNCE, SuppressionKind.CLASS)


@dataclass(frozen=True, slots=True)
class Policy:
    """How evidence becomes a refusal to mail.

    ``profile`` "native" follows mission 4.5 (times to live that grow, soft scores), "sansan" keeps four classes of
    failure out until somebody lifts them (S31, X5), "engagelab" lets nothing count but answers of no such address, up
    the ladder (E39-E42), "karte" keeps whoever bounced for good out of the stream it bounced in (K29, store.projects).
    The guard keeps what is the sender's own fault from counting in "sansan" (N03, A12); in the others it never does.
    """

    profile: str = "native"
    has_sender_guard: bool = True
    #: whether a flood of hard failures at one domain is held back until somebody looked (S26)
    has_breaker: bool = True
    #: whether "no such address" is shared, under a keyed mark, with the other tenants that chose so (E39, X10)
    shares_bounces: bool = False
    #: whether the sending systems are asked for a pause when rates of failures ask for one (N16)
    pauses_senders: bool = True

    @classmethod
    def parse(cls, body: bytes | None) -> Policy:
        """Read the document's body. Raises StoreCorruptError when it is none."""
        if body is None:
            return cls()
        try:
            said = json.loads(body)
            return replace(cls(), **{name: said[name] for name in cls.__slots__ if name in said})
        except (ValueError, TypeError) as error:
            raise StoreCorruptError(f"the suppression policy cannot be read: {error}") from error

    def body(self) -> bytes:
        """Return the document's body."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()

    def effective(self, entries: Iterable[Suppression]) -> list[Suppression]:
        """Return the entries that count under this policy."""
        if self.profile == "sansan":
            # Its own class of entries takes the place of those that expire.
            left_out = {SuppressionKind.BOUNCE, SuppressionKind.SOFT}
            return [e for e in entries if e.kind not in left_out and not self._is_guarded(e)]
        if self.profile == "engagelab":
            left_out = {SuppressionKind.CLASS, SuppressionKind.SOFT}
            found = (e.of_no_address() if e.kind is SuppressionKind.BOUNCE else e for e in entries)
            return [e for e in found if e is not None and e.kind not in left_out]
        if self.keeps_projects:
            # What bounces lead to is folded where it is asked about.
            return [e for e in entries if e.kind not in (*_OF_BOUNCES, SuppressionKind.SOFT)]
        return [e for e in entries if e.kind is not SuppressionKind.CLASS]

    @property
    def counts_hosts(self) -> bool:
        """Whether a host that was not found for several addresses keeps out all of its domain."""
        return self.profile != "engagelab" and not self.keeps_projects

    @property
    def keeps_projects(self) -> bool:
        """Whether a bounce keeps somebody out of its own stream, and of no other."""
        return self.profile == "karte"

    def _is_guarded(self, entry: Suppression) -> bool:
        return self.has_sender_guard and entry.kind is SuppressionKind.CLASS and is_own_fault(entry.cause)
