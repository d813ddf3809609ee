"""Runs the application under uvicorn and says, once it listens, where."""

import gc
import logging
import signal
import socket
import sys

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import LatentdError
from app.main import create_app
from app.settings import Settings, unknown_variables
from model_store import StoreError

log = logging.getLogger("latentd")

LOG_LINE = "%(asctime)s %(levelname)s %(message)s"


class Server(uvicorn.Server):
    """uvicorn's server, which also announces the address that it really listens on."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does; the last line of the start is the address."""
        await super().startup(sockets)
        # What start-up left will live as long as the process: without this, full collections walk
        # all of torch's objects again and again, which shows as the slowest answers.
        gc.collect()
        gc.freeze()
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                host = f"[{host}]" if ":" in host else host
                log.info("ready: http://%s:%d (documentation at /docs)", host, port)


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; the exit status, 1 if the start failed."""
    logging.basicConfig(
        level=settings.log_level.upper(), format=LOG_LINE, stream=sys.stderr, force=True
    )
    # Its own lines repeat ours; what goes wrong in it is still said.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # It warns of every malformed form, which its sender is told of already.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for line in unknown_variables():
        log.warning(line)
    config = uvicorn.Config(
        without_traceback(create_app(settings)),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
    )
    server = Server(config)
    # Having shut down, uvicorn raises again the signal that told it to; to end so is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run()
    except KeyboardInterrupt:
        return 0
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def without_traceback(app: ASGIApp) -> ASGIApp:
    """`app`, whose start, where settings or the store forbid it, fails with one line that says why.

    uvicorn logs the whole traceback that Starlette sends it; that stays so for what nobody foresaw.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        failures: list[Message] = []

        async def hold_failures(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, hold_failures)
        except (LatentdError, StoreError) as error:
            reason = f"cannot start: {error}"
            await send({"type": "lifespan.startup.failed", "message": reason})
            raise
        except BaseException:
            for failure in failures:
                await send(failure)
            raise

    return wrapped
