"""Print the generated part of docs/reports.md (``en``) or docs/reports.ja.md (``ja``)."""

from __future__ import annotations

import sys

from console.profiles.page import generated

if __name__ == "__main__":
    print(generated(sys.argv[1] if len(sys.argv) > 1 else "en"))
