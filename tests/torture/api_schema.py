"""Whatever the API's own description allows, sent to it: no fault of ours, nothing it does not describe (T20)."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.torture.result import Result, torture
from tests.yamabiko.serving import Server

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: Bodies and answers of many lines, which no generator here can make: tests/console sends random ones to them.
_LEFT_OUT = r"/v1/(events|sends|attempts|conversions)$"


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
    token, origin = server.token(), f"http://127.0.0.1:{server.port('console')}"
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{origin}/openapi.json", "--url", origin,
        "--header", f"Authorization: Bearer {token}", "--seed", str(seed), "--max-examples", str(max(tries // 60, 1)),
        "--checks", _CHECKS, "--exclude-path-regex", _LEFT_OUT, "--no-color", "--continue-on-failure",
        "--request-timeout", "20", "--phases", "examples,coverage,fuzzing",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=3_000, check=False)
    text = done.stdout + done.stderr
    generated = re.search(r"(\d[\d,]*) generated", text)
    tried = int(generated[1].replace(",", "")) if generated else 0
    wrong = int(done.returncode != 0)
    _, _, found = text.partition("FAILURES")
    note = f"examples generated: {tried}; " + (found or text)[:1_500] if wrong else f"{tried} examples, nothing wrong"
    return Result("api_schema", tried, 0, wrong, seed, note)
