"""Signing keys with ids, rotation and revocation, and the numbers derived from names and addresses.

A master key signs for every tenant through a key derived per tenant. A tenant's sender may hold its own
derived keys (``KeyRing.for_tenant``) and mint offline; they are of no use for any other tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

#: What the hash that is a recipient's number is told it is for, its octets; the number that is none, and its stand-in.
_RECIPIENT = b"recipient"
_RECIPIENT_SIZE = 8
_ZERO, _ONE = bytes(8), (1).to_bytes(8, "big")


class KeyStatus(StrEnum):
    """What a key may still do."""

    #: signs and verifies; exactly one key is current
    CURRENT = "current"
    #: verifies what it once signed
    OLD = "old"
    #: refused: what it signed is void
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its id (``kid``, 0-255), its 32 octets, and what it may still do."""

    kid: int
    secret: bytes = field(repr=False)
    status: KeyStatus


class KeyRing:
    """The keys one process works with. Immutable; a changed key file makes a new ring."""

    def __init__(self, keys: Mapping[int, Key], pepper: bytes, *, tenant: int | None = None) -> None:
        """Hold ``keys`` by kid and ``pepper`` (32 octets, never rotated: it numbers recipients).

        ``tenant`` says that keys and pepper are already derived for that tenant.
        Raises ValueError unless exactly one key is current.
        """
        current = [key.kid for key in keys.values() if key.status is KeyStatus.CURRENT]
        if len(current) != 1:
            raise ValueError("a key ring needs exactly one current key")
        self.current_kid = current[0]
        self.tenant = tenant
        self._keys = dict(keys)
        self._pepper = pepper
        self._derived: dict[int, bytes] = {}
        self._peppers: dict[int, bytes] = {}
        self._global_key: bytes | None = None

    def tenant_key(self, kid: int, tenant: int) -> bytes:
        """Return the key with which ``kid`` signs for ``tenant``. Raises KeyError for an unknown kid."""
        secret = self._keys[kid].secret
        if self.tenant is None:
            return _derive(secret, b"token-key", tenant)
        if tenant != self.tenant:
            raise KeyError("this key ring holds the keys of another tenant")
        return secret

    def verifying_key(self, kid: int, tenant: int) -> bytes | None:
        """Return the key to check a token of ``kid`` and ``tenant`` with; None if unknown or revoked."""
        slot = kid << 16 | tenant
        derived = self._derived.get(slot)
        if derived is not None:
            return derived
        key = self._keys.get(kid)
        if key is None or key.status is KeyStatus.REVOKED or self.tenant not in (None, tenant):
            return None
        # Forged tokens may name any tenant: the memory they can take is bounded.
        if len(self._derived) >= 4_096:
            self._derived.clear()
        derived = self._derived[slot] = self.tenant_key(kid, tenant)
        return derived

    def broadcast_number(self, tenant: int, broadcast_id: str) -> int:
        """Return the 48-bit number of a broadcast, the same here and offline; never 0."""
        return int.from_bytes(self._number(tenant, b"broadcast", broadcast_id, 6), "big") or 1

    def recipient_number(self, tenant: int, folded_address: str) -> int:
        """Return the 64-bit number of a recipient; without the pepper it leads back to no address. Never 0."""
        return int.from_bytes(self._number(tenant, _RECIPIENT, folded_address, _RECIPIENT_SIZE), "big") or 1

    def recipient_octets(self, tenant: int, folded_addresses: Iterable[str]) -> list[bytes]:
        """Return the numbers of many recipients, each as the 8 octets it has in keys and tokens."""
        begun = blake2b(digest_size=_RECIPIENT_SIZE, key=self._tenant_pepper(tenant), person=_RECIPIENT)
        numbers: list[bytes] = []
        for folded in folded_addresses:
            hasher = begun.copy()
            hasher.update(folded.encode("utf-8", "surrogatepass"))
            numbers.append(hasher.digest())
        return [number if number != _ZERO else _ONE for number in numbers] if _ZERO in numbers else numbers

    def global_mark(self, folded_address: str) -> bytes | None:
        """Return the 16 octets that stand for an address among all tenants (E39); None on a tenant's own ring.

        Who holds one tenant's keys can so work out no mark, and cannot ask about other tenants' addresses.
        """
        if self.tenant is not None:
            return None
        if self._global_key is None:
            self._global_key = _derive(self._pepper, b"global-mark", 0)
        text = folded_address.encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=16, key=self._global_key, person=b"address").digest()

    def for_tenant(self, tenant: int) -> KeyRing:
        """Return the ring to hand to the sender of one tenant: only the current key, derived."""
        kid = self.current_kid
        key = Key(kid, self.tenant_key(kid, tenant), KeyStatus.CURRENT)
        return KeyRing({kid: key}, self._tenant_pepper(tenant), tenant=tenant)

    def export(self) -> dict[str, str | int]:
        """Return a tenant ring as plain values for a sender's configuration; ``from_export`` reads it.

        Raises ValueError on the master ring, which must not leave the machine.
        """
        if self.tenant is None:
            raise ValueError("only the ring of one tenant is exported")
        secret = self._keys[self.current_kid].secret
        return {"tenant": self.tenant, "kid": self.current_kid, "key": secret.hex(), "pepper": self._pepper.hex()}

    @classmethod
    def from_export(cls, values: Mapping[str, str | int]) -> KeyRing:
        """Build a tenant's ring from what ``export`` returned. Raises KeyError or ValueError if it is not that."""
        kid, tenant = int(values["kid"]), int(values["tenant"])
        key = Key(kid, bytes.fromhex(str(values["key"])), KeyStatus.CURRENT)
        return cls({kid: key}, bytes.fromhex(str(values["pepper"])), tenant=tenant)

    def _number(self, tenant: int, purpose: bytes, text: str, size: int) -> bytes:
        key = self._tenant_pepper(tenant)
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size, key=key, person=purpose).digest()

    def _tenant_pepper(self, tenant: int) -> bytes:
        if self.tenant is not None:
            if tenant != self.tenant:
                raise KeyError("this key ring holds the keys of another tenant")
            return self._pepper
        pepper = self._peppers.get(tenant)
        if pepper is None:
            pepper = self._peppers[tenant] = _derive(self._pepper, b"pepper", tenant)
        return pepper


def _derive(secret: bytes, purpose: bytes, tenant: int) -> bytes:
    return blake2b(tenant.to_bytes(2, "big"), digest_size=32, key=secret, person=purpose).digest()
