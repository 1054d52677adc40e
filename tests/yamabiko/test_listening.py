"""Ports are reserved, and refused with words; beats and locks."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from yamabiko import beat
from yamabiko.beat import Beat, BeatReader
from yamabiko.listening import ListenError, cap_connections, reserve
from yamabiko.run_files import AlreadyRunningError, Lock, is_running


def test_a_reserved_port_is_ours_and_takes_no_connection() -> None:
    with reserve("smtp", "127.0.0.1", 0) as keeper:
        port = keeper.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", port))
            worker.listen(1)
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            with pytest.raises(ListenError, match=r"smtp: cannot listen .*another process.*smtp\.port"):
                reserve("smtp", "127.0.0.1", port, patience_s=0.0)


@pytest.mark.parametrize(("host", "words"), [("192.0.2.1", "no such address"), ("no.such.invalid", "resolved")])
def test_addresses_that_cannot_be_had_are_told(host: str, words: str) -> None:
    with pytest.raises(ListenError, match=words):
        reserve("console", host, 0, patience_s=0.0)


def test_a_port_that_frees_itself_is_waited_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        reserve("smtp", "127.0.0.1", other.getsockname()[1], sleep=lambda _s: other.close()).close()


def test_connections_are_capped_by_the_descriptor_limit() -> None:
    assert cap_connections(10) == 16 or cap_connections(10) == 10
    assert cap_connections(10**9) < 10**9


def test_beats_survive_being_cut_to_pieces() -> None:
    sent = b"".join(
        beat.msgspec.json.encode(Beat(ready=True, problems={"rules": f"line {n}\n"})) + b"\n" for n in range(3)
    )
    for size in (1, 7, 64, len(sent)):
        reader, newest = BeatReader(), None
        for start in range(0, len(sent), size):
            newest = reader.feed(sent[start : start + size]) or newest
        assert newest == Beat(ready=True, problems={"rules": "line 2\n"})
    assert BeatReader().feed(b"garbage\n\xff\n") is None


def test_a_beat_to_nobody_is_an_error_and_to_a_sleeper_is_dropped() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    for _ in range(5_000):
        beat.send(write_end, Beat(ready=True))
    os.close(read_end)
    with pytest.raises(BrokenPipeError):
        beat.send(write_end, Beat(ready=True))
    os.close(write_end)


def test_the_lock_has_one_holder_and_is_free_again(tmp_path: Path) -> None:
    assert not is_running(tmp_path)
    lock = Lock.take(tmp_path)
    assert is_running(tmp_path)
    with pytest.raises(AlreadyRunningError, match=str(os.getpid())):
        Lock.take(tmp_path)
    lock.release()
    assert not is_running(tmp_path)
    Lock.take(tmp_path).release()
