"""A clock that wakes the event loop at a moment, to the microsecond.

Event loops wait in whole milliseconds, which is longer than many answers take. Linux's timerfd is
exact; Python has it from 3.13 on only, so it is called in the C library.
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

ABSOLUTE = 1  # TFD_TIMER_ABSTIME


class _Spec(ctypes.Structure):
    """struct itimerspec: when first, and how often again (never)."""

    _fields_ = (
        ("again_seconds", ctypes.c_long),
        ("again_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Alarm:
    """Calls `ring` in the running loop; must be closed."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._library.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed; the open loop needs Linux")
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._file, self._rang)

    def set(self, moment: float) -> None:
        """Ring once when `time.perf_counter()` reaches `moment`; at once where it has passed."""
        seconds, part = divmod(max(moment, 1e-9), 1)
        spec = _Spec(0, 0, int(seconds), max(int(part * 1e9), 1))
        self._library.timerfd_settime(self._file, ABSOLUTE, ctypes.byref(spec), None)

    def close(self) -> None:
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _rang(self) -> None:
        os.read(self._file, 8)
        self._ring()
