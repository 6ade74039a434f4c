"""Energy of an NVIDIA GPU, by its management library (NVML)."""

import importlib
from collections.abc import Callable
from typing import Any

_JOULES = 1e-3
"""NVML counts millijoules since the driver was loaded."""


def find_gpu_energy(bus_id: str) -> Callable[[], float] | None:
    """What reads a GPU's counter, in joules; None where the package `nvidia-ml-py` is absent, or
    this GPU does not count (before Volta, and on Jetson).

    Args:
        bus_id: of the GPU on the PCI bus, as CUDA says it: numbers of devices differ between both.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByPciBusId(bus_id)
        _read(nvml, handle)
    except nvml.NVMLError:
        return None
    return lambda: _read(nvml, handle)


def _read(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * _JOULES
