"""Make a home at first start: directories, keys, and a token for the administrator."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from console.identity import ROLES, Role
from yamabiko import key_file, private_files, token_file
from yamabiko.key_file import KeyFile
from yamabiko.private_files import SecretsError
from yamabiko.token_file import TokenFile

_FIRST_TENANT = 1


def prepare_home(settings: Settings) -> list[Path]:
    """Make what is missing under HOME, and check what is there.

    Returns the secret files made. Raises SecretsError when a secret is shared, unreadable or lost: a store that
    has data but no keys gets no new ones, because every token ever sent out would be void.
    """
    private_files.make_directory(settings.secrets)
    try:
        settings.run.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SecretsError(f"{settings.run} cannot be made: {error.strerror}.") from error
    made: list[Path] = []
    with private_files.locked(settings.secrets):
        keys = settings.secrets / key_file.FILE_NAME
        if not keys.exists():
            if (settings.data / "data.mdb").exists():
                raise SecretsError(
                    f"{keys} is missing although {settings.data} holds data: links and return paths already sent "
                    "would stop working. Restore it from your backup of secrets, or move the data away."
                )
            KeyFile.generate().save(keys)
            made.append(keys)
        KeyFile.load(keys)
        made.extend(_prepare_tokens(settings.secrets))
    return made


def _prepare_tokens(directory: Path) -> list[Path]:
    tokens = directory / token_file.FILE_NAME
    if tokens.exists():
        TokenFile.load(tokens)
        return []
    file, token = TokenFile().with_new(name="first-admin", tenant=_FIRST_TENANT, scopes=ROLES[Role.ADMIN])
    admin = directory / token_file.ADMIN_FILE_NAME
    # The token first: a crash in between makes both anew, never a digest without its token.
    private_files.write(admin, token.encode() + b"\n")
    file.save(tokens)
    return [admin]
