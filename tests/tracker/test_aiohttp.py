"""What the fast path leans on in aiohttp's connection class: another aiohttp shows here first."""

from __future__ import annotations

import hashlib
import inspect
import logging
from importlib.metadata import version

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.web_protocol import RequestHandler

from tests.tracker.conftest import MakeEdge
from tracker.hot.protocol import HotHandler, HotServer, fits_aiohttp

#: The code that was read when tracker/hot/protocol.py was written, by its digest.
READ = {
    RequestHandler.connection_made: "44d50b5763b2c7e4",
    RequestHandler.connection_lost: "df2fe6e95fd04c7c",
    RequestHandler.data_received: "1ee57ebe052e6c80",
    RequestHandler.eof_received: "5652627579a02369",
    RequestHandler._resume_reading_if_drained: "27f2a6fbbb3a790e",
    RequestHandler.close: "84518f965e198ee3",
    RequestHandler.force_close: "38d0e1e798e4d3b7",
    RequestHandler._process_keepalive: "b472e0fb8445ce42",
    RequestHandler._handle_request: "a88a34ee65a2714c",
    RequestHandler.start: "2e565fd40c8e04fb",
    RequestHandler.finish_response: "b7eb53db8f4b30ca",
    RequestHandler.shutdown: "5eb4bd473db61e84",
    BaseProtocol.pause_writing: "e727e6c57a46116e",
    BaseProtocol.resume_writing: "7db135e0841e0425",
    BaseProtocol.pause_reading: "c35fb392028cd397",
    BaseProtocol.resume_reading: "21dee847a31af724",
    BaseProtocol._pause_transport_reading: "c6065fb62a6bed59",
    BaseProtocol._resume_transport_reading: "da539eba13cb5a32",
    web.Server.__init__: "ceb06418afb91a22",
    web.Server.__call__: "c5700549e688b164",
    web.Server.connection_made: "c57094db35388e6d",
    web.Server.connection_lost: "fff3ade6ffe866a8",
    web.Server.pre_shutdown: "e01318ac421ba9fe",
    web.Server.shutdown: "fc8f137a6c82728c",
    web.AppRunner._make_server: "2d5358865abd00e3",
}


@pytest.mark.parametrize("function", READ, ids=lambda function: function.__qualname__)
def test_what_was_read_is_what_runs(function: object) -> None:
    """If this fails: read the function anew beside tracker/hot/protocol.py, run the tests, then note its new digest."""
    digest = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]  # type: ignore[arg-type]
    assert digest == READ[function], f"aiohttp {version('aiohttp')} has another {function}: {digest}"  # type: ignore[index]


def test_nothing_else_of_aiohttp_is_replaced() -> None:
    """The control: what our class defines, beside what was read above, is ours alone."""
    own = {name for name in vars(HotHandler) if hasattr(RequestHandler, name)}
    # The last two come with Python 3.13.
    ordinary = {
        "__init__", "__doc__", "__module__", "__slots__", "__annotations__", "__firstlineno__", "__static_attributes__",
    }  # fmt: skip
    assert own - ordinary == {"connection_made", "data_received", "_process_keepalive"}
    assert {name for name in vars(HotServer) if name in vars(web.Server)} - ordinary == {"__call__"}


async def test_without_them_aiohttp_answers_alone(
    make_edge: MakeEdge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert fits_aiohttp()
    monkeypatch.setattr("tracker.hot.protocol.RELIED_ON", ("_no_such_thing",))
    assert not fits_aiohttp()
    caplog.set_level(logging.WARNING)
    edge = await make_edge()
    assert (await edge.get(edge.mail().pixel_url)).status == 200
    assert len(edge.store.facts) == 1 and edge.store.hits == 0
    assert "slower" in caplog.text
