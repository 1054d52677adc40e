"""Compiled code is kept for what the tests start: some hundred Python processes, each of which imports the product.

Where the environment says that none is kept (PYTHONDONTWRITEBYTECODE, as in many containers) every one of them would
compile it all anew, which costs more than the tests. It goes to a folder of its own then, out of the sources' way.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".bytecode"


def keep_bytecode() -> None:
    """Keep compiled code in ``FOLDER``, for this process and its children, where none would be kept."""
    if not sys.dont_write_bytecode:
        return
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(FOLDER)
    sys.dont_write_bytecode = False
