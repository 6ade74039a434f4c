"""A process that ends with the one that started it."""

import fcntl
import os
import select
import signal
import sys
import threading
from contextlib import suppress

_STANDARD_INPUT = 0


def end_with_parent(line: int = _STANDARD_INPUT) -> None:
    """End once the process that started this one is gone, also where it was killed.

    On Linux the kernel does it: a library that never returns, and lets no other thread of Python
    run, changes nothing. Elsewhere, and where the kernel does not, as in some sandboxes, a thread.

    Args:
        line: number of a pipe's end that is read. Only the parent holds the other end, and it
            writes nothing more.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            # What happens at the other end becomes a signal: pipe(7), fcntl(2), F_SETSIG.
            fcntl.fcntl(line, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(line, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(line, fcntl.F_SETFL, fcntl.fcntl(line, fcntl.F_GETFL) | os.O_ASYNC)
        gone = select.poll()
        gone.register(line, 0)
        if gone.poll(0):  # before that
            os._exit(1)
    threading.Thread(target=_watch, args=(line,), name="parent", daemon=True).start()


def _watch(line: int) -> None:
    while os.read(line, 1):
        pass
    os._exit(1)
