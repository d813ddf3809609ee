"""Runs several worker processes on one port: starts them, replaces those that end, ends them all.

For hosts without a GPU, where one process can use little more than one core. Each worker is a whole
service with its own models, listening with SO_REUSEPORT, so that the kernel deals new connections
out evenly; a socket that all had inherited would go to whichever wakes first. uvicorn's own
supervisor can only share a socket, and its worker is no parameter.

Knows no HTTP and imports neither torch nor the application: its memory is a plain Python's. A
worker (app.worker) is told everything by one line on its standard input, says on its standard
output that it is ready or why it cannot be, and ends when its input does, that is, with this
process, however that ends.
"""

import asyncio
import json
import logging
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any, Self

from app import listening, metrics
from app.errors import SettingsError
from app.settings import Settings

log = logging.getLogger("latentd")

READY = "ready"
RETRY_SECONDS = 5.0
# Beyond what a worker allows itself for its end.
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Assignment:
    """What a worker is told: its number (of those that run, each has its own), and what to do."""

    number: int
    metrics_folder: str
    settings: Settings

    def write(self) -> bytes:
        """As one line."""
        values = self.settings.model_dump(mode="json")
        return json.dumps([self.number, self.metrics_folder, values]).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """What `write` wrote."""
        number, folder, values = json.loads(line)
        return cls(number, folder, Settings.read(**values))


class CannotStart(Exception):
    """Why a worker did not become ready, in its own words where it said any."""


class Worker:
    """A worker process as the supervisor sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ready = False
        self.retired = False  # another takes its place, or will

    @classmethod
    async def start(cls, assignment: Assignment) -> Self:
        """A process that begins to load its models."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal goes to a whole group; the workers hear of it from here, once.
            process_group=0,
        )
        assert process.stdin is not None
        process.stdin.write(assignment.write())
        return cls(process)

    async def until_ready(self) -> None:
        """Wait until it serves; raises CannotStart."""
        assert self.process.stdout is not None
        said = (await self.process.stdout.readline()).decode().strip()
        if said != READY:
            status = await self.process.wait()
            raise CannotStart(said or f"cannot start: a worker ended with {ending(status)}")
        self.ready = True

    def tell(self, sig: signal.Signals) -> None:
        """Send `sig`, as the supervisor got it; before it is ready, SIGTERM ends it at once."""
        with suppress(ProcessLookupError):
            self.process.send_signal(sig if self.ready else signal.SIGTERM)


def ending(status: int) -> str:
    """How a process ended, in words."""
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


