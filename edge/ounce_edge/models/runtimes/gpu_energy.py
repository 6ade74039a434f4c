"""Energy of an NVIDIA GPU, by its management library (NVML)."""

from collections.abc import Callable
from typing import Any

from ounce_edge.models.runtimes.nvml import find_nvml

_JOULES = 1e-3
"""NVML counts millijoules since the driver was loaded."""


def find_gpu_energy(bus_id: str) -> Callable[[], float] | None:
    """What reads a GPU's counter, in joules; None where the package `nvidia-ml-py` or the library
    is absent, this GPU does not count (before Volta, and on Jetson), or it is cut into instances
    (MIG), for all of which it counts.

    Args:
        bus_id: of the GPU on the PCI bus, as CUDA says it: numbers of devices differ between both.
    """
    found = find_nvml(bus_id)
    if found is None:
        return None
    nvml, handle = found
    try:
        _read(nvml, handle)
    except nvml.NVMLError:
        return None
    try:
        if nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE:
            return None
    except nvml.NVMLError:
        pass  # a GPU that can't be cut
    return lambda: _read(nvml, handle)


def _read(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * _JOULES
