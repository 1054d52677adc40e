"""Settings: what stops start-up and how it is told; and that file, example and documentation agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import config.settings
from config.example import example_toml
from config.settings import Settings, SettingsError, from_values, load, rows, to_values

ROOT = Path(config.settings.__file__).parent.parent


def load_text(tmp_path: Path, text: str, **environment: str) -> Settings:
    """Load a file with ``text``."""
    file = tmp_path / "yamabiko.toml"
    file.write_text(text, "utf-8")
    return load(file, environment)


def test_defaults_are_loopback_and_need_nothing() -> None:
    settings = load(None, {"YAMABIKO_HOME": "/nonexistent-home"})
    assert (settings.smtp.host, settings.smtp.port) == ("127.0.0.1", 2525)
    assert (settings.tracker.host, settings.tracker.port) == ("127.0.0.1", 8025)
    assert (settings.console.host, settings.console.port) == ("127.0.0.1", 8026)
    assert settings.smtp.return_path_domain == "bounce.localhost"
    assert settings.data != settings.secrets
    assert settings.home == Path("/nonexistent-home")


def test_home_is_under_the_working_directory_without_environment() -> None:
    assert load(None, {}).home == Path("yamabiko-home")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[smtp]\nprot = 25\n", r"line 2: smtp\.prot: there is no such setting\. Did you mean smtp\.port\?"),
        ("[smtp]\nfoo = 25\n", r"line 2: smtp\.foo: there is no such setting\. docs/settings\.md lists them all"),
        ("[smpt]\nport = 25\n", r"line 1: smpt: there is no such setting\. Did you mean smtp\?"),
        ("colour = 1\n", r"line 1: colour: there is no such setting\. docs/settings\.md"),
        ("[smtp]\nport = '25'\n", r"line 2: smtp\.port: must be a whole number, is '25'\. The default is 2525"),
        ("[smtp]\nport = true\n", r"smtp\.port: must be a whole number"),
        ("[smtp]\nport = 70000\n", r"smtp\.port: must be from 0 to 65535, is 70000"),
        ("[smtp]\nhost = 25\n", r"smtp\.host: must be a text"),
        ("[smtp]\nhost = '127.0.0.1:25'\n", r"smtp\.host: .*without a port"),
        ("[smtp]\nreturn_path_domain = 'Bounce.Example.JP'\n", r"smtp\.return_path_domain: .*lower-case"),
        ("[smtp]\naccepted_addresses = 'a@b'\n", r"accepted_addresses: must be a list of texts"),
        ("[smtp]\naccepted_addresses = [1]\n", r"accepted_addresses: must be a list of texts"),
        ("[smtp]\ntls_key = '/x'\n", r"smtp\.tls_certificate: must be set, because the other half is"),
        ("[smtp]\nproxy_port = 2526\n", r"smtp\.proxy_networks: must be set, because the other half is"),
        ("[smtp]\nproxy_networks = ['10.0.0.1/8']\n", r"proxy_networks: must list networks"),
        ("[smtp]\nproxy_port = 2525\nproxy_networks = ['10.0.0.0/8']\n", r"smtp\.proxy_port: 2525 is also smtp\.port"),
        ("[tracker]\ntracking_origin = 'https://t.example/'\n", r"tracking_origin: .*without a slash"),
        ("[tracker]\ntracking_origin = 'javascript:alert(1)'\n", r"tracking_origin: must be"),
        ("[tracker]\ntracking_origin = 'https://user@t.example'\n", r"tracking_origin: must be"),
        ("[tracker]\ntrusted_proxies = ['10.0.0.1/8']\n", r"trusted_proxies: must list networks"),
        ("[tracker]\nport = 2525\n", r"tracker\.port: 2525 is also smtp\.port"),
        ("[console]\nrole_addresses = ['Info']\n", r"role_addresses: must list lower-case"),
        ("[privacy]\nip = 'hash'\n", r"privacy\.ip: must be one of keep, truncate, drop, is 'hash'"),
        ("[logging]\nlevel = 'loud'\n", r"logging\.level: must be one of"),
        ("[processes]\nsmtp_workers = 4\n", r"smtp_workers: must be from 1 to 3"),
        ("[rules]\ndirectory = '/no/such'\n", r"rules\.directory: /no/such is not a directory"),
        ("[store]\nmap_size_gib = 0\n", r"map_size_gib: must be from 1"),
        ("smtp = 3\n", r"smtp: there is no such setting"),
        ("[smtp\n", r"is not TOML: .*line 1.*settings\.example\.toml"),
    ],
)
def test_bad_files_are_told_with_file_key_and_remedy(tmp_path: Path, text: str, wanted: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text)
    assert re.search(wanted, str(caught.value)), caught.value


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, "[smtp]\nport = -1\nhots = 'x'\n", YAMABIKO_TRACKER_PORT="many", YAMABIKO_FOO="1")
    assert len(caught.value.problems) == 4


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read .*Check --config"):
        load(tmp_path / "none.toml", {})


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        "[smtp]\nport = 25\naccepted_addresses = ['a@example.jp']\n",
        YAMABIKO_SMTP_PORT="0",
        YAMABIKO_SMTP_ACCEPTED_ADDRESSES="b@example.jp, c@example.jp",
        YAMABIKO_HOME=str(tmp_path / "home"),
    )
    assert settings.smtp.port == 0
    assert settings.smtp.accepted_addresses == ("b@example.jp", "c@example.jp")
    assert settings.home == tmp_path / "home"


def test_an_empty_home_is_none(tmp_path: Path) -> None:
    assert load(None, {"YAMABIKO_HOME": ""}).home == load(None, {}).home == Path("yamabiko-home")


def test_the_file_in_home_is_found(tmp_path: Path) -> None:
    (tmp_path / "yamabiko.toml").write_text("[smtp]\nport = 25\n", "utf-8")
    assert load(None, {"YAMABIKO_HOME": str(tmp_path)}).smtp.port == 25


def test_values_survive_the_way_to_a_worker(tmp_path: Path) -> None:
    settings = load_text(tmp_path, f"home = '{tmp_path}'\n[smtp]\naccepted_addresses = ['a@example.jp']\n")
    assert from_values(to_values(settings)) == settings


def test_the_example_file_is_up_to_date_and_loads(tmp_path: Path) -> None:
    written = (ROOT / "config" / "settings.example.toml").read_text("utf-8")
    assert written == example_toml(), "run: yamabiko settings example > config/settings.example.toml"
    assert load_text(tmp_path, written) == load(None, {})


def test_every_setting_is_in_the_documentation_in_the_same_words() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    parts = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(parts) == {row.key for row in rows()}
    assert not [row.key for row in rows() if row.why not in " ".join(parts[row.key].split())]


def test_no_setting_speaks_of_rows_that_its_reader_does_not_have() -> None:
    """Rows of the mission and of the study of faults are for who builds it; an operator has neither."""
    assert not [row.key for row in rows() if re.search(r"\b[A-Z]\d{1,2}\b", row.why)]


def test_every_setting_says_why() -> None:
    for row in rows():
        assert len(row.why) > 15, row.key
        assert row.check is None or not row.default or row.check(row.default) is None, row.key


def test_every_setting_is_used() -> None:
    """A setting that does nothing would be a lie."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "yamabiko").rglob("*.py"))
    source += (ROOT / "config" / "settings.py").read_text("utf-8")
    for row in rows():
        uses = re.findall(rf"\.{row.name}\b", source)
        assert uses or f"getattr(settings, {row.name}" in source, row.key
