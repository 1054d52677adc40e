"""Kill -9 of any process, the supervisor too, while the demo's world answers (D2)."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.torture.result import Result, torture


@torture(tries=20)
def demo_kills(*, seed: int, tries: int) -> Result:
    """Run the demo with ``tries`` kills: nothing acknowledged is lost, nothing counted twice, the store is sound.

    Its control is in tests/yamabiko/test_demo.py: a figure that is wrong by one is noticed.
    """
    command = [sys.executable, "-m", "yamabiko", "demo", "--kill", str(tries), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    found = re.search(r"(\d+) of (\d+) figures", done.stdout)
    wrong = int(found[2]) - int(found[1]) if found else 1
    if done.returncode and not wrong:
        wrong = 1
    kept = [line for line in done.stdout.splitlines() if "killed" in line or "sound" in line or "figures" in line]
    if found and wrong:
        kept.append(done.stdout[found.end() :])  # which figures, in a table
    return Result("demo_kills", tries, 0, wrong, seed, " ".join(kept) or done.stdout[-500:])
