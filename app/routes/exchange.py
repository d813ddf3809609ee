"""One request on its way to a model and back, as every latent endpoint sees it."""

from collections.abc import Awaitable
from typing import Annotated

import numpy as np
from fastapi import Depends
from starlette.types import Receive, Scope

from app.arrays import Floats
from app.body_limit import Bodies
from app.errors import BadValue, LatentdError, NotFinite
from app.service import LatentService, ServedModel, Ticket
from app.settings import Settings

# Latents of samples are some units, and a model need not be finite far beyond.
USUAL = 100.0
TIMEOUT_HEADER = b"x-request-timeout"


class Exchange:
    """A request, the model it is for, and what answers it. Nothing of it is read before it is asked
    for.
    """

    __slots__ = (
        "_given",
        "_receive",
        "headers",
        "model",
        "pinned",
        "scope",
        "service",
        "settings",
        "ticket",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Raises ModelNotServed, or BadValue for a timeout that is none."""
        state = scope["app"].state
        self.scope = scope
        self._receive = receive
        self.headers = headers_in(scope)
        self.service: LatentService = state.service
        self.settings: Settings = state.settings
        reference = scope["path_params"].get("model")
        self.model: ServedModel = self.service.find(reference)
        scope["state"]["model"] = self.model.id  # for the log
        # A version is never changed, so neither is what it answers; a bare name may mean a newer.
        self.pinned = reference is not None and "@" in reference
        # A stream's parts have the service's own time each; a client's holds for all of them.
        self.ticket = Ticket(
            self._timeout(), state.budget, renewable=TIMEOUT_HEADER not in self.headers
        )
        self._given: list[Floats] = []

    def body(self) -> Awaitable[bytes]:
        """The whole body, unpacked; raises what `Bodies.parts` raises."""
        bodies: Bodies = self.scope["app"].state.bodies
        return bodies.read(self.scope, self._receive, self.headers)

    def note(self, numbers: Floats) -> Floats:
        """Note numbers that the request itself gave (latents, rows, weights), for `at_fault`."""
        self._given.append(numbers)
        return numbers

    def at_fault(self, error: NotFinite) -> LatentdError:
        """The error of an answer that is not finite: the sender's where its own numbers are far
        beyond those that a model is made of, else the model's.
        """
        largest = max((float(np.abs(numbers).max()) for numbers in self._given), default=0.0)
        if largest <= USUAL:
            return error
        return BadValue(
            f"the numbers given reach {largest:.3g}, and what {self.model.id} makes of them is not "
            f"finite: give numbers nearer to 0, as within ±{USUAL:g}"
        )

    def _timeout(self) -> float:
        longest = self.settings.request_timeout_s
        given = self.headers.get(TIMEOUT_HEADER)
        if given is None:
            return longest
        try:
            seconds = float(given)
        except ValueError:
            seconds = -1.0
        if not seconds > 0:
            raise BadValue(
                f"X-Request-Timeout is {given[:40].decode('latin-1')!r}; it takes a number of "
                "seconds above 0"
            )
        return min(seconds, longest)


def headers_in(scope: Scope) -> dict[bytes, bytes]:
    """The request's headers; lines of one name are one list (RFC 9110, section 5.3)."""
    lines: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(lines)
    if len(headers) < len(lines):
        for name in headers:
            headers[name] = b", ".join(value for other, value in lines if other == name)
    return headers


async def _in_the_lane() -> None:
    """Tells FastAPI that an endpoint's exchange is no parameter; LeanRoute makes it."""


Asked = Annotated[Exchange, Depends(_in_the_lane)]
