"""Write docs/coverage.md. The rows come from the mission where it is at hand, else from the page as it is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.coverage.markers import PAGE, ROOT, Row, rows_of_page, tests_by_row, write_page

_MISSION = ROOT.parent / "shared/design/mission.md"


def _rows_of_mission(path: Path) -> list[Row]:
    rows: list[Row] = []
    for line in path.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").split("|")]
        if re.fullmatch(r"[SREKB]\d\d", cells[0]) and "CORE" in cells[3:]:
            rows.append(Row(cells[0], cells[1]))
        elif re.fullmatch(r"W\d\d?", cells[0]) or re.fullmatch(r"I\d\d?", cells[0]):
            rows.append(Row(cells[0], cells[1].replace("|", "/")))
    return rows


def main() -> None:
    """Write the page and say what is missing."""
    rows = _rows_of_mission(_MISSION) if _MISSION.exists() else rows_of_page()
    PAGE.write_text(write_page(rows), "utf-8")
    tests = tests_by_row()
    missing = [row.id for row in rows if not tests.get(row.id)]
    print(f"{len(rows) - len(missing)} of {len(rows)}; missing: {' '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
