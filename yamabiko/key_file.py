"""HOME/secrets/keys.json: the signing keys and the pepper, as a file and as a KeyRing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from model.keyring import Key, KeyRing, KeyStatus
from yamabiko import private_files
from yamabiko.private_files import SecretsError

FILE_NAME = "keys.json"
_SIZE = 32


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key as the file holds it."""

    kid: int
    secret: str
    status: KeyStatus
    made_at: str


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pepper: str
    keys: tuple[KeyRecord, ...]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The keys of one installation. Immutable: changes return a new one, ``save`` writes it."""

    pepper: str
    records: tuple[KeyRecord, ...]

    @classmethod
    def generate(cls) -> KeyFile:
        """Make a pepper and a first key."""
        return cls(secrets.token_hex(_SIZE), (_new_record(1),))

    @classmethod
    def load(cls, path: Path) -> KeyFile:
        """Read ``path``. Raises SecretsError when it is missing, shared, or not what ``save`` writes."""
        try:
            content = msgspec.json.decode(private_files.read(path), type=_Content)
            loaded = cls(content.pepper, content.keys)
            loaded.ring()
        except (msgspec.MsgspecError, ValueError) as error:
            # The text of the error could quote the file: it is not passed on.
            raise SecretsError(
                f"{path} is not a key file ({type(error).__name__}). Restore it from a backup."
            ) from None
        return loaded

    def save(self, path: Path) -> None:
        """Write ``path``, mode 0600. Raises SecretsError when it cannot."""
        content = msgspec.json.encode(_Content(self.pepper, self.records))
        private_files.write(path, msgspec.json.format(content, indent=2) + b"\n")

    def ring(self) -> KeyRing:
        """Return the keys to sign and verify with. Raises ValueError when they are none."""
        keys = {record.kid: Key(record.kid, _octets(record.secret), record.status) for record in self.records}
        if len(keys) != len(self.records) or not all(0 <= kid <= 255 for kid in keys):
            raise ValueError("kids are numbers from 0 to 255, each once")
        return KeyRing(keys, _octets(self.pepper))

    @property
    def current(self) -> KeyRecord:
        """The key that signs."""
        return next(record for record in self.records if record.status is KeyStatus.CURRENT)

    def rotated(self) -> KeyFile:
        """Return the file with a new current key; the former one verifies what it signed.

        Raises SecretsError when all 256 kids are taken.
        """
        taken = {record.kid for record in self.records}
        last = self.current.kid
        free = next((kid for step in range(1, 256) if (kid := (last + step) % 256) not in taken), None)
        if free is None:
            raise SecretsError("All 256 key ids are taken. Remove revoked keys from keys.json by hand.")
        old = tuple(
            msgspec.structs.replace(record, status=KeyStatus.OLD) if record.kid == last else record
            for record in self.records
        )
        return replace(self, records=(*old, _new_record(free)))

    def revoked(self, kid: int) -> KeyFile:
        """Return the file with key ``kid`` refused from now on.

        Raises SecretsError when there is no such key or it is the current one.
        """
        if kid == self.current.kid:
            raise SecretsError(f"Key {kid} is the one that signs. Run `yamabiko keys rotate` first, then revoke it.")
        if kid not in {record.kid for record in self.records}:
            raise SecretsError(f"There is no key {kid}. `yamabiko keys list` shows them.")
        return replace(
            self,
            records=tuple(
                msgspec.structs.replace(record, status=KeyStatus.REVOKED) if record.kid == kid else record
                for record in self.records
            ),
        )


def _new_record(kid: int) -> KeyRecord:
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return KeyRecord(kid, secrets.token_hex(_SIZE), KeyStatus.CURRENT, made_at)


def _octets(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != _SIZE:
        raise ValueError("a secret has 32 octets")
    return raw
