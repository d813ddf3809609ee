"""Clients that wait for each answer before they ask again, as coroutines that a trial can steer."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, takewhile

from benchmarks.connection import Answer, Connection

PATIENCE = 120  # seconds for one answer
Address = tuple[str, int]


class Caller:
    """One client: it keeps its connection for as long as the server does."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: Connection | None = None
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, request: bytes) -> Answer:
        """The answer; OSError where the server hangs up without one, or takes PATIENCE."""
        loop = asyncio.get_running_loop()
        if self._connection is None:
            _, self._connection = await loop.create_connection(
                lambda: Connection(self._answered, self._lost), *self._address
            )
        self._answer = loop.create_future()
        self._connection.ask(0, request, time.perf_counter())
        async with asyncio.timeout(PATIENCE):
            return await self._answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answered(self, connection: Connection, answer: Answer) -> None:
        if answer.closes and connection is self._connection:
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _lost(self, connection: Connection, why: str) -> None:
        if connection is not self._connection:
            return
        self._connection = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(f"no answer: {why}"))


async def ask_all(
    address: Address,
    requests: Iterable[tuple[int, bytes]],
    callers: int,
    seen: Callable[[int, Answer], None],
) -> list[str]:
    """Ask every request once, each caller the next one that is left; what got no answer, and why.

    `requests` are numbered, and `seen` is given the number with the answer.
    """
    to_come = iter(requests)
    unanswered: list[str] = []

    async def call() -> None:
        caller = Caller(address)
        for index, request in to_come:
            try:
                answer = await caller.ask(request)
            except OSError as error:  # TimeoutError is one
                caller.close()
                unanswered.append(f"{type(error).__name__} {error}: {request[:80]!r}")
            else:
                seen(index, answer)
        caller.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return unanswered


def in_turn(requests: Sequence[bytes], seconds: float) -> Iterator[tuple[int, bytes]]:
    """The requests with their numbers, again and again, until `seconds` have passed."""
    end = time.perf_counter() + seconds
    return takewhile(lambda _: time.perf_counter() < end, cycle(enumerate(requests)))


async def ask_in_turn(address: Address, requests: Sequence[bytes]) -> list[Answer]:
    """Each request's answer, given while nothing else is asked."""
    caller = Caller(address)
    answers = [await caller.ask(request) for request in requests]
    caller.close()
    return answers
