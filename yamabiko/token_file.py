"""HOME/secrets/tokens.json: who may use the API. Only SHA-256 digests of tokens are kept (T17)."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import msgspec

from console.identity import Identity, Scope
from yamabiko import private_files
from yamabiko.private_files import SecretsError

FILE_NAME = "tokens.json"
#: Where the token made at first start is written, for the operator to pick up.
ADMIN_FILE_NAME = "admin-token"
#: Lets scanners for leaked secrets recognise ours.
PREFIX = "ymb_"


class TokenRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One API token as the file holds it; times are seconds since 1970-01-01 UTC."""

    name: str
    tenant: int
    scopes: tuple[Scope, ...]
    sha256: str
    made_at: int
    expires_at: int | None = None

    @property
    def id(self) -> str:
        """What tells tokens of one name apart; leads back to no token."""
        return self.sha256[:8]


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: tuple[TokenRecord, ...]


@dataclass(frozen=True, slots=True)
class TokenFile:
    """The API tokens of one installation. Immutable: changes return a new one, ``save`` writes it."""

    records: tuple[TokenRecord, ...] = ()

    @classmethod
    def load(cls, path: Path) -> TokenFile:
        """Read ``path``. Raises SecretsError when it is missing, shared, or not what ``save`` writes."""
        try:
            return cls(msgspec.json.decode(private_files.read(path), type=_Content).tokens)
        except msgspec.MsgspecError as error:
            raise SecretsError(f"{path} is not a token file: {error}. Restore it from a backup.") from None

    def save(self, path: Path) -> None:
        """Write ``path``, mode 0600. Raises SecretsError when it cannot."""
        content = msgspec.json.encode(_Content(self.records))
        private_files.write(path, msgspec.json.format(content, indent=2) + b"\n")

    def with_new(
        self, *, name: str, tenant: int, scopes: tuple[Scope, ...], lifetime_s: int | None = None
    ) -> tuple[TokenFile, str]:
        """Return the file with one more token, and that token; it is never to be seen again."""
        token = PREFIX + secrets.token_urlsafe(32)
        now = int(time.time())
        record = TokenRecord(
            name=name,
            tenant=tenant,
            scopes=scopes,
            sha256=_digest(token),
            made_at=now,
            expires_at=None if lifetime_s is None else now + lifetime_s,
        )
        return replace(self, records=(*self.records, record)), token

    def without(self, name_or_id: str) -> tuple[TokenFile, list[TokenRecord]]:
        """Return the file without the tokens of that name or id, and what was taken out.

        Raises SecretsError when there is none.
        """
        gone = [record for record in self.records if name_or_id in (record.name, record.id)]
        if not gone:
            raise SecretsError(f"There is no token {name_or_id!r}. `yamabiko token list` shows them.")
        return replace(self, records=tuple(record for record in self.records if record not in gone)), gone


class TokenTable:
    """The same tokens by digest, for a look-up on each request."""

    def __init__(self, file: TokenFile) -> None:
        """Index ``file``."""
        self._by_digest = {record.sha256: record for record in file.records}

    def identify(self, token: str, now_s: float) -> Identity | None:
        """Return who holds ``token`` at ``now_s``; None when nobody does, or no more.

        A look-up by digest tells a guesser nothing by its time: the digest of a guess is not under control.
        """
        if not token.startswith(PREFIX):
            return None
        record = self._by_digest.get(_digest(token))
        if record is None or (record.expires_at is not None and record.expires_at <= now_s):
            return None
        return Identity(record.name, record.tenant, frozenset(record.scopes))


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
