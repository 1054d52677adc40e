"""Lets the console make and revoke tokens in the file that ``yamabiko token`` works on too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from console.identity import Scope
from console.token_desk import TokenRow
from yamabiko import private_files, token_file
from yamabiko.token_file import TokenFile, TokenRecord


class FileTokenDesk:
    """See console.tokens.TokenDesk. Works under the same lock as the command line."""

    def __init__(self, secrets: Path) -> None:
        """``secrets`` is HOME/secrets."""
        self._secrets = secrets
        self._path = secrets / token_file.FILE_NAME

    def list(self, tenant: int) -> Sequence[TokenRow]:
        """Return a tenant's tokens."""
        return [_row(record) for record in TokenFile.load(self._path).records if record.tenant == tenant]

    def create(self, tenant: int, name: str, scopes: tuple[Scope, ...], lifetime_s: int | None) -> tuple[TokenRow, str]:
        """Make a token. Raises SecretsError when the file cannot be written."""
        with private_files.locked(self._secrets):
            file, token = TokenFile.load(self._path).with_new(
                name=name, tenant=tenant, scopes=scopes, lifetime_s=lifetime_s
            )
            file.save(self._path)
        return _row(file.records[-1]), token

    def revoke(self, tenant: int, token_id: str) -> bool:
        """Refuse a token of the tenant; False when there is none. Raises SecretsError as ``create`` does."""
        with private_files.locked(self._secrets):
            file = TokenFile.load(self._path)
            kept = tuple(record for record in file.records if record.tenant != tenant or record.id != token_id)
            if len(kept) == len(file.records):
                return False
            TokenFile(kept).save(self._path)
        return True


def _row(record: TokenRecord) -> TokenRow:
    return TokenRow(record.id, record.name, record.scopes, record.made_at, record.expires_at)
