"""Runs several worker processes on one port: starts them, replaces those that end, ends them all.

For hosts without a GPU, where one process can use little more than one core. Each worker is a whole
service with its own models, listening with SO_REUSEPORT, so that the kernel deals new connections
out evenly; a socket that all had inherited would go to whichever wakes first. uvicorn's own
supervisor can only share a socket, and its worker is no parameter.

It is one loop, which compares the workers that there are with those that are wanted and does what
is missing. Whatever went wrong meanwhile, the next turn begins with how things are.

Knows no HTTP and imports neither torch nor the application: its memory is a plain Python's.
"""

import logging
import os
import selectors
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from tempfile import TemporaryDirectory

from app import listening, metrics
from app.errors import SettingsError
from app.running_clock import LOOK_SECONDS, RunningClock
from app.settings import Settings
from app.worker_process import Assignment, WorkerProcess

log = logging.getLogger("latentd")

COMMAND = (sys.executable, "-m", "app.worker")
# Beyond what a worker allows itself for its start or its end.
PATIENCE_SECONDS = 10.0
# A worker that has served for so long was started well.
STEADY_SECONDS = 10.0
# Starts in succession that come to nothing: how many are tried where nobody serves, and the pause
# after each, which doubles.
MAX_FAILED_STARTS = 5
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0


