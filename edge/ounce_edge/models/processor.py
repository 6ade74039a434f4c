"""The processors of this machine."""

import os
import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's name as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def processors() -> int:
    """How many this process may run on."""
    affine = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if affine else os.cpu_count() or 1
