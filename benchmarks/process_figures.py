"""Processor time and memory of other processes. The time swings less than a rate where others use
the machine."""

import errno
import time
from pathlib import Path


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


def memory_kb(pid: int, figure: str = "VmRSS") -> int:
    """Resident memory of a process now, or its peak, `VmHWM`; 0 of one that ended.

    Raises:
        OSError: there is no such process.
    """
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{figure}:")), 0)
