"""The kept-alive connections of one load, from their quiet opening to their end."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from itertools import cycle

from benchmarks.connection import Answer, Connection
from benchmarks.tally import Record

Address = tuple[str, int]
OPENING_PATIENCE = 0.02  # seconds that a new connection may delay the next
LAST_PATIENCE = 10  # seconds that the last answers may take


class Pool(ABC):
    """Subclasses decide what happens when a connection was answered or lost."""

    def __init__(self, address: Address, requests: Sequence[bytes], record: Record) -> None:
        self._address = address
        self._requests = cycle(enumerate(requests))
        self.record = record
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_answer = asyncio.Event()

    async def open(self, connections: int) -> None:
        """One after the other, each with one request answered, while nothing else goes on.

        A server on uvloop accepts one connection a turn of its loop; under load the last of many
        would wait for seconds, and of several processes the first to wake would take them all.
        """
        for _ in range(connections):
            self._first_answer.clear()
            self._ask(await self._connect(), time.perf_counter())
            try:
                await asyncio.wait_for(self._first_answer.wait(), OPENING_PATIENCE)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Wait for what is under way, then hang up."""
        patience = time.perf_counter() + LAST_PATIENCE
        while (under_way := self._under_way()) and time.perf_counter() < patience:
            await asyncio.sleep(0.005)
        if under_way:
            self.record.errors["Unanswered"] += under_way
        for task in self._tasks:
            task.cancel()
        closing, self._connections = self._connections, set()
        for connection in closing:
            connection.close()
        await asyncio.sleep(0)  # closing takes a turn of the loop

    @abstractmethod
    def _on_answer(self, connection: Connection, answer: Answer) -> None:
        """`connection` is idle again."""

    @abstractmethod
    def _on_loss(self) -> None:
        """A connection is gone that `close` did not close."""

    def _under_way(self) -> int:
        """How many requests wait for an answer."""
        return sum(connection.busy for connection in self._connections)

    async def _connect(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._answered, self._lost), *self._address
        )
        self._connections.add(connection)
        return connection

    def _ask(self, connection: Connection, since: float) -> None:
        index, request = next(self._requests)
        self.record.sent += 1
        connection.ask(index, request, since)

    def _answered(self, connection: Connection, answer: Answer) -> None:
        self._first_answer.set()
        self._on_answer(connection, answer)

    def _lost(self, connection: Connection, why: str) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            if connection.busy:
                self.record.errors[why] += 1
            self._on_loss()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
