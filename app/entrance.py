"""The application as its server calls it: a start that says in one line why it failed."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import LatentdError
from model_store import StoreError


def entrance(app: FastAPI, refuse: Callable[[str], None]) -> ASGIApp:
    """`app` with its start through `without_traceback`.

    Requests go to its layers directly: FastAPI's own call looks its telemetry up each time.
    """
    start = without_traceback(app, refuse)

    def called(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return start(scope, receive, send)
        assert app.middleware_stack is not None  # made at the start
        scope["app"] = app
        return app.middleware_stack(scope, receive, send)

    return called


def without_traceback(app: ASGIApp, refuse: Callable[[str], None]) -> ASGIApp:
    """The start and the end of `app`; where settings or the store forbid it, `refuse` is told why.

    uvicorn logs the whole traceback that Starlette sends it; that stays so for what nobody foresaw.
    """

    async def start(scope: Scope, receive: Receive, send: Send) -> None:
        failures: list[Message] = []

        async def hold_failures(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message)
            else:
                await send(message)

        try:
            await app(scope, receive, hold_failures)
        except (LatentdError, StoreError) as error:
            refuse(f"cannot start: {error}")
            await send({"type": "lifespan.startup.failed", "message": ""})
            raise
        except BaseException:
            for failure in failures:
                await send(failure)
            raise

    return start
