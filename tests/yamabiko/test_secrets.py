"""Key and token files: made private, refused when shared, changed without loss, followed while running (T19)."""

from __future__ import annotations

import json
import multiprocessing
import os
import pwd
import stat
from pathlib import Path

import pytest

from console.identity import ROLES, Role, Scope
from model.keyring import KeyStatus
from model.token import Token, TokenType, open_token, sign
from store.environment import Environment
from tests.yamabiko.serving import Server
from yamabiko import private_files
from yamabiko.key_file import KeyFile
from yamabiko.live_file import LiveFile
from yamabiko.private_files import SecretsError
from yamabiko.token_file import TokenFile, TokenTable


def test_a_key_file_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    file = KeyFile.generate().rotated()
    file.save(tmp_path / "keys.json")
    assert KeyFile.load(tmp_path / "keys.json") == file
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "keys.json"], "nothing is left lying about"


def test_rotation_keeps_what_was_signed_and_revocation_voids_it() -> None:
    first = KeyFile.generate()
    token = sign(Token(TokenType.OPEN, 1, 2, 3, 4), first.ring())
    second = first.rotated()
    assert second.current.kid != first.current.kid
    assert open_token(token, TokenType.OPEN, second.ring()).recipient == 3
    third = second.revoked(first.current.kid)
    with pytest.raises(ValueError, match="not a token"):
        open_token(token, TokenType.OPEN, third.ring())
    assert [record.status for record in third.records] == [KeyStatus.REVOKED, KeyStatus.CURRENT]


def test_the_key_in_use_and_unknown_keys_are_not_revoked() -> None:
    file = KeyFile.generate()
    with pytest.raises(SecretsError, match="rotate"):
        file.revoked(file.current.kid)
    with pytest.raises(SecretsError, match="no key 77"):
        file.revoked(77)


def test_kids_are_used_up_with_words() -> None:
    file = KeyFile.generate()
    for _ in range(255):
        file = file.rotated()
    assert len({record.kid for record in file.records}) == 256
    with pytest.raises(SecretsError, match="256"):
        file.rotated()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_files_that_others_can_read_are_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    KeyFile.generate().save(path)
    KeyFile.load(path)
    path.chmod(mode)
    with pytest.raises(SecretsError, match=f"chmod 600 {path}"):
        KeyFile.load(path)


def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    private_files.make_directory(tmp_path / "secrets")
    (tmp_path / "secrets").chmod(0o750)
    with pytest.raises(SecretsError, match="chmod 700"):
        private_files.make_directory(tmp_path / "secrets")


def test_what_another_user_could_not_read_any_more_is_not_written(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving files away needs root")
    server = Server(tmp_path / "home")
    secrets, data = server.home / "secrets", server.home / "data"
    private_files.make_directory(secrets)
    KeyFile.generate().save(secrets / "keys.json")
    TokenFile().save(secrets / "tokens.json")
    Environment(data).close()
    commands = [["keys", "rotate"], ["token", "create", "--name", "x", "--role", "viewer"], ["store", "compact"]]
    assert [server.run(*command).returncode for command in commands] == [0, 0, 0], "the control"
    nobody = pwd.getpwnam("nobody")
    for path in (secrets / "keys.json", secrets / "tokens.json", data / "data.mdb"):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    before = {path: path.read_bytes() for path in (secrets / "keys.json", secrets / "tokens.json", data / "data.mdb")}
    for command in commands:
        told = server.run(*command)
        assert told.returncode == 78 and b"sudo -u nobody" in told.stderr, told
    for path, content in before.items():
        assert path.read_bytes() == content and path.stat().st_uid == nobody.pw_uid


def test_what_a_killed_command_had_begun_to_write_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".keys.json.123.new"
    left.write_bytes(b"half a key")
    with private_files.locked(tmp_path):
        assert not left.exists()


PEPPER = "00" * 32


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        [],
        {"pepper": "00", "keys": []},
        {"pepper": "zz", "keys": []},
        {"pepper": PEPPER, "keys": []},
        {"pepper": PEPPER, "keys": [{"kid": 300, "secret": "11" * 32, "status": "current", "made_at": ""}]},
        {"pepper": PEPPER, "keys": [{"kid": 1, "secret": "abcd", "status": "current", "made_at": ""}]},
        {"pepper": PEPPER, "keys": [{"kid": 1, "secret": "11" * 32, "status": "old", "made_at": ""}]},
        {"pepper": PEPPER, "keys": [], "more": 1},
    ],
)
def test_spoilt_key_files_are_refused_without_quoting_them(tmp_path: Path, content: object) -> None:
    path = tmp_path / "keys.json"
    private_files.write(path, b"" if content is None else json.dumps(content).encode())
    with pytest.raises(SecretsError) as caught:
        KeyFile.load(path)
    assert "abcd" not in str(caught.value)
    assert "1111" not in str(caught.value)


def test_tokens_are_kept_as_digests_and_expire(tmp_path: Path) -> None:
    file, token = TokenFile().with_new(name="a", tenant=3, scopes=ROLES[Role.VIEWER], lifetime_s=100)
    file.save(tmp_path / "tokens.json")
    assert token not in (tmp_path / "tokens.json").read_text()
    table = TokenTable(TokenFile.load(tmp_path / "tokens.json"))
    made = file.records[0].made_at
    found = table.identify(token, made + 99)
    assert found is not None
    assert (found.name, found.tenant, found.scopes) == ("a", 3, frozenset(ROLES[Role.VIEWER]))
    assert table.identify(token, made + 100) is None
    for wrong in ("", "ymb_", token[:-1], token + "x", token.upper(), token.removeprefix("ymb_"), "\udcff"):
        assert table.identify(wrong, made) is None


def test_tokens_are_revoked_by_name_or_id() -> None:
    file, _ = TokenFile().with_new(name="a", tenant=1, scopes=(Scope.REPORTS_READ,))
    file, _ = file.with_new(name="b", tenant=1, scopes=(Scope.REPORTS_READ,))
    assert [record.name for record in file.without("a")[0].records] == ["b"]
    assert [record.name for record in file.without(file.records[1].id)[0].records] == ["a"]
    with pytest.raises(SecretsError, match="no token"):
        file.without("c")


def _rotate_once(directory: Path) -> None:
    with private_files.locked(directory):
        KeyFile.load(directory / "keys.json").rotated().save(directory / "keys.json")


def test_two_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    KeyFile.generate().save(tmp_path / "keys.json")
    workers = [multiprocessing.get_context("fork").Process(target=_rotate_once, args=(tmp_path,)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(KeyFile.load(tmp_path / "keys.json").records) == 9


def test_a_live_file_is_followed_and_keeps_the_good_when_it_is_spoilt(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = KeyFile.generate()
    first.save(path)
    live = LiveFile(path, KeyFile.load)
    assert not live.refresh()
    second = first.rotated()
    second.save(path)
    assert live.refresh()
    assert live.value == second
    path.chmod(0o644)
    assert not live.refresh()
    assert "chmod 600" in live.problem
    assert live.value == second
    path.chmod(0o600)
    assert live.refresh()
    assert live.problem == ""
    os.unlink(path)
    assert not live.refresh()
    assert "cannot be read" in live.problem
    assert live.value == second
