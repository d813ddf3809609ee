"""Runs the application under uvicorn in this process: its start, its readiness and its end.

One process is a whole service; app.supervisor runs several of them on one port.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app import listening
from app.entrance import entrance
from app.http_limits import ConnectionLimits, Pace
from app.http_protocol import bounded
from app.http_watch import Reports
from app.main import create_app
from app.methods import Proxies
from app.metrics import Metrics
from app.readiness import DEVICE_LOST_STATUS, set_ready
from app.running_clock import call_after
from app.settings import Settings

log = logging.getLogger("latentd")

# Objects between two collections of the youngest. Python's default is 700: some seventeen requests,
# most of which are still being answered when they are walked over in vain.
YOUNG_OBJECTS = 20_000
# What answers in progress may still take then, so that the process has ended within 3 seconds.
LAST_ANSWERS_SECONDS = 2.5
# Beyond what answers in progress may take when the service ends: for threads and models to go.
CLEARING_SECONDS = 5


class Server(uvicorn.Server):
    """uvicorn's server, which knows the application's readiness and how it may end.

    `announce` is called once it listens.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        drain_delay: float,
        announce: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._application = app
        self._drain_delay = drain_delay
        self._announce = announce
        self._end_seconds = CLEARING_SECONDS + (config.timeout_graceful_shutdown or 0)
        self._told_to_end = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.exit_status = 0
        app.state.fatal = self.fail

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does; the last thing is to say so."""
        await super().startup(sockets)
        self._take_signals()
        # What start-up left will live as long as the process: without this, full collections walk
        # all of torch's objects again and again, which shows as the slowest answers.
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop as uvicorn does, but not before those who have connected already."""
        waiting: list[socket.socket] = []
        for listener in sockets or ():
            listener.settimeout(0)
            with suppress(OSError):  # none waits, or no descriptor is left
                for _ in range(self.config.backlog):
                    waiting.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            connection.settimeout(0)
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        state = self.lifespan.state
        return make(config=self.config, server_state=self.server_state, app_state=state)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them as they are, unlike uvicorn: until it serves, a signal ends the process.

        It does so at once, in whatever thread and library: what a handler in Python did would wait
        for torch to come back to the interpreter, and a start has nothing to end in order.
        """
        yield

    def _take_signals(self) -> None:
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What nohup has ignored stays so.
            if sig != signal.SIGHUP or signal.getsignal(sig) != signal.SIG_IGN:
                signal.signal(sig, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End on a signal. The first SIGTERM leaves LATENTD_DRAIN_DELAY_S; any other one nothing.

        SIGHUP says that another process serves in this one's place: it ends, and the service stays
        ready. uvicorn would raise the signal again once it has ended; to end so is no failure.
        """
        if sig == signal.SIGHUP:
            self._on_loop(self._end)
            return
        if self._told_to_end and sig == signal.SIGINT:
            self.force_exit = True
        at_once = self._told_to_end or sig != signal.SIGTERM
        self._told_to_end = True
        if not self.started:
            self._application.state.stop_loading()
        self._on_loop(self._drain, 0.0 if at_once else self._drain_delay)

    def fail(self, reason: str) -> None:
        """End this process with DEVICE_LOST_STATUS within 3 seconds; from any thread, once.

        For a device that answers no more, or wrongly: a new process is the only remedy. Whatever
        thread hangs, the process ends.
        """
        if self.exit_status:
            return
        self.exit_status = DEVICE_LOST_STATUS
        log.critical("cannot go on, ending with status %d: %s", DEVICE_LOST_STATUS, reason)
        last_resort = threading.Timer(LAST_ANSWERS_SECONDS, os._exit, [DEVICE_LOST_STATUS])
        last_resort.daemon = True
        self._on_loop(self._drain, 0.0)
        last_resort.start()

    def _on_loop(self, function: Callable[..., None], *arguments: float) -> None:
        # Not called right here, in a signal's handler or another thread: the metrics' locks are
        # not reentrant. A closed loop has ended already.
        with suppress(RuntimeError):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(function, *arguments)

    def _drain(self, delay: float) -> None:
        set_ready(self._application, ready=False)
        if delay:
            log.info("not ready any more; ending in %g s, or at the next signal", delay)
            asyncio.get_running_loop().call_later(delay, self._end)
        else:
            self._end()

    def _end(self) -> None:
        if not self.should_exit:
            self.should_exit = True
            # The interpreter's own end waits for every thread, whatever hangs in it.
            call_after(self._end_seconds, self._cut_off)

    def _cut_off(self) -> None:
        log.warning("not everything has ended within %g s; ending", self._end_seconds)
        os._exit(self.exit_status)


def serve_alone(settings: Settings, started: Callable[[], None]) -> int:
    """Be the whole service, on the settings' address; the exit status.

    `started` is called once it listens.
    """
    try:
        sockets = listening.bind(settings.host, settings.port, shared=False)
    except OSError as error:
        log.error("cannot start: %s", error)
        return 1

    def announce() -> None:
        started()
        for bound in sockets:
            log.info("ready: %s (documentation at /docs)", listening.url(bound))

    return serve(settings, sockets, announce, log.error)


def _limits(settings: Settings) -> ConnectionLimits:
    seconds = settings.stall_timeout_s
    return ConnectionLimits(
        head_bytes=settings.max_header_bytes,
        head_seconds=settings.header_timeout_s,
        keep_alive_seconds=settings.keep_alive_s,
        body_seconds=settings.body_timeout_s,
        pace=Pace(seconds, ceil(settings.least_bytes_per_s * seconds)),
        connections=settings.max_connections,
        connections_of_an_address=settings.max_connections_per_address,
        exempt=Proxies(settings.trusted_proxies).trusted,
    )


def serve(
    settings: Settings,
    sockets: list[socket.socket],
    announce: Callable[[], None],
    refuse: Callable[[str], None],
) -> int:
    """Serve on `sockets` until SIGINT or SIGTERM; before it serves, they end the process at once.

    `announce` is called once it listens, `refuse` with the reason why it cannot start, from any
    thread. The exit status is then 1, and DEVICE_LOST_STATUS after `Server.fail`.
    """
    app = create_app(settings)
    metrics: Metrics = app.state.metrics
    config = uvicorn.Config(
        entrance(app, refuse),
        http=bounded(
            _limits(settings),
            app.state.in_flight,
            Reports(metrics.set_connections, metrics.count_refusal),
        ),
        ws="none",
        # Whose headers are believed is known where they are read: app/methods.py.
        proxy_headers=False,
        interface="asgi3",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = Server(config, app, settings.drain_delay_s, announce)
    try:
        server.run(sockets)
    except SystemExit as stop:
        return 1 if stop.code else 0
    return server.exit_status
