"""NVIDIA's management library (NVML)."""

import importlib
from typing import Any

_NEWEST = "nvmlDeviceGetComputeRunningProcesses_v3"
"""What is called of it. Older packages are imported by the same name, such as nvidia-ml-py3."""


def find_nvml(bus_id: str) -> tuple[Any, Any] | None:
    """The library and its handle of a GPU; None where the package `nvidia-ml-py` is absent or too
    old, or the library is absent, or does not know the GPU.

    Args:
        bus_id: of the GPU on the PCI bus, as CUDA says it: numbers of devices differ between both.
    """
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    if not hasattr(nvml, _NEWEST):
        return None
    try:
        nvml.nvmlInit()
        return nvml, nvml.nvmlDeviceGetHandleByPciBusId(bus_id)
    except nvml.NVMLError:
        return None
