"""Pytest plug-in: tests that need a GPU run on fakes of CUDA, TensorRT and NVML.

So a fault in the tests themselves is found where there is no GPU. Nothing here says how a real one
behaves: engines are ONNX files, which ONNX Runtime runs on the CPU.
"""

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from ounce_edge.models.runtimes import gpu_memory, onnx_cuda
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt import engines, runtime
from ounce_edge.models.runtimes.tensorrt.building import Built
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime

from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

TOTAL_BYTES = 256 << 20
_CALL_MS = 1e-4
"""Of a fake engine's clock: less than any real call."""
GPU = FakeGpu()
GPU.total_bytes = TOTAL_BYTES
_LIBRARIES = {
    flavour: TensorRt(flavour, "10.3.0", FakeTensorRt(GPU, most=256, call_ms=_CALL_MS))
    for flavour in Flavour
}
_make: Callable[..., TensorRtRuntime] = runtime.make_tensorrt


def make_tensorrt(cache: Path, flavour: Flavour = Flavour.NATIVE) -> TensorRtRuntime:
    """In place of the real one, also where another process makes it."""
    _take_the_place()
    return _make(cache, flavour)


def pytest_configure() -> None:
    """Before the tests are imported."""
    _take_the_place()


@pytest.fixture(autouse=True)
def _no_gpu_is_left_full() -> Any:
    yield
    assert GPU.free_bytes > TOTAL_BYTES // 2


def _take_the_place() -> None:
    for module, name, fake in (
        (runtime, "make_tensorrt", make_tensorrt),
        (runtime, "find_cuda", lambda: Cuda(GPU)),
        (runtime, "find_tensorrt", _LIBRARIES.__getitem__),
        (engines, "build_apart", lambda target, content, progress: Built(content, 256)),
        (gpu_memory, "_MACHINES_NAMESPACE", Path("/proc/self/ns/pid").stat().st_ino),
        (ort, "get_available_providers", lambda: ["CUDAExecutionProvider"]),
        (onnx_cuda, "find_cuda", lambda: Cuda(GPU)),
        (onnx_cuda, "load_session", _on_the_cpu),
    ):
        setattr(module, name, fake)
    sys.modules["pynvml"] = _nvml()


def _on_the_cpu(path: Path, content: bytes, *_: object) -> LoadedModel:
    return OnnxCpuRuntime().load(path, content)


def _nvml() -> ModuleType:
    millijoules = count(1000)

    def running(handle: str) -> list[SimpleNamespace]:
        taken = GPU.total_bytes - GPU.free_bytes
        return [SimpleNamespace(pid=os.getpid(), usedGpuMemory=taken)]

    nvml = ModuleType("pynvml")
    vars(nvml).update(
        NVMLError=OSError,
        NVML_DEVICE_MIG_ENABLE=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByPciBusId=lambda bus_id: "handle",
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: next(millijoules),
        nvmlDeviceGetMigMode=lambda handle: [0, 0],
        nvmlDeviceGetComputeRunningProcesses_v3=running,
    )
    return nvml
