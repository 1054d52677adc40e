"""Exports under way: queued, at most two at a time, each in a process of its own; what became of them is durable.

An export is a document of kind "export", written when it is asked for, when it starts and when it ends. How far it is
lives here only. A document that says "running" while nothing here runs it was cut off, and is shown as failed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from console.export_rules import MEDIA
from console.schema_exports import ExportDone, ExportIn, ExportJob, ExportState, Removed
from model.detail import Audited, DocumentSet
from model.fact import DeliveryKey, Fact, FactType
from store.errors import StoreError
from store.reader import Page, Reader
from store.writer import Writer

EXPORT_KIND = "export"
#: How long a file is kept (E48).
KEPT_US = 7 * 86_400_000_000
MAX_AT_ONCE = 2
#: Exports of one tenant that wait or run.
MAX_UNFINISHED = 50
INTERRUPTED = "The server was stopped while it was being made. Retry it."
_ANSWER_TRIES = 30
#: Name of the file that says that an export is under way: its tenant and id.
_MARK = re.compile(r"([0-9a-f]{4})-([0-9a-f]{16})\.part")
_log = logging.getLogger("yamabiko.console")


class ExportFailedError(Exception):
    """An export cannot be made. The text is shown to whoever asked for it."""


class TooManyExportsError(Exception):
    """A tenant has as many unfinished exports as it may have."""


class Launcher(Protocol):
    """Makes one file in a process of its own."""

    async def run(self, job: ExportJob, path: Path, progress: Callable[[int, float], None]) -> ExportDone:
        """Write ``job`` to ``path``, which appears only when it is whole. Cancelling it ends the process.

        Raises ExportFailedError.
        """


class Task(msgspec.Struct, frozen=True):
    """One export as its document says it; times in microseconds."""

    id: str
    request: ExportIn
    number: int | None
    actor: str
    may_restricted: bool
    state: ExportState
    created_us: int
    started_us: int | None = None
    ended_us: int | None = None
    expires_us: int | None = None
    rows: int = 0
    size_bytes: int | None = None
    replaced: int = 0
    is_restricted: bool = False
    error: str | None = None
    removed: Removed | None = None

    def is_kept(self, now_us: int) -> bool:
        """Whether its file is there to download."""
        return self.state is ExportState.SUCCEEDED and now_us <= (self.expires_us or 0)


@dataclass(slots=True)
class _Live:
    """One export that waits or runs."""

    task: Task
    #: set once it has its turn
    job: asyncio.Task[None] | None = None
    rows: int = 0
    share: float = 0.0
    #: who cancelled it
    cancelled_by: str | None = None


class ExportTasks:
    """All exports of one console."""

    def __init__(
        self, reader: Reader, writer: Writer, launcher: Launcher, directory: Path, *,
        stamp: Callable[[], int], now_us: Callable[[], int], node: int = 0,
    ) -> None:  # fmt: skip
        """``directory`` holds the files and is made when it is needed; ``stamp`` never returns a time twice."""
        self._reader, self._writer, self._launcher, self._directory = reader, writer, launcher, directory
        self._stamp, self._now_us, self._node = stamp, now_us, node
        self._live: dict[tuple[int, str], _Live] = {}
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    async def create(
        self, tenant: int, actor: str, request: ExportIn, number: int | None, *, may_restricted: bool
    ) -> Task:
        """Begin an export. Raises TooManyExportsError; StoreError when it cannot be noted down."""
        at_us = self._stamp()
        # Counted down, so that the order of names is the newest first.
        task = Task(f"{2**63 - at_us:016x}", request, number, actor, may_restricted, ExportState.RUNNING, at_us)
        await self._begin(tenant, task, "export.create")
        return task

    async def retry(self, tenant: int, actor: str, former: Task, *, may_restricted: bool) -> Task:
        """Begin an export again under the same id (E47). Raises as ``create`` does."""
        task = Task(
            former.id, former.request, former.number, actor, may_restricted, ExportState.RUNNING, former.created_us
        )
        self.path_of(tenant, former).unlink(missing_ok=True)
        await self._begin(tenant, task, "export.retry")
        return task

    async def cancel(self, tenant: int, actor: str, task: Task) -> Task:
        """Stop an export, or remove its file; its row stays. Raises StoreError."""
        live = self._live.get((tenant, task.id))
        if live is not None and live.job is not None:
            live.cancelled_by = actor
            live.job.cancel()
            await asyncio.wait([live.job])
            await self._note(tenant, task, "export.cancel", actor)
            return self.find(tenant, task.id) or task
        if task.is_kept(self._now_us()):
            task = msgspec.structs.replace(task, expires_us=self._now_us() - 1, removed=Removed.DELETED)
            await self._save(tenant, task, "export.cancel", actor)
            self.path_of(tenant, task).unlink(missing_ok=True)
        return task

    async def note_download(self, tenant: int, actor: str, task: Task) -> None:
        """Put on record who took a file away (T17). Raises StoreError."""
        await self._note(tenant, task, "export.download", actor)

    def find(self, tenant: int, task_id: str) -> Task | None:
        """Return an export as it stands, or None."""
        document = self._reader.document(tenant, EXPORT_KIND, task_id)
        return None if document is None else self._seen(tenant, document.body)

    def page(self, tenant: int, after: bytes | None) -> Page[Task]:
        """Return a page of exports, the newest first."""
        page = self._reader.documents(tenant, EXPORT_KIND, after=after)
        return Page([self._seen(tenant, row.body) for row in page.rows], page.after)

    def progress_of(self, tenant: int, task: Task) -> tuple[int, float]:
        """Return the rows written so far, and the share of the work that is done (0 to 1)."""
        live = self._live.get((tenant, task.id))
        if live is not None:
            return live.rows, live.share
        return task.rows, 1.0 if task.state is ExportState.SUCCEEDED else 0.0

    def path_of(self, tenant: int, task: Task) -> Path:
        """Return where the file of an export is, or would be."""
        return self._directory / f"{tenant:04x}-{task.id}.{MEDIA[task.request.format][0]}"

    async def recover(self) -> None:
        """After a start: what was under way when the former console ended has failed, and can be retried."""
        for mark in sorted(self._directory.glob("*.part")):
            name = _MARK.fullmatch(mark.name)
            if name is None or (int(name[1], 16), name[2]) in self._live:
                continue
            tenant, task = int(name[1], 16), self.find(int(name[1], 16), name[2])
            try:
                if task is not None and task.error == INTERRUPTED and task.ended_us is None:
                    ended = msgspec.structs.replace(task, ended_us=self._now_us())
                    await self._save(tenant, ended, None, ended.actor)
            except StoreError as error:
                # It shows as failed all the same; when it ended is noted down at the next start.
                _log.warning("state of an export not kept", extra={"export": name[2], "problem": str(error)})
                continue
            mark.unlink(missing_ok=True)
        for begun in self._directory.glob(".*.new"):
            begun.unlink(missing_ok=True)  # of a process that was killed

    def sweep(self) -> int:
        """Remove the files whose time is over; returns how many."""
        now_us, gone = self._now_us(), 0
        for path in self._directory.glob("*-*.*"):
            if path.suffix != ".part" and path.stat().st_mtime_ns // 1_000 + KEPT_US < now_us:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    async def stop(self) -> None:
        """End all processes; what was under way is noted down as failed."""
        jobs = [live.job for live in self._live.values() if live.job is not None]
        for job in jobs:
            job.cancel()
        if jobs:
            await asyncio.wait(jobs)

    def _seen(self, tenant: int, body: bytes) -> Task:
        task = msgspec.json.decode(body, type=Task)
        if task.state is ExportState.RUNNING and (tenant, task.id) not in self._live:
            return msgspec.structs.replace(task, state=ExportState.FAILED, error=INTERRUPTED)
        return task

    async def _begin(self, tenant: int, task: Task, action: str) -> None:
        if sum(owner == tenant for owner, _ in self._live) >= MAX_UNFINISHED:
            raise TooManyExportsError
        live = self._live[tenant, task.id] = _Live(task)
        try:
            self._make_mark(tenant, task)
            await self._save(tenant, task, action, task.actor)
        except BaseException:
            del self._live[tenant, task.id]
            self._mark(tenant, task).unlink(missing_ok=True)
            raise
        live.job = asyncio.create_task(self._run(tenant, live), name=f"export-{task.id}")

    async def _run(self, tenant: int, live: _Live) -> None:
        """Wait for a turn, make the file, note down how it went."""
        task = live.task
        try:
            async with self._turns:
                task = live.task = msgspec.structs.replace(task, started_us=self._now_us())
                await self._save_at_last(tenant, task)
                ended = await self._make(tenant, live)
        except asyncio.CancelledError:
            error = f"Cancelled by {live.cancelled_by}." if live.cancelled_by else INTERRUPTED
            ended = _failed(task, error, self._now_us())
        try:
            await self._save_at_last(tenant, ended)
        finally:
            self._live.pop((tenant, task.id), None)
            self._mark(tenant, task).unlink(missing_ok=True)

    async def _make(self, tenant: int, live: _Live) -> Task:
        task, path = live.task, self.path_of(tenant, live.task)

        def progress(rows: int, share: float) -> None:
            live.rows, live.share = rows, share

        job = ExportJob(task.request, tenant, task.number, self._now_us(), task.may_restricted)
        try:
            done = await self._launcher.run(job, path, progress)
            now_us = self._now_us()
            os.utime(path, ns=(now_us * 1_000, now_us * 1_000))
        except ExportFailedError as error:
            return _failed(task, str(error), self._now_us())
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the export must not stay "running"
            _log.error("export failed", exc_info=error, extra={"export": task.id})
            return _failed(task, "A fault of ours; it is in the log. Retry it.", self._now_us())
        return msgspec.structs.replace(
            task, state=ExportState.SUCCEEDED, ended_us=now_us, expires_us=now_us + KEPT_US, rows=done.rows,
            size_bytes=done.size_bytes, replaced=done.replaced, is_restricted=done.is_restricted,
        )  # fmt: skip

    def _mark(self, tenant: int, task: Task) -> Path:
        """Return the file that says which exports were under way."""
        return self._directory / f"{tenant:04x}-{task.id}.part"

    def _make_mark(self, tenant: int, task: Task) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mark(tenant, task).touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"{self._directory} cannot be written: {error.strerror}") from error

    async def _save_at_last(self, tenant: int, task: Task) -> None:
        """Note down where an export stands, again and again while the store does not take it."""
        for attempt in range(_ANSWER_TRIES):
            try:
                await self._save(tenant, task, None, task.actor)
                return
            except StoreError as error:
                if attempt == _ANSWER_TRIES - 1:
                    _log.error("state of an export not kept", exc_info=error, extra={"export": task.id})
                    return
                await asyncio.sleep(1.0)

    async def _save(self, tenant: int, task: Task, action: str | None, actor: str) -> None:
        document = DocumentSet(EXPORT_KIND, task.id, msgspec.json.encode(task), actor)
        facts = [Fact(FactType.DOCUMENT_SET, DeliveryKey(tenant, 0, 0), self._stamp(), document, self._node)]
        if action is not None:
            facts.append(self._audited(tenant, task, action, actor))
        await self._writer.submit(facts)

    async def _note(self, tenant: int, task: Task, action: str, actor: str) -> None:
        await self._writer.submit([self._audited(tenant, task, action, actor)])

    def _audited(self, tenant: int, task: Task, action: str, actor: str) -> Fact:
        note = msgspec.json.encode(msgspec.to_builtins(task.request)).decode()
        detail = Audited(actor, action, f"export:{task.id}", note)
        return Fact(FactType.AUDITED, DeliveryKey(tenant, 0, 0), self._stamp(), detail, self._node)


def _failed(task: Task, error: str, now_us: int) -> Task:
    return msgspec.structs.replace(task, state=ExportState.FAILED, ended_us=now_us, error=error)
