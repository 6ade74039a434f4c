# ruff: noqa: N802, N815  # names of CUDA
"""A GPU that is a fake: its memory is memory of this process, and data goes where the code says.

Nothing here says how a real GPU behaves.
"""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.support.tensorrt.fake_cuda import CudaCode

OK = CudaCode["cudaSuccess"]
TOTAL_BYTES = 1 << 30
PROCESS_BYTES = 5_000
"""That a process takes of a GPU by using it."""
GARBAGE = 0xFF
"""Fresh memory holds NaN, as real memory may."""


class FakeGpu:
    """Functions of `cuda.bindings.runtime`. A function in `failures` fails with that code, once or
    always."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamNonBlocking = 1
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    stream_type: type[Any] = int
    """Of the streams that it makes."""

    def __init__(self) -> None:
        self.total_bytes = TOTAL_BYTES
        self.failures: dict[str, Any] = {}
        self.calls: list[str] = []
        self.blocks: dict[int, Any] = {}
        """Memory by address."""
        self.now_ms = 0.0
        """Its own clock: a call of an engine takes 1 ms, and 0.1 for each item."""
        self._captured: list[Callable[[], None]] | None = None

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        function = getattr(type(self), f"_{name}", None)
        if function is None:
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            if name in self.failures:
                return self.failures[name], None
            if name == "cudaMalloc" and arguments[0] > self.free_bytes:
                return CudaCode["cudaErrorMemoryAllocation"], None
            values = function(self, *arguments)
            if name == "cudaMemGetInfo":
                return (OK, *values)
            return (OK,) if values is None else (OK, values)

        return call

    def do(self, work: Callable[[], None]) -> None:
        """Queue work: at once, or into the graph that is captured."""
        if self._captured is None:
            work()
        else:
            self._captured.append(work)

    @property
    def is_capturing(self) -> bool:
        return self._captured is not None

    def cudaGetErrorString(self, code: Any) -> tuple[Any, bytes]:
        return OK, f"text of {code.name}".encode()

    def _allocate(self, n: int) -> int:
        block = (ctypes.c_byte * n).from_buffer(bytearray([GARBAGE]) * n)
        address = ctypes.addressof(block)
        self.blocks[address] = block
        return address

    def _free(self, address: int) -> None:
        del self.blocks[address]

    _cudaMalloc = _cudaMallocHost = _allocate
    _cudaFree = _cudaFreeHost = _free

    def _cudaMemcpyAsync(self, to: int, of: int, n: int, kind: int, stream: int) -> None:
        self.do(lambda: ctypes.memmove(to, of, n) and None)

    @property
    def free_bytes(self) -> int:
        """Pinned memory counts, too."""
        taken = sum(ctypes.sizeof(block) for block in self.blocks.values())
        return self.total_bytes - taken - PROCESS_BYTES

    def _cudaMemGetInfo(self) -> tuple[int, int]:
        return self.free_bytes, self.total_bytes

    def _cudaGetDeviceCount(self) -> int:
        return 1

    def _cudaDriverGetVersion(self) -> int:
        return 13000

    def _cudaGetDeviceProperties(self, device: int) -> SimpleNamespace:
        return SimpleNamespace(name=b"a GPU\0", major=8, minor=9, integrated=0)

    def _cudaDeviceGetPCIBusId(self, n_bytes: int, device: int) -> bytes:
        return b"0000:17:00.0\0"

    def _cudaEventCreate(self) -> dict[str, float]:
        return {}

    def _cudaEventDestroy(self, event: dict[str, float]) -> None:
        event.clear()

    def _cudaEventRecord(self, event: dict[str, float], stream: int) -> None:
        event["at_ms"] = self.now_ms

    def _cudaEventSynchronize(self, event: dict[str, float]) -> None:
        pass

    def _cudaEventElapsedTime(self, begin: dict[str, float], end: dict[str, float]) -> float:
        return end["at_ms"] - begin["at_ms"]

    def _cudaStreamCreateWithFlags(self, flags: int) -> Any:
        assert flags == self.cudaStreamNonBlocking
        return self.stream_type(77)

    def _cudaStreamDestroy(self, stream: int) -> None:
        pass

    def _cudaStreamSynchronize(self, stream: int) -> None:
        pass

    def _cudaStreamBeginCapture(self, stream: int, mode: int) -> None:
        self._captured = []

    def _cudaStreamEndCapture(self, stream: int) -> list[Callable[[], None]]:
        captured, self._captured = self._captured, None
        assert captured is not None
        return captured

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:
        return list(graph)

    def _cudaGraphDestroy(self, graph: Any) -> None:
        graph.clear()

    def _cudaGraphExecDestroy(self, graph: Any) -> None:
        graph.clear()

    def _cudaGraphLaunch(self, graph: Any, stream: int) -> None:
        for work in graph:
            work()
