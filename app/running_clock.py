"""Time as this process has lived through it: it stands still while the process does.

The monotonic clock goes on while a process is stopped by a signal, a debugger, a frozen container
or a suspended machine. Whoever measures silence by it finds everybody silent afterwards.
"""

import os
import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.5


class RunningClock:
    """Seconds counted from look to look; a pause counts as two looks at most."""

    def __init__(self, look_seconds: float = LOOK_SECONDS) -> None:
        """`look_seconds` is how often its owner looks."""
        self._longest = 2 * look_seconds
        self._last = time.monotonic()
        self._seconds = 0.0

    def look(self) -> float:
        """The seconds so far."""
        now = time.monotonic()
        self._seconds += min(now - self._last, self._longest)
        self._last = now
        return self._seconds


def call_after(seconds: float, function: Callable[[], None]) -> Callable[[], None]:
    """Call `function` on a thread of its own after so many seconds; gives what cancels that."""
    cancelled = threading.Event()

    def wait() -> None:
        clock = RunningClock()
        while clock.look() < seconds:
            if cancelled.wait(LOOK_SECONDS):
                return
        function()

    threading.Thread(target=wait, name="latentd-time-limit", daemon=True).start()
    return cancelled.set


def limit_start(seconds: float, refuse: Callable[[str], None]) -> Callable[[], None]:
    """End this process, with the reason told to `refuse`, unless what is given back is called.

    Whatever hangs: a thread, a file system, a device.
    """

    def give_up() -> None:
        refuse(
            f"cannot start: not ready after {seconds:g} s (LATENTD_START_TIMEOUT_S); serve fewer "
            "models, or allow more"
        )
        os._exit(1)

    return call_after(seconds, give_up)
