"""Whatever the API's own description allows, sent to it: no fault of ours, nothing it does not describe (T20)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.torture.result import Result, torture
from tests.yamabiko.serving import Server

_ROOT = Path(__file__).parents[2]
_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: Teaches it bodies and answers of many lines.
_HOOKS = "tests.torture.schema_hooks"


@torture(tries=2_000)
def api_schema(*, seed: int, tries: int) -> Result:
    """Run schemathesis over /openapi.json of a real server with about ``tries`` examples in all.

    The control is schemathesis's own answer to a server with an undocumented status: tests/console/api.py checks every
    answer of every other test against the same description.
    """
    with tempfile.TemporaryDirectory(prefix="yamabiko-schema-") as folder:
        server = Server(Path(folder) / "home").start()
        try:
            return _run(server, seed, tries)
        finally:
            server.stop()


def _run(server: Server, seed: int, tries: int) -> Result:
    made = server.run("token", "create", "--name", "schema", "--role", "system_admin")
    token, origin = made.stdout.decode().split()[0], f"http://127.0.0.1:{server.port('console')}"
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{origin}/openapi.json", "--url", origin,
        "--header", f"Authorization: Bearer {token}", "--seed", str(seed), "--max-examples", str(max(tries // 60, 1)),
        "--checks", _CHECKS, "--no-color", "--continue-on-failure",
        "--request-timeout", "20", "--phases", "examples,coverage,fuzzing",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": _HOOKS}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=3_000, check=False, env=environment, cwd=_ROOT
    )  # fmt: skip
    text = done.stdout + done.stderr
    generated = re.search(r"(\d[\d,]*) generated", text)
    tried = int(generated[1].replace(",", "")) if generated else 0
    # Rows that were taken show that what is sent to the routes of many lines is not all refused.
    facts = json.loads(server.run("store", "stat").stdout)["facts_by_type"]
    listed = facts.get("planned", 0) + facts.get("excluded", 0)
    wrong = int(done.returncode != 0 or not listed)
    _, _, found = text.partition("FAILURES")
    note = f"{tried} examples, {listed} rows taken"
    note += ": " + (found or text)[:1_500] if wrong else ", nothing wrong"
    return Result("api_schema", tried, 0, wrong, seed, note)
