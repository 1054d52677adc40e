"""``python -m bench.classify_flufl FOLDER SEED``: the peer's child of the classify comparison, flufl.bounce.

It parses with the standard library, as its documentation shows, and says which addresses failed; it names no reason.
"""

from __future__ import annotations

import logging
import sys
from email import message_from_bytes
from pathlib import Path

from flufl.bounce import all_failures

from bench.classify_passes import load_mails, report

_WARM_UP = 50


def read(raw: bytes) -> object:
    """Return the failed addresses of ``raw``; what the peer cannot take is passed over."""
    try:
        return all_failures(message_from_bytes(raw))
    except Exception:  # noqa: BLE001 - its detectors raise on some mails; they must not end the comparison
        return None


def main(folder: Path, seed: int) -> None:
    """Measure and print."""
    # It logs a traceback for each detector that fails; writing them would count against it.
    logging.disable()
    mails = load_mails(folder, seed)
    for raw in mails[:_WARM_UP]:
        read(raw)
    report(read, mails)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
