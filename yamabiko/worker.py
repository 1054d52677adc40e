"""What every kind of worker shares: the loop, the store and its writer, live secrets, the heartbeat, the signals.

What a kind does is in ``yamabiko.workers.<kind>``, how its process begins in ``yamabiko.worker_process``.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from importlib import import_module
from pathlib import Path

import msgspec
import uvloop

from config.settings import Settings, from_values
from store.environment import Environment
from store.errors import StoreError, StoreFileError, StorePathError, StoreVersionError
from store.writer import Writer
from yamabiko import beat, exits, key_file, logs, run_files, token_file
from yamabiko.beat import Beat
from yamabiko.key_file import KeyFile
from yamabiko.live_file import LiveFile
from yamabiko.post import Post
from yamabiko.private_files import SecretsError
from yamabiko.service import Service, StartError, WorkerContext
from yamabiko.token_file import TokenFile, TokenTable

_GIB = 1024**3
_log = logging.getLogger(__name__)


class Worker:
    """Runs one service until told to stop."""

    def __init__(self, post: Post, run: Path, beat_fd: int) -> None:
        """``run`` is HOME/run, ``beat_fd`` where the heartbeat goes."""
        self._post = post
        self._run = run
        self._beat_fd = beat_fd
        self._settings = read_settings(run)
        self._stop_asked = asyncio.Event()
        self._exit_code = exits.OK
        #: whether files could not be looked at the last time
        self._is_blind = False

    async def run(self) -> int:
        """Serve; returns the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop, exits.OK)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        loop.set_exception_handler(_on_loop_error)
        settings = self._settings
        env = Environment(settings.data, map_size=settings.store.map_size_gib * _GIB)

        def on_failed() -> None:
            loop.call_soon_threadsafe(self._stop, exits.TEMPORARY)  # started again, with the store opened anew

        writer = Writer(env, on_failed=on_failed)
        writer.start()
        context = WorkerContext(
            settings=settings,
            name=self._post.name,
            slot=self._post.slot,
            host=self._post.host,
            port=self._post.port,
            env=env,
            writer=writer,
            keys=LiveFile(settings.secrets / key_file.FILE_NAME, lambda path: KeyFile.load(path).ring()),
            tokens=LiveFile(settings.secrets / token_file.FILE_NAME, lambda path: TokenTable(TokenFile.load(path))),
        )
        try:
            service: Service = import_module(f"yamabiko.workers.{self._post.kind}").make(context)
            await service.start()
            loop.add_signal_handler(signal.SIGHUP, self._reload, service)
            _settle_memory()
            _log.info("worker ready")
            await self._beat_until_stopped(context, service)
            await self._drain(service)
        finally:
            await loop.run_in_executor(None, writer.stop, float(settings.processes.drain_s))
            if writer.waiting_s:
                _log.warning("the store's writer did not end in time")
            env.close()
        _log.info("worker stopped", extra={"exit_code": self._exit_code})
        return self._exit_code

    async def _beat_until_stopped(self, context: WorkerContext, service: Service) -> None:
        """Tell the supervisor twice a second that the loop runs; follow secrets and rules at the same pace."""
        while not self._stop_asked.is_set():
            problems = {**_problems(context), **service.problems()}
            try:
                beat.send(self._beat_fd, Beat(ready=True, problems=problems))
            except BrokenPipeError:
                _log.error("the supervisor is gone, stopping")
                self._stop(exits.TEMPORARY)
            try:
                await asyncio.wait_for(self._stop_asked.wait(), beat.INTERVAL_S)
            except TimeoutError:
                self._look_around(context, service)

    def _look_around(self, context: WorkerContext, service: Service) -> None:
        """Follow secrets and rules. A process that has no file left to open says so, and looks the next time (D20)."""
        try:
            context.keys.refresh()
            context.tokens.refresh()
            service.tick()
        except OSError as error:
            if not self._is_blind:
                _log.warning("files cannot be looked at for now", extra={"problem": str(error)})
            self._is_blind = True
        else:
            self._is_blind = False

    async def _drain(self, service: Service) -> None:
        """Let the service finish, and go on beating meanwhile: draining is not being stuck."""
        _log.info("worker draining")
        stopping = asyncio.ensure_future(service.stop(float(self._settings.processes.drain_s)))
        deadline = asyncio.get_running_loop().time() + self._settings.processes.drain_s
        while not stopping.done() and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait([stopping], timeout=beat.INTERVAL_S)
            try:
                beat.send(self._beat_fd, Beat(ready=False))
            except BrokenPipeError:
                continue
        stopping.cancel()
        try:
            await stopping
        except (TimeoutError, asyncio.CancelledError):
            _log.warning("draining took too long, what was under way is cut")

    def _stop(self, code: int) -> None:
        if not self._stop_asked.is_set():
            self._exit_code = code
            self._stop_asked.set()

    def _reload(self, service: Service) -> None:
        try:
            self._settings = read_settings(self._run)
            _set_up_logs(self._post.name, self._settings)
            service.reload(self._settings)
        except (OSError, StartError, msgspec.MsgspecError) as error:
            _log.error("reload refused", extra={"problem": str(error)})
        else:
            _log.info("reloaded")

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def name(self) -> str:
        """How logs and metrics call this worker."""
        return self._post.name


def read_settings(run: Path) -> Settings:
    """Return the settings the supervisor left in HOME/run. Raises OSError or MsgspecError."""
    return from_values(msgspec.json.decode((run / run_files.SETTINGS).read_bytes()))


def _problems(context: WorkerContext) -> dict[str, str]:
    """Return what is wrong with what every worker has."""
    found = {}
    if problem := context.writer.problem:
        found["store"] = problem
    for name, live in (("keys", context.keys.problem), ("tokens", context.tokens.problem)):
        if live:
            found[name] = live
    return found


def _set_up_logs(name: str, settings: Settings) -> None:
    logs.set_up(name, settings.logging.level, Path(settings.logging.file) if settings.logging.file else None)


def _on_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    exc_info = (type(error), error, error.__traceback__) if isinstance(error, BaseException) else None
    _log.error("error outside a request", exc_info=exc_info, extra={"detail": context.get("message", "")})


def _settle_memory() -> None:
    """Begin to collect garbage, leaving out what start-up made, and more rarely: a tenth of a pixel's time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def fill(line: bytes, run: Path, beat_fd: int) -> int:
    """Fill the post that ``line`` tells (yamabiko.post) until told to stop; returns the exit code.

    Arguments: ``run`` is HOME/run, ``beat_fd`` where the heartbeat goes.
    """
    worker = Worker(Post.read(line), run, beat_fd)
    _set_up_logs(worker.name, worker.settings)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(worker.run())
    except (SecretsError, StartError, StorePathError, StoreVersionError) as error:
        return _refuse(error, exits.CONFIG)
    except StoreFileError as error:
        return _refuse(error, exits.DATA)
    except (StoreError, OSError) as error:
        _log.error("worker failed", exc_info=error)
        return exits.TEMPORARY
    except Exception as error:  # noqa: BLE001 - the boundary of the process: the end is told in one log line
        _log.critical("worker failed, a fault of ours", exc_info=error)
        return exits.SOFTWARE


def _refuse(error: Exception, code: int) -> int:
    """Say what keeps this worker from starting, now and whenever it is tried again; returns ``code``."""
    for problem in str(error).splitlines():
        _log.error("cannot start", extra={"problem": problem})
    return code
