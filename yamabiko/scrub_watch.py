"""Has the store looked through for damage once a day, and after a start that followed no clean end (D11)."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from config.settings import Settings
from store.scrub import Damage
from yamabiko import run_files
from yamabiko.errand import end_in_words, news_of, sent
from yamabiko.scrubber import News, Order

#: Part of one processor that it may use, and while somebody waits to know.
_SHARE, _URGENT_SHARE = 0.05, 0.25
_HOUR_S = 3_600.0
_GIB = 1024**3
_decode = msgspec.json.Decoder(News).decode
_log = logging.getLogger("yamabiko.scrub")


class LastScrub(msgspec.Struct, frozen=True):
    """What the last look through the store found; kept in HOME/run. Times are seconds since 1970-01-01 UTC."""

    ended_at: float
    rows: int = 0
    damaged: int = 0
    first: tuple[Damage, ...] = ()
    #: why it did not come to its end; empty when it did
    problem: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether it came to its end and found nothing."""
        return not (self.damaged or self.problem)


class ScrubWatch:
    """Starts the process that looks, and remembers what it found."""

    def __init__(self, settings: Settings) -> None:
        """``settings`` say where the store is and how often it is looked through."""
        self._settings = settings
        self._mark = settings.run / run_files.UNCLEAN
        self._file = settings.run / run_files.SCRUB
        self._task: asyncio.Task[None] | None = None
        self.last = self._read()
        #: whether this process has begun to look; what was damaged before may have been mended meanwhile
        self._has_begun = False

    def tick(self) -> None:
        """Begin to look if it is time; call it now and then on the event loop."""
        if self._task is not None and self._task.done():
            if not self._task.cancelled() and (error := self._task.exception()) is not None:
                _log.error("the store was not looked through", exc_info=error)
            self._task = None
        every_s = self._settings.store.scrub_hours * _HOUR_S
        if self._task is not None or not every_s:
            return
        is_urgent = not self._has_begun and (self._mark.exists() or not self.last.is_clean)
        if is_urgent or time.time() - self.last.ended_at >= every_s:
            self._has_begun = True
            self._task = asyncio.create_task(self._look(_URGENT_SHARE if is_urgent else _SHARE))

    async def stop(self) -> None:
        """End a look that is under way; the next start begins anew."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def problem(self) -> str:
        """Return words where the store is damaged as far as is known, else an empty text."""
        if self.last.damaged:
            where = self.last.first[0]
            return (
                f"{self.last.damaged:,} damaged rows in the store, the first in {where.database} ({where.problem}): "
                "see Damage in docs/operating.md"
            )
        return self.last.problem

    async def _look(self, share: float) -> None:
        settings = self._settings
        order = Order(
            str(settings.data), settings.store.map_size_gib * _GIB, share, settings.logging.level, settings.logging.file
        )
        news = News()
        try:
            async with sent("yamabiko.scrubber") as process:
                async for line in news_of(process, order):
                    news = _decode(line)
                code = await process.wait()
        except OSError as error:
            problem = f"no process can be started to look through the store: {error.strerror}"
        else:
            what = f"the process that looks through the store {end_in_words(code)}; its data may be damaged"
            problem = "" if news.is_done else what
        self._keep(LastScrub(time.time(), news.rows, news.damaged, news.first, problem))

    def _keep(self, last: LastScrub) -> None:
        self.last = last
        if last.is_clean:
            _log.info("the store was looked through", extra={"rows": last.rows})
        else:
            first = [list(damage) for damage in last.first]
            _log.error("damage", extra={"problem": self.problem(), "damaged": last.damaged, "first": first})
        if self._write(last):
            self._mark.unlink(missing_ok=True)

    def _write(self, last: LastScrub) -> bool:
        try:
            run_files.write_json(self._file, last)
        except OSError as error:
            _log.warning("what was found is not kept", extra={"problem": error.strerror})
            return False
        return True

    def _read(self) -> LastScrub:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=LastScrub)
        except (OSError, msgspec.MsgspecError):
            # Never looked: a new store is as good as one looked through. Kept, so that restarts put nothing off.
            never = LastScrub(time.time())
            self._write(never)
            return never
