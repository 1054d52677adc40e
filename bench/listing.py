"""List recipients before a comparison begins, as senders do: what comes back is then about deliveries we know."""

from __future__ import annotations

import json
from contextlib import closing

from bench.api import Api
from bench.errors import BenchError
from bench.mailings import address_of
from bench.ours import BROADCAST, Ours

#: Rows of one request.
_ROWS = 50_000


def row_of(number: int) -> bytes:
    """Return the row of POST /v1/sends for recipient ``number``."""
    row = {
        "broadcast": BROADCAST,
        "address": address_of(number),
        "last_name": f"山田{number % 997}",
        "first_name": f"太郎{number % 89}",
        "company": f"株式会社サンプル{number % 4_999}",
        "contact_ref": f"c{number}",
    }
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def list_recipients(ours: Ours, numbers: range) -> None:
    """List recipients through the API. Raises BenchError when a row was not taken."""
    with closing(Api(ours.server)) as api:
        for first in range(numbers.start, numbers.stop, _ROWS):
            rows = range(first, min(first + _ROWS, numbers.stop))
            posted = api.post_rows("/v1/sends", b"".join(map(row_of, rows)), f"listing-{first}-{len(rows)}")
            if posted.lines != len(rows) or posted.refused:
                raise BenchError(f"{posted.refused} of {len(rows)} recipients were not listed: {posted.why}")
