"""What a request costs a real service: memory at its peak, and what others wait meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.serving import READY, start

KIB = 1024
RESET_PEAK = "5"  # to /proc/PID/clear_refs, see proc(5)


class Cost(NamedTuple):
    """What was seen while a request ran."""

    response: httpx.Response
    peak_bytes: int  # resident memory at its peak, above what it was before
    longest_wait: float  # seconds that the slowest of many small requests took beside it


class Watched(NamedTuple):
    """A running service."""

    client: httpx.Client
    pid: int

    def cost_of(self, ask: Callable[[httpx.Client], httpx.Response]) -> Cost:
        """Run one request, and small ones beside it all the while."""
        Path(f"/proc/{self.pid}/clear_refs").write_text(RESET_PEAK)
        before = self._status("VmRSS")
        over, waits = threading.Event(), [0.0]

        def look() -> None:
            with httpx.Client(base_url=self.client.base_url, timeout=60) as other:
                while not over.is_set():
                    began = time.perf_counter()
                    other.get("/health/live").raise_for_status()
                    waits.append(time.perf_counter() - began)
                    time.sleep(0.002)

        looker = threading.Thread(target=look)
        looker.start()
        try:
            response = ask(self.client)
        finally:
            over.set()
            looker.join()
        return Cost(response, self._status("VmHWM") - before, max(waits))

    def _status(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return KIB * next(int(line.split()[1]) for line in lines if line.startswith(name))


@contextmanager
def watched(store: Path, **settings: object) -> Iterator[Watched]:
    """A running service whose memory can be read."""
    process = start(store, **settings)
    assert process.stderr is not None
    try:
        found = next(filter(None, map(READY.search, process.stderr)))
        # So that no log fills the pipe.
        log = threading.Thread(target=process.stderr.read)
        log.start()
        with httpx.Client(base_url=found[1], timeout=120) as client:
            yield Watched(client, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.join()
        process.stderr.close()