class SignalQueue:
    """The signals that this process gets, in order, and a descriptor that is readable then."""

    def __init__(self, *signals: signal.Signals) -> None:
        self._received: deque[signal.Signals] = deque()
        self.descriptor, write_end = os.pipe()
        for end in (self.descriptor, write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for each in signals:
            signal.signal(each, lambda number, _: self._received.append(signal.Signals(number)))

    def take(self) -> list[signal.Signals]:
        """Those that came since."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, 65_536)
        return [self._received.popleft() for _ in range(len(self._received))]


class Supervisor:
    """The workers of one service, and what is wanted of them."""

    def __init__(
        self, settings: Settings, metrics_folder: str, command: Sequence[str] = COMMAND
    ) -> None:
        self._settings = settings
        self._metrics_folder = metrics_folder
        self._command = command
        self._clock = RunningClock()
        self._now = 0.0
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        # Workers of an earlier generation are replaced; each SIGHUP begins another one.
        self._generation = 0
        self._told_generation: int | None = None
        self._failed_starts = 0
        self._pause_until = 0.0
        self._stopping = False
        self._status = 0

    def run(self, url: str, signals: SignalQueue) -> int:
        """Serve until a signal says to end, or no worker can start; the exit status."""
        self._selector.register(signals.descriptor, selectors.EVENT_READ)
        while not self._stopping or self._workers:
            self._now = self._clock.look()
            self._look_at_the_workers()
            for sig in signals.take():
                self._obey(sig)
            self._kill_overdue()
            if not self._stopping:
                self._retire_one()
                self._start_missing()
                self._say_what_serves(url)
            if not self._stopping or self._workers:
                self._selector.select(LOOK_SECONDS)
        return self._status

    def _obey(self, sig: signal.Signals) -> None:
        if sig == signal.SIGHUP:
            self._generation += 1
            self._failed_starts, self._pause_until = 0, self._now
        elif sig != signal.SIGCHLD:
            self._stop(sig)

    def _stop(self, sig: signal.Signals) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.tell(sig, self._now)

    def _look_at_the_workers(self) -> None:
        # Who has ended is asked first: what it said before is all there to be read then.
        ended = [worker for worker in self._workers if worker.has_ended()]
        for worker in self._workers:
            if not worker.listen(self._now) and worker.output in self._selector.get_map():
                self._selector.unregister(worker.output)
        for worker in ended:
            self._bury(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        self._workers.remove(worker)
        if worker.output in self._selector.get_map():
            self._selector.unregister(worker.output)
        worker.close()
        with suppress(OSError):
            metrics.forget_worker(self._metrics_folder, worker.number)
        if worker.told_to_end is not None:
            return
        served = worker.ready_since
        if served is None:
            how = worker.refusal or f"cannot start: {worker.ending()}"
            # One that says why will say it again, unless the store has changed meanwhile.
            said = bool(worker.refusal) and worker.generation == self._generation
            self._start_failed(how, for_good=said)
        elif self._now - served < STEADY_SECONDS:
            self._start_failed(worker.ending(), for_good=False)
        else:
            log.error("%s; another takes its place", worker.ending())

    def _start_failed(self, why: str, *, for_good: bool) -> None:
        """Note a start that came to nothing; `for_good` where another one would not do better."""
        if self._now >= self._pause_until:  # those that fail together count once
            pause = min(FIRST_PAUSE_SECONDS * 2**self._failed_starts, MAX_PAUSE_SECONDS)
            self._failed_starts += 1
            self._pause_until = self._now + pause
        for_good = for_good or self._failed_starts >= MAX_FAILED_STARTS
        if for_good and not any(worker.ready_since is not None for worker in self._workers):
            log.error("%s", why)
            self._status = 1
            self._stop(signal.SIGTERM)
        elif for_good and self._outdated():
            log.error("%s; the other workers stay as they are", why)
            self._told_generation = self._generation
            for worker in self._workers:
                worker.generation = self._generation
        else:
            pause = self._pause_until - self._now
            log.error("%s; another takes its place in %.3g s", why, pause)

    def _kill_overdue(self) -> None:
        starting = False
        for worker in self._workers:
            if not worker.killed and (reason := self._overdue(worker)):
                log.error("worker %d %s; killed", worker.pid, reason)
                worker.kill()
            starting = starting or worker.ready_since is None
        # Of those that hang, one at a time, when nobody is about to serve in its place: what holds
        # up all of them alike, the machine for one, is made worse by starting all of them anew.
        limit = self._settings.worker_timeout_s
        for worker in self._workers:
            silence = self._now - worker.last_beat
            if not starting and not worker.killed and silence > limit:
                log.error(
                    "worker %d was silent for %g s (LATENTD_WORKER_TIMEOUT_S); killed",
                    *(worker.pid, limit),
                )
                worker.kill()
                break

    def _overdue(self, worker: WorkerProcess) -> str:
        """Why the worker has had its time, or nothing."""
        settings = self._settings
        if worker.told_to_end is not None:
            allowed = settings.drain_delay_s + settings.shutdown_seconds + PATIENCE_SECONDS
            return "does not end" if self._now - worker.told_to_end > allowed else ""
        # It gives up by itself then, and says so; this is for one that cannot.
        allowed = settings.start_timeout_s + PATIENCE_SECONDS
        late = worker.ready_since is None and self._now - worker.started > allowed
        return f"is not ready after {allowed:g} s (LATENTD_START_TIMEOUT_S)" if late else ""

    def _staying(self) -> list[WorkerProcess]:
        return [worker for worker in self._workers if worker.told_to_end is None]

    def _outdated(self) -> list[WorkerProcess]:
        """Those that a reload has still to replace, the oldest first."""
        return [worker for worker in self._staying() if worker.generation < self._generation]

    def _retire_one(self) -> None:
        """End an outdated worker where one more serves than are wanted."""
        serving = [worker for worker in self._staying() if worker.ready_since is not None]
        outdated = [worker for worker in self._outdated() if worker in serving]
        if outdated and len(serving) > self._settings.workers:
            outdated[0].tell(signal.SIGHUP, self._now)

    def _start_missing(self) -> None:
        """Start workers up to the wanted number, and one more while one is to be replaced."""
        wanted = self._settings.workers
        staying = self._staying()
        complete = all(worker.ready_since is not None for worker in staying)
        # Nobody has to end before, so that there is never more than one too many.
        if self._outdated() and complete and len(self._workers) == len(staying) == wanted:
            wanted += 1
        for _ in range(wanted - len(staying)):
            if self._now < self._pause_until:
                return
            self._start()

    def _start(self) -> None:
        taken = {worker.number for worker in self._workers}
        number = next(number for number in count() if number not in taken)
        assignment = Assignment(number, self._metrics_folder, self._settings)
        try:
            worker = WorkerProcess(self._command, assignment, self._generation, self._now)
        except OSError as error:
            reason = error.strerror or str(error)
            self._start_failed(f"cannot start a worker: {reason}", for_good=False)
            return
        self._workers.append(worker)
        self._selector.register(worker.output, selectors.EVENT_READ)

    def _say_what_serves(self, url: str) -> None:
        staying, wanted = self._staying(), self._settings.workers
        ready = [worker.ready_since for worker in staying if worker.ready_since is not None]
        if len(ready) < wanted or len(self._workers) > len(ready):
            return
        if self._now - max(ready) > STEADY_SECONDS:
            self._failed_starts = 0
        if self._told_generation is None:
            log.info("ready: %s (documentation at /docs), %d workers", url, wanted)
            self._told_generation = 0
        if not self._outdated() and self._told_generation != self._generation:
            log.info("reloaded: %d new workers serve", wanted)
            self._told_generation = self._generation


def supervise(settings: Settings) -> int:
    """Serve with `settings.workers` processes until SIGINT or SIGTERM; the exit status.

    1 if they cannot start. Raises SettingsError where they would have to share a GPU.
    """
    if settings.device.startswith("cuda"):
        raise one_process_owns_a_gpu(settings)
    signals = SignalQueue(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    try:
        # A first bind that shares with nobody says whether somebody else is there already.
        alone = listening.bind(settings.host, settings.port, shared=False)
        port = listening.port_of(alone[0])
        listening.close(alone)
        # Held, though nothing listens on it, so that the port stays ours while workers come and go.
        held = listening.bind(settings.host, port, shared=True)
        with TemporaryDirectory(prefix="latentd-metrics-") as folder:
            supervisor = Supervisor(settings.model_copy(update={"port": port}), folder)
            return supervisor.run(listening.url(held[0]), signals)
    except OSError as error:
        log.error("cannot start: %s", error)
        return 1


def one_process_owns_a_gpu(settings: Settings) -> SettingsError:
    """What to say where several processes would have to share a device."""
    return SettingsError(
        f"LATENTD_WORKERS={settings.workers} with a GPU: one process owns the device, and batches "
        "better than several; set LATENTD_WORKERS=1, or LATENTD_DEVICE=cpu"
    )
