"""ONNX Runtime with CUDA keeps what a runtime promises, as far as its CPU can stand in for a GPU:
sessions are asked for with CUDA, and made with the CPU."""

from typing import Any

import onnxruntime as ort
import pytest
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime

from tests.contracts.runtimes.test_onnx_cpu import TestOnnxCpuRuntime as OfOnnxCpu

CUDA = "CUDAExecutionProvider"


class StandIn(ort.InferenceSession):  # type: ignore[misc]
    """A session on the CPU that says it is on a GPU."""

    def __init__(self, content: bytes, options: Any, providers: list[Any], **more: Any) -> None:
        [(name, _)] = providers
        assert name == CUDA
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "0")
        super().__init__(content, options, providers=["CPUExecutionProvider"], **more)

    def get_providers(self) -> list[str]:
        return [CUDA]


class TestOnnxCudaRuntime(OfOnnxCpu):
    """On the CPU."""

    @pytest.fixture(autouse=True)
    def _stand_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA])
        monkeypatch.setattr(ort, "InferenceSession", StandIn)

    def runtime(self) -> Runtime:
        return OnnxCudaRuntime()


del OfOnnxCpu  # else its tests are collected here, too
