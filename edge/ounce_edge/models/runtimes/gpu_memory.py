"""Memory of an NVIDIA GPU that this very process has taken, by its management library (NVML)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ounce_edge.models.runtimes.nvml import find_nvml

_OWN_NAMESPACE = Path("/proc/self/ns/pid")
_MACHINES_NAMESPACE = 0xEFFFFFFC
"""Inode of the first namespace of processes (Linux, include/linux/proc_ns.h)."""


def find_own_memory(bus_id: str) -> Callable[[], int] | None:
    """What reads the bytes that this process has of a GPU; 0 where the driver does not say it now.

    None where it can't be said: NVML is absent, the GPU holds nothing of this process yet, or the
    system does not count (WSL, Jetson). In a container that has numbers of its own for processes,
    drivers give the machine's, or no memory with them.

    Args:
        bus_id: of the GPU on the PCI bus, as CUDA says it.
    """
    try:
        if _OWN_NAMESPACE.stat().st_ino != _MACHINES_NAMESPACE:
            return None
    except OSError:
        return None
    found = find_nvml(bus_id)
    if found is None or not _read(*found):
        return None
    nvml, handle = found
    return lambda: _read(nvml, handle)


def _read(nvml: Any, handle: Any) -> int:
    own = os.getpid()
    try:
        processes = nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle)
    except nvml.NVMLError:
        return 0
    return sum(p.usedGpuMemory or 0 for p in processes if p.pid == own)
