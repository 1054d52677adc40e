"""A Yamabiko of the test's own and a plain client of its API."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import smtplib
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from model.fact import Fact
from store.environment import Environment
from store.maintenance import stat
from store.reader import Reader
from yamabiko.demo.mails import Original
from yamabiko.demo.server import Server

RETURN_PATH_DOMAIN = "bounce.example.jp"
#: For tests of something else than what mails mean and how workers are replaced: see LEAN in tests/yamabiko/serving.py.
LEAN = {
    "rules.directory": str(Path(__file__).parents[1] / "yamabiko" / "few_rules"),
    "processes.spares": 0,
}
# Read once: tests take it out of the environment of what they start.
_SEED = os.environ.get("TEST_SEED")


def seeded() -> random.Random:
    """Return a generator whose seed is printed; TEST_SEED replays it."""
    seed = random.SystemRandom().randrange(2**32) if _SEED is None else int(_SEED)
    print(f"TEST_SEED={seed}")
    return random.Random(seed)


class Yamabiko:
    """A server in its own home, and what a sender asks of it."""

    def __init__(self, home: Path, settings: Mapping[str, str | int] | None = None) -> None:
        """``home`` is made at ``start``. ``settings`` are beside those of this world, by section and name."""
        self.server = Server(home)
        home.mkdir(mode=0o700, parents=True)
        lines = [f'smtp.return_path_domain = "{RETURN_PATH_DOMAIN}"']
        lines += [f"{name} = {json.dumps(value)}" for name, value in (settings or {}).items()]
        (home / "yamabiko.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def ask(self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json") -> Any:
        """Return the answer of the API. Raises urllib.error.HTTPError unless it is 2xx."""
        headers = {"Authorization": f"Bearer {self.server.admin_token()}", "Content-Type": media_type}
        request = urllib.request.Request(self.server.origin("console") + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            text = reply.read().decode()
        if reply.headers.get_content_type() == "application/x-ndjson":
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def list_people(self, broadcast: str, addresses: Sequence[str]) -> list[Any]:
        """List recipients of a broadcast; returns what belongs into each one's mail."""
        rows = "".join(json.dumps({"broadcast": broadcast, "address": address}) + "\n" for address in addresses)
        answers = self.ask("POST", "/v1/sends", rows.encode(), "application/x-ndjson")
        assert [a.get("row") for a in answers] == list(range(len(addresses))), answers
        assert all("return_path" in a for a in answers), answers
        return list(answers)

    def numbers(self, broadcast: str) -> dict[str, Any]:
        """Return the numbers of a broadcast."""
        return dict(self.ask("GET", f"/v1/broadcasts/{broadcast}/report")["numbers"])

    def delivery(self, broadcast: str, recipient: str) -> dict[str, Any]:
        """Return one recipient's delivery with its timeline."""
        return dict(self.ask("GET", f"/v1/broadcasts/{broadcast}/recipients/{recipient}"))

    def suppressions(self) -> dict[str, dict[str, Any]]:
        """Return the whole suppression list by address and kind."""
        rows: list[Any] = []
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            page = self.ask("GET", f"/v1/suppressions?after={page['next']}" if page["next"] else "/v1/suppressions")
            rows += page["suppressions"]
        return {f"{row['address'] or row['recipient']} {row['kind']}": row for row in rows}

    def facts(self) -> dict[str, int]:
        """Return how many facts of each type the store holds."""
        env = Environment(self.server.home / "data", read_only=True)
        try:
            return dict(cast(dict[str, int], stat(env)["facts_by_type"]))
        finally:
            env.close()

    def unmatched(self) -> list[Fact]:
        """Return the mails that proved nothing, as they are kept; the server may run."""
        env = Environment(self.server.home / "data", read_only=True)
        try:
            reader, found, after = Reader(env), [], None
            for tenant in (0, 1):
                while (page := reader.unmatched(tenant, after=after)).rows:
                    found += page.rows
                    after = page.after
                    if after is None:
                        break
                after = None
            return found
        finally:
            env.close()

    def everything(self, broadcast: str) -> dict[str, Any]:
        """Return all that a forgery could change: numbers, suppression list, facts that count."""
        facts = self.facts()
        facts.pop("unmatched", None)
        return {"numbers": self.numbers(broadcast), "suppressions": self.suppressions(), "facts": facts}

    def kill_worker(self, kind: str) -> None:
        """Kill -9 one worker process; the supervisor starts another."""
        status = json.loads((self.server.home / "run" / "status.json").read_bytes())
        pid = next(worker["pid"] for worker in status["workers"] if worker["name"].startswith(kind))
        os.kill(pid, signal.SIGKILL)

    def verify(self) -> None:
        """Fold all facts anew and compare."""
        assert "sound" in self.server.run("store", "verify")


def original(answer: dict[str, Any], address: str) -> Original:
    """Return the mail that ``answer`` was for, as it was sent."""
    return Original(address, answer["return_path"], tuple(answer["headers"].items()))


@contextlib.contextmanager
def running(home: Path, settings: Mapping[str, str | int] | None = None) -> Iterator[Yamabiko]:
    """Run a Yamabiko until the end of the block; it must stop cleanly then, with a sound store."""
    yamabiko = Yamabiko(home, settings)
    yamabiko.server.start()
    try:
        yield yamabiko
        yamabiko.server.stop()
        yamabiko.verify()
    finally:
        yamabiko.server.kill()


def deliver(address: tuple[str, int], forward_path: str, content: bytes, reverse_path: str = "") -> int:
    """Deliver one mail by SMTP; returns the last reply code."""
    with smtplib.SMTP(*address, local_hostname="mta.world.example", timeout=30) as smtp:
        smtp.ehlo()
        code, _ = smtp.mail(reverse_path)
        if code == 250:
            code, _ = smtp.rcpt(forward_path)
        if code == 250:
            code, _ = smtp.data(content)
        return code
