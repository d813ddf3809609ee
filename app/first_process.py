"""What a process sees to first: its standard streams, its signals, and being process 1.

The kernel drops every signal that process 1 of a container has no handler for, and makes it the
parent of every orphan. A handler in Python runs between two steps of the interpreter, and no step
ends while torch is being loaded. So process 1 does nothing but wait: the service is its child, to
which signals do what they do to any process.
"""

import os
import signal
from contextlib import suppress

# Those that a terminal, an orchestrator or an operator sends.
FORWARDED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


def prepare() -> None:
    """Let a signal end this process at once until it says otherwise; call it before heavy imports.

    Where this is process 1, it goes on in a child, and the call does not return in the parent.
    """
    open_standard_streams()
    # Instead of Python's KeyboardInterrupt, which would be raised in the middle of an import.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.getpid() == 1:
        _go_on_in_a_child()


def open_standard_streams() -> None:
    """Open those that are closed: a socket would be number 2, and get what libraries print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _go_on_in_a_child() -> None:
    # Blocked from here on, so that none is dropped before the parent waits for it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*FORWARDED, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        # Not sys.exit: nothing was begun here that would have to be ended.
        os._exit(_watch_over(child))


def _watch_over(child: int) -> int:
    """Hand signals on and bury whoever ends, until `child` does; its exit status, as a shell's."""
    while True:
        received = signal.sigwaitinfo({*FORWARDED, signal.SIGCHLD})
        if received.si_signo != signal.SIGCHLD:
            # What a terminal sends (a positive code) has gone to the whole group already.
            if received.si_code <= 0:
                with suppress(ProcessLookupError):
                    os.kill(child, received.si_signo)
            continue
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == child:
                    status = os.waitstatus_to_exitcode(ended[1])
                    return status if status >= 0 else 128 - status
