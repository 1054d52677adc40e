"""Exports: asked for, listed, retried, cancelled, downloaded for seven days (E22, E46-E48, R16-R18, R24, S34, S35)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec
from aiohttp import web

from console.broadcasts import find_broadcast, number_of, read_cursor, write_cursor
from console.export_rules import RESTRICTED, file_name, media_type, problem_of
from console.export_tasks import ExportTasks, Task, TooManyExportsError
from console.identity import Scope
from console.problem import ProblemError, bad_request, not_found
from console.route import Answer, Call, Reply, Route, missing, refusal
from console.schema import time_of
from console.schema_exports import (
    ExportIn,
    ExportOut,
    ExportPage,
    ExportPath,
    ExportsQuery,
    ExportState,
    ExportType,
    Removed,
)

_CHUNK = 262_144
_WHY_GONE = {
    None: "Files are kept for seven days.",
    Removed.DELETED: "The file was removed by request.",
    Removed.ERASURE: "The file was removed since somebody who may have been in it was forgotten.",
}


async def create_export(call: Call) -> Reply:
    """Take an export on; it is made while others are served."""
    request: ExportIn = call.body
    problem = problem_of(request)
    if problem:
        raise bad_request(problem)
    number = None
    if request.broadcast is not None:
        number = number_of(call, request.broadcast)
        find_broadcast(call, number)
    may_restricted = _rights(call, request, number)
    if request.zone is None:
        request = msgspec.structs.replace(request, zone=str(call.services.zone))
    tasks, identity = _tasks(call), call.identity
    try:
        task = await tasks.create(identity.tenant, identity.name, request, number, may_restricted=may_restricted)
    except TooManyExportsError as error:
        raise _too_many() from error
    return Reply(201, _shown(call, task))


async def list_exports(call: Call) -> Reply:
    """Return a page of exports, the newest first (E46)."""
    page = _tasks(call).page(call.identity.tenant, read_cursor(call.query.after))
    return Reply(200, ExportPage([_shown(call, task) for task in page.rows], write_cursor(page.after)))


async def get_export(call: Call) -> Reply:
    """Return one export as it stands."""
    return Reply(200, _shown(call, _found(call)))


async def retry_export(call: Call) -> Reply:
    """Make an export again, under the same id (E47)."""
    tasks, identity, task = _tasks(call), call.identity, _found(call)
    if task.state is ExportState.RUNNING:
        raise _conflict("This export is being made.")
    if task.is_kept(call.services.now_us()):
        raise _conflict("This export succeeded and its file is there; ask for a new one.")
    may_restricted = _rights(call, task.request, task.number)
    try:
        again = await tasks.retry(identity.tenant, identity.name, task, may_restricted=may_restricted)
    except TooManyExportsError as error:
        raise _too_many() from error
    return Reply(200, _shown(call, again))


async def cancel_export(call: Call) -> Reply:
    """Stop an export, or remove its file before its time; the row stays."""
    tasks, identity, task = _tasks(call), call.identity, _found(call)
    task = await tasks.cancel(identity.tenant, identity.name, task)
    return Reply(200, _shown(call, task))


async def get_file(call: Call) -> web.StreamResponse:
    """Send the file; after seven days it is gone, and its row stays (E48)."""
    tasks, identity, task = _tasks(call), call.identity, _found(call)
    if task.state is ExportState.RUNNING:
        raise _conflict("This export is still being made; see its `progress`.")
    if task.state is ExportState.FAILED:
        raise _conflict(f"This export failed, there is no file. POST /v1/exports/{task.id}/retry makes it again.")
    if (task.is_restricted or task.request.type is ExportType.EVENTS) and not _has(call, Scope.EXPORTS_ADDRESSBOOK):
        raise ProblemError(403, "forbidden", RESTRICTED)
    path = tasks.path_of(identity.tenant, task)
    if not task.is_kept(call.services.now_us()):
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise _gone(task)
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise _gone(task) from None
    with file:
        await tasks.note_download(identity.tenant, identity.name, task)
        return await _send(call, task, path, file)


async def _send(call: Call, task: Task, path: Path, file: IO[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": media_type(task.request),
            "Content-Disposition": f'attachment; filename="{file_name(task.request, task.created_us)}"',
            "Content-Length": str(path.stat().st_size),
        }
    )
    await response.prepare(call.request)
    async for chunk in _chunks(file):
        await response.write(chunk)
    await response.write_eof()
    return response


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    """Yield a file in pieces, read apart from the event loop."""
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk


def _tasks(call: Call) -> ExportTasks:
    tasks = call.services.exports
    if tasks is None:
        raise ProblemError(503, "store-unavailable", "This console makes no exports.")
    return tasks


def _found(call: Call) -> Task:
    task = _tasks(call).find(call.identity.tenant, call.path.id)
    if task is None:
        raise not_found("There is no such export. GET /v1/exports lists them.")
    return task


def _has(call: Call, scope: Scope) -> bool:
    return scope in call.identity.scopes


def _rights(call: Call, request: ExportIn, number: int | None) -> bool:
    """Return whether restricted sources may be among the rows. Raises ProblemError 403 for what may not be asked.

    The first and the last of those listed are looked at here, so that a refusal comes at once; the rest where it is
    read, and the export then fails.
    """
    if not _has(call, Scope.CONTACTS_DOWNLOAD):
        raise ProblemError(
            403, "forbidden", "Exports hold contacts: this needs the scope contacts:download, which a system "
            "administrator gives.",
        )  # fmt: skip
    if _has(call, Scope.EXPORTS_ADDRESSBOOK):
        return True
    if request.type is ExportType.EVENTS:
        raise ProblemError(403, "forbidden", "All events: addresses of every source are among them. " + RESTRICTED)
    if number is not None and request.type is not ExportType.REPORT and request.type is not ExportType.LINKS:
        _check_ends(call, number)
    return False


def _check_ends(call: Call, number: int) -> None:
    if call.services.restricted_at_ends(call.identity.tenant, number):
        raise ProblemError(403, "forbidden", RESTRICTED)


def _conflict(detail: str) -> ProblemError:
    return ProblemError(409, "conflict", detail)


def _too_many() -> ProblemError:
    return ProblemError(
        429, "too-many", "So many exports wait already; ask again when some are done.", retry_after_s=30
    )


def _gone(task: Task) -> ProblemError:
    why = _WHY_GONE[task.removed]
    return ProblemError(410, "gone", f"{why} POST /v1/exports/{task.id}/retry makes this one again.")


def _shown(call: Call, task: Task) -> ExportOut:
    rows, share = _tasks(call).progress_of(call.identity.tenant, task)
    is_kept = task.is_kept(call.services.now_us())
    return ExportOut(
        id=task.id,
        type=task.request.type.value,
        state=task.state,
        progress=round(share, 4),
        created_at=time_of(task.created_us) or datetime.min,
        started_at=time_of(task.started_us),
        ended_at=time_of(task.ended_us),
        expires_at=time_of(task.expires_us),
        url=f"/v1/exports/{task.id}/file" if is_kept else None,
        file_name=file_name(task.request, task.created_us),
        rows=rows,
        size_bytes=task.size_bytes,
        replaced=task.replaced,
        removed=task.removed,
        error=task.error,
        actor=task.actor,
        request={name: value for name, value in msgspec.to_builtins(task.request).items() if value is not None},
    )


_NOT_FOUND = missing("export")
_CONFLICT = refusal(409, "The export does not stand so that this can be done.")
_TOO_MANY = refusal(429, "Too many exports wait.")
ROUTES = (
    Route(
        "POST", "/v1/exports", Scope.EXPORTS_WRITE, "createExport",
        "Have a file made; it is there when `state` is `succeeded`.", create_export,
        (Answer(201, "Taken on; durable.", ExportOut), _NOT_FOUND, _TOO_MANY), body_type=ExportIn,
    ),
    Route(
        "GET", "/v1/exports", Scope.EXPORTS_READ, "listExports", "All exports, the newest first, fifty a page.",
        list_exports, (Answer(200, "A page.", ExportPage),), query_type=ExportsQuery,
    ),
    Route(
        "GET", "/v1/exports/{id}", Scope.EXPORTS_READ, "getExport", "One export: how far it is, how it went.",
        get_export, (Answer(200, "The export.", ExportOut), _NOT_FOUND), path_type=ExportPath,
    ),
    Route(
        "POST", "/v1/exports/{id}/retry", Scope.EXPORTS_WRITE, "retryExport",
        "Make one again that failed, or whose file is gone; it keeps its id.", retry_export,
        (Answer(200, "Taken on; durable.", ExportOut), _NOT_FOUND, _CONFLICT, _TOO_MANY), path_type=ExportPath,
    ),
    Route(
        "DELETE", "/v1/exports/{id}", Scope.EXPORTS_WRITE, "cancelExport",
        "Stop an export, or remove its file; its row stays.", cancel_export,
        (Answer(200, "Stopped, or removed.", ExportOut), _NOT_FOUND), path_type=ExportPath,
    ),
    Route(
        "GET", "/v1/exports/{id}/file", Scope.CONTACTS_DOWNLOAD, "getExportFile",
        "The file, for seven days after it was made.", get_file,
        (
            Answer(200, "The file; its media type is that of the format.", None, "*/*"), _NOT_FOUND, _CONFLICT,
            refusal(410, "The file is gone; the row stays."),
        ),
        path_type=ExportPath,
    ),
)  # fmt: skip
