"""One export in a process of its own: ``python -m yamabiko.exporter``, started by the console only.

Its own interpreter, so that the console's event loop goes on undisturbed; its own read-only handle on the store. It
ends when the console does: news that nobody reads any more stop it.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import IO

from console.schema_exports import ExportDone
from store.environment import Environment
from store.errors import StoreError
from yamabiko import exits, logs
from yamabiko.errand import take_order, tell
from yamabiko.exporter.job import ExportError
from yamabiko.exporter.order import News, Order
from yamabiko.exporter.run import run_export, without_collection
from yamabiko.exporter.whole_file import whole_file

#: What is answered to people goes first.
_NICENESS = 10
_log = logging.getLogger("yamabiko.exporter")


def main() -> int:
    """Make one export; returns the exit code."""
    order = take_order(Order, _NICENESS)
    if order is None:
        return exits.OK
    logs.set_up("export", order.log_level, Path(order.log_file) if order.log_file else None)
    news = sys.stdout.buffer
    try:
        tell(news, News(done=_make(order, news)))
    except ExportError as error:
        tell(news, News(error=str(error)))
    except BrokenPipeError:
        _log.warning("nobody waits for this export any more")
        return exits.TEMPORARY
    except StoreError as error:
        _log.error("export failed", exc_info=error)
        tell(news, News(error=f"The store cannot be read: {error}. Retry it."))
    except OSError as error:
        _log.error("export failed", exc_info=error)
        tell(news, News(error=f"The file cannot be written: {error.strerror}. Retry it once there is room."))
    return exits.OK


def _make(order: Order, news: IO[bytes]) -> ExportDone:
    env = Environment(Path(order.data), map_size=order.map_size, read_only=True)
    try:
        with whole_file(Path(order.path)) as out, without_collection():
            return run_export(env, order.job, out, lambda rows, share: tell(news, News(rows, share)))
    finally:
        env.close()


if __name__ == "__main__":
    sys.exit(main())
