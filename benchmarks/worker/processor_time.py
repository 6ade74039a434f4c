"""Processor time of other processes: it swings less than a rate where others use the machine."""

import errno
import time


def processor_s(pid: int) -> float:
    """Seconds that a process has run so far: all its threads, also those that have ended.

    Raises:
        ProcessLookupError: there is no such process.
    """
    clock = ~pid << 3 | 2  # as clock_getcpuclockid(3) makes it
    try:
        return time.clock_gettime(clock)
    except OSError as e:
        raise ProcessLookupError(errno.ESRCH, f"there is no process {pid}") from e
