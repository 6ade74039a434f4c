"""Memory of this process."""

import ctypes
import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident set size in bytes; 0 where the system has no /proc (then it is not reported)."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def give_back_free_memory() -> None:
    """Hand to the system what was freed; the C library else keeps it. Nothing where that is not
    glibc's."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
