"""Requests that are sent ahead, and trailers, given to the protocol itself, byte for byte."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from app.http_limits import ConnectionLimits
from app.http_protocol import PIECE, BoundedHttpProtocol, bounded
from app.in_flight import InFlight
from tests.app.conversation import statuses

ONE = b"GET /sample HTTP/1.1\r\nHost: x\r\n\r\n"


class Ends(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        return {"peername": ("1.1.1.1", 1), "sockname": ("2.2.2.2", 2)}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


Play = Callable[[BoundedHttpProtocol, Ends, asyncio.Semaphore], Awaitable[None]]


def play(script: Play, account: InFlight | None = None) -> None:
    """Run `script` with a connection whose requests are answered as the semaphore lets them."""

    async def run() -> None:
        gate = asyncio.Semaphore(0)

        async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            while scope["method"] == "POST" and (await receive()).get("more_body"):
                pass
            await gate.acquire()
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        made = bounded(ConnectionLimits(), account)
        config = uvicorn.Config(app, http=made, ws="none", log_config=None, lifespan="off")
        config.load()
        protocol = made(config=config, server_state=ServerState(), app_state={})
        transport = Ends()
        protocol.connection_made(transport)
        await script(protocol, transport, gate)
        protocol.connection_lost(None)
        await asyncio.sleep(0)

    asyncio.run(run())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_no_more_requests_are_parsed_than_are_answered_soon() -> None:
    async def script(
        protocol: BoundedHttpProtocol, transport: Ends, gate: asyncio.Semaphore
    ) -> None:
        num_requests = 250_000 // len(ONE)
        protocol.data_received(ONE * num_requests)
        most = 0
        for answered in range(1, num_requests + 1):
            most = max(most, len(protocol.pipeline))
            assert transport.paused or not protocol.pipeline
            gate.release()
            await settle()
            assert transport.written.count(b" 200 ") == answered
        assert most <= PIECE // len(ONE) + 1
        assert not transport.paused

    play(script)


def test_a_trailer_reaches_nobody_and_is_counted() -> None:
    async def script(
        protocol: BoundedHttpProtocol, transport: Ends, gate: asyncio.Semaphore
    ) -> None:
        protocol.data_received(
            b"POST /encode HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        )
        await settle()
        headers = list(protocol.headers)
        sent = 0
        while not transport.closed and sent < 1_000_000:
            protocol.data_received(b"a: " + b"b" * 4000 + b"\r\n")
            sent += 4005
        assert sent < 100_000
        assert protocol.headers == headers
        gate.release()
        await settle()
        assert statuses(transport.written) == [400]

    play(script)


def test_what_is_in_flight_is_given_back() -> None:
    account = InFlight(10**9)

    async def script(
        protocol: BoundedHttpProtocol, transport: Ends, gate: asyncio.Semaphore
    ) -> None:
        whole = b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000
        protocol.data_received(whole + whole + whole[:-1])
        await settle()
        assert account.held == 2999
        gate.release()
        await settle()
        assert account.held == 1999
        protocol.pause_writing()
        protocol.resume_writing()
        assert account.held == 1999
        assert not transport.closed

    play(script, account)
    assert account.held == 0
