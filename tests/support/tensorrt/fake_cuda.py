"""A fake of `cuda.bindings.runtime`: what it answers is told beforehand; no GPU is used."""

from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

CODES = {
    "cudaSuccess": 0,
    "cudaErrorInvalidValue": 1,
    "cudaErrorMemoryAllocation": 2,
    "cudaErrorStubLibrary": 34,
    "cudaErrorInsufficientDriver": 35,
    "cudaErrorDevicesUnavailable": 46,
    "cudaErrorNoDevice": 100,
    "cudaErrorNotReady": 600,
    "cudaErrorIllegalAddress": 700,
    "cudaErrorNotPermitted": 800,
    "cudaErrorNotSupported": 801,
    "cudaErrorSystemNotReady": 802,
    "cudaErrorSystemDriverMismatch": 803,
    "cudaErrorStreamCaptureUnsupported": 900,
    "cudaErrorStreamCaptureInvalidated": 901,
    "cudaErrorStreamCaptureWrongThread": 908,
}
"""Of CUDA, by name."""
CudaCode = IntEnum("CudaCode", CODES)


class FakeCuda:
    """Each function answers with its value, or fails with its error."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {
            "cudaGetDeviceCount": 1,
            "cudaDriverGetVersion": 12060,
            "cudaGetDeviceProperties": SimpleNamespace(name=b"NVIDIA L4\0", major=8, minor=9),
            "cudaMemGetInfo": (20_000_000_000, 24_000_000_000),
            **answers,
        }
        self.calls: list[str] = []

    def cudaGetErrorString(self, code: CudaCode) -> tuple[CudaCode, bytes]:  # noqa: N802
        return CudaCode.cudaSuccess, f"text of {code.name}".encode()

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        if name not in self._answers:
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            answer = self._answers[name]
            if isinstance(answer, CudaCode):
                return answer, None
            values = answer if isinstance(answer, tuple) else (answer,)
            return CudaCode.cudaSuccess, *values

        return call