class Supervisor:
    """The workers of one service."""

    def __init__(self, settings: Settings, metrics_folder: str) -> None:
        self._settings = settings
        self._metrics_folder = metrics_folder
        self._workers: dict[int, Worker] = {}
        self._taken: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._announced = False
        self._reload_wanted = False
        self._reloading = False
        self._status = 0

    async def run(self, url: str) -> int:
        """Serve until a signal says to end, or no worker can start; the exit status."""
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._stop, sig)
        loop.add_signal_handler(signal.SIGHUP, self._want_reload)
        try:
            await asyncio.gather(*(self._start() for _ in range(self._settings.workers)))
        except CannotStart as error:
            self._give_up(error)
        else:
            self._announced = True
            log.info("ready: %s (documentation at /docs), %d workers", url, self._settings.workers)
        await self._stopping.wait()
        await asyncio.gather(*map(self._has_ended, self._workers.values()))
        if self._tasks:
            await asyncio.wait(self._tasks)
        return self._status

    async def _start(self) -> None:
        """Start a worker and wait until it serves; raises CannotStart."""
        number = next(number for number in count() if number not in self._taken)
        self._taken.add(number)
        settings = self._settings
        worker = await Worker.start(Assignment(number, self._metrics_folder, settings))
        self._workers[number] = worker
        self._in_background(self._replace_at_its_end(number, worker))
        if self._stopping.is_set():
            worker.tell(signal.SIGTERM)
        await worker.until_ready()

    async def _replace_at_its_end(self, number: int, worker: Worker) -> None:
        status = await worker.process.wait()
        del self._workers[number]
        self._taken.remove(number)
        metrics.forget_worker(self._metrics_folder, number)
        if worker.ready and not worker.retired and not self._stopping.is_set():
            pid = worker.process.pid
            log.error("worker %d ended with %s; another takes its place", pid, ending(status))
            await self._replace()

    async def _replace(self) -> None:
        """Start a worker, again and again while others serve."""
        while not self._stopping.is_set():
            try:
                return await self._start()
            except CannotStart as error:
                if not any(worker.ready for worker in self._workers.values()):
                    return self._give_up(error)
                log.error("%s; trying again in %g s", error, RETRY_SECONDS)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RETRY_SECONDS)
        return None

    def _want_reload(self) -> None:
        self._reload_wanted = self._announced
        if self._announced and not self._reloading:
            self._in_background(self._reload_while_wanted())

    async def _reload_while_wanted(self) -> None:
        """Reload, and once more if the store changed meanwhile: the last signal is what counts."""
        self._reloading = True
        while self._reload_wanted and not self._stopping.is_set():
            self._reload_wanted = False
            await self._reload()
        self._reloading = False

    async def _reload(self) -> None:
        """Put a new worker in the place of each, one after the other: new models are served."""
        for old in list(self._workers.values()):
            old.retired = True
            try:
                await self._start()
            except CannotStart as error:
                old.retired = False
                if not self._stopping.is_set():
                    log.error("%s; the other workers stay as they are", error)
                if old.process.returncode is not None:
                    await self._replace()
                return
            old.tell(signal.SIGHUP)
            await self._has_ended(old)
        log.info("reloaded: %d new workers serve", len(self._workers))

    def _give_up(self, error: CannotStart) -> None:
        if not self._stopping.is_set():
            log.error("%s", error)
            self._status = 1
            self._stop(signal.SIGTERM)

    def _stop(self, sig: signal.Signals) -> None:
        self._stopping.set()
        for worker in self._workers.values():
            worker.tell(sig)

    async def _has_ended(self, worker: Worker) -> None:
        """Wait for the end of a worker that was told to, and kill it if it comes to none."""
        allowed = self._settings.drain_delay_s + self._settings.shutdown_seconds + PATIENCE_SECONDS
        try:
            await asyncio.wait_for(worker.process.wait(), allowed)
        except TimeoutError:
            log.error("worker %d does not end; killed", worker.process.pid)
            worker.process.kill()

    def _in_background(self, work: Any) -> None:  # noqa: ANN401 - a coroutine of this class
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def supervise(settings: Settings) -> int:
    """Serve with `settings.workers` processes until SIGINT or SIGTERM; the exit status.

    1 if they cannot start. Raises SettingsError where they would have to share a GPU.
    """
    if settings.device.startswith("cuda"):
        raise one_process_owns_a_gpu(settings)
    try:
        # A first bind that shares with nobody says whether somebody else is there already.
        alone = listening.bind(settings.host, settings.port, shared=False)
        port = listening.port_of(alone[0])
        listening.close(alone)
        # Held, though nothing listens on it, so that the port stays ours while workers come and go.
        held = listening.bind(settings.host, port, shared=True)
        with TemporaryDirectory(prefix="latentd-metrics-") as folder:
            supervisor = Supervisor(settings.model_copy(update={"port": port}), folder)
            return asyncio.run(supervisor.run(listening.url(held[0])))
    except OSError as error:
        log.error("cannot start: %s", error)
        return 1


def one_process_owns_a_gpu(settings: Settings) -> SettingsError:
    """What to say where several processes would have to share a device."""
    return SettingsError(
        f"LATENTD_WORKERS={settings.workers} with a GPU: one process owns the device, and batches "
        "better than several; set LATENTD_WORKERS=1, or LATENTD_DEVICE=cpu"
    )
