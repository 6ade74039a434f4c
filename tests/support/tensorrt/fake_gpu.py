# ruff: noqa: N802, N815  # names of CUDA
"""A GPU that is a fake: its memory is memory of this process, and data goes where the code says.

Work waits on its stream until somebody waits for it, as it may on a real GPU. What CUDA's
documentation forbids fails here, too. Nothing else here says how a real GPU behaves.
"""

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple

from tests.support.tensorrt.fake_cuda import CudaCode

OK = CudaCode["cudaSuccess"]
TOTAL_BYTES = 1 << 30
PROCESS_BYTES = 5_000
"""That a process takes of a GPU by using it."""
ALIGNMENT = 256
"""Addresses of cudaMalloc are multiples of it (CUDA programming guide, device memory accesses)."""
GARBAGE = 0xFF
"""Fresh memory holds NaN, as real memory may."""
UNSAFE = ("cudaMalloc", "cudaFree", "cudaMallocHost", "cudaFreeHost")
"""What a thread that captures must not call (CUDA, cudaThreadExchangeStreamCaptureMode)."""
STICKY = ("cudaErrorIllegalAddress",)
"""Errors behind which every call of the process fails (CUDA Runtime API, cudaError)."""
NO_CONTEXT = ("cudaGetDeviceCount", "cudaDriverGetVersion", "cudaGetDeviceProperties")
"""What needs no context, and makes none."""


class Work(NamedTuple):
    """What a stream does."""

    do: Callable[[], None]
    uses: frozenset[int]
    """Addresses of memory, and what else no two streams use at once."""


class Capture:
    """Work that is captured on a stream."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.thread = threading.get_ident()
        self.is_broken = False

    @property
    def is_own(self) -> bool:
        """Whether this very thread captures."""
        return self.thread == threading.get_ident()


def _uses(places: Collection[int], streams: Iterable[Iterable[Work]]) -> bool:
    """Whether work that waits uses one of them."""
    return any(not work.uses.isdisjoint(places) for waiting in streams for work in waiting)


class FakeGpu:
    """Functions of `cuda.bindings.runtime`. A function in `failures` fails with that code; behind
    one that sticks, all do."""

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
        self._broken: CudaCode | None = None
        """An error behind which every call fails."""
        self._numbers = count(77)
        self._streams: dict[int, deque[Work]] = {}
        """Work that waits, by stream."""
        self._doing = threading.RLock()
        """Of whoever looks at work that waits, or does it."""
        self._pinned: set[int] = set()
        """Addresses on the host."""
        self._captures: dict[int, Capture] = {}
        """By stream."""
        self.threads: set[int] = set()
        """Those that have a context: each that has used the GPU."""

    def __getattr__(self, name: str) -> Callable[..., tuple[Any, ...]]:
        function = getattr(type(self), f"_{name}", None)
        if function is None:
            raise AttributeError(name)

        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            self._broken = self._broken or self._breaking(name)
            if self._broken is not None:
                return self._broken, None
            if name in self.failures:
                return self.failures[name], None
            if name == "cudaMalloc" and arguments[0] > self.free_bytes:
                return CudaCode["cudaErrorMemoryAllocation"], None
            captures = list(self._captures.values())  # other threads begin some meanwhile
            if name in UNSAFE and self._break(c for c in captures if c.is_own):
                return CudaCode["cudaErrorStreamCaptureUnsupported"], None
            if name not in NO_CONTEXT:
                self.threads.add(threading.get_ident())
            values = function(self, *arguments)
            if isinstance(values, CudaCode):
                return values, None
            if name == "cudaMemGetInfo":
                return (OK, *values)
            return (OK,) if values is None else (OK, values)

        return call

    def _breaking(self, name: str) -> CudaCode | None:
        code = self.failures.get(name)
        return code if code is not None and code.name in STICKY else None

    def do(self, work: Callable[[], None], stream: int, uses: Iterable[int] = ()) -> None:
        """Queue work on a stream, or into the graph that is captured there.

        Args:
            work: what is done once somebody waits for it.
            stream: that it waits on.
            uses: addresses, of which no other stream may use one before.
        """
        number, one = int(stream), Work(work, frozenset(uses))
        with self._doing:
            assert number in self._streams, "the stream is gone"
            capture = self._captures.get(number)
            if capture is not None:
                capture.works.append(one)
                return
            others = [waiting for other, waiting in self._streams.items() if other != number]
            assert not _uses(one.uses, others), "two streams use it at once"
            self._streams[number].append(one)

    def _finish(self, stream: int) -> None:
        """Do what waits on a stream."""
        with self._doing:
            waiting = self._streams[int(stream)]
            while waiting:
                waiting[0].do()
                waiting.popleft()

    def is_capturing(self, stream: int) -> bool:
        return int(stream) in self._captures

    def wait_for_all(self) -> bool:
        """Wait for all work of the device, as libraries may. Whether it may be waited for: no
        capture of any thread bears it (CUDA programming guide, CUDA graphs, prohibited
        operations)."""
        if self._break(self._captures.values()):
            return False
        with self._doing:
            for stream in self._streams:
                self._finish(stream)
        return True

    def forbid(self, stream: int) -> None:
        """Do on a stream what no graph holds: a capture there is worth nothing from now on."""
        self._break([self._captures[int(stream)]])

    def _break(self, captures: Iterable[Capture]) -> bool:
        """Whether there is one."""
        broken = list(captures)
        for capture in broken:
            capture.is_broken = True
        return bool(broken)

    def cudaGetErrorString(self, code: Any) -> tuple[Any, bytes]:
        return OK, f"text of {code.name}".encode()

    def _allocate(self, n: int) -> int:
        memory = bytearray([GARBAGE]) * (n + ALIGNMENT)
        begin = ctypes.addressof(ctypes.c_byte.from_buffer(memory))
        block = (ctypes.c_byte * n).from_buffer(memory, -begin % ALIGNMENT)
        address = ctypes.addressof(block)
        self.blocks[address] = block
        return address

    def _free(self, address: int) -> None:
        with self._doing:
            assert not _uses({address}, self._streams.values()), "memory that is used is freed"
            del self.blocks[address]

    _cudaMalloc = _allocate

    def _cudaFree(self, address: int) -> None:
        assert address not in self._pinned
        self._free(address)

    def _cudaMallocHost(self, n: int) -> int:
        address = self._allocate(n)
        self._pinned.add(address)
        return address

    def _cudaFreeHost(self, address: int) -> None:
        self._pinned.remove(address)
        self._free(address)

    def _cudaMemcpyAsync(self, to: int, of: int, n: int, kind: int, stream: int) -> None:
        is_to_host = kind == self.cudaMemcpyKind.cudaMemcpyDeviceToHost
        assert [place in self._pinned for place in (to, of)] == [is_to_host, not is_to_host]
        assert n <= min(ctypes.sizeof(self.blocks[place]) for place in (to, of))
        self.do(lambda: ctypes.memmove(to, of, n) and None, stream, (to, of))

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
        def happen() -> None:
            event["at_ms"] = self.now_ms

        event["stream"] = int(stream)
        self.do(happen, stream)

    def _cudaEventSynchronize(self, event: dict[str, float]) -> None:
        self._finish(int(event["stream"]))

    def _cudaEventElapsedTime(
        self, begin: dict[str, float], end: dict[str, float]
    ) -> CudaCode | float:
        if "at_ms" not in begin or "at_ms" not in end:
            return CudaCode["cudaErrorNotReady"]
        return end["at_ms"] - begin["at_ms"]

    def _cudaStreamCreateWithFlags(self, flags: int) -> Any:
        assert flags == self.cudaStreamNonBlocking
        with self._doing:
            self._streams[number := next(self._numbers)] = deque()
        return self.stream_type(number)

    def _cudaStreamDestroy(self, stream: int) -> None:
        with self._doing:
            self._finish(stream)  # the call does not wait; the device does this, then lets it go
            del self._streams[int(stream)]

    def _cudaStreamSynchronize(self, stream: int) -> CudaCode | None:
        capture = self._captures.get(int(stream))
        if capture is not None and self._break([capture]):
            return CudaCode["cudaErrorStreamCaptureUnsupported"]
        self._finish(stream)
        return None

    def _cudaStreamBeginCapture(self, stream: int, mode: int) -> None:
        assert int(stream) in self._streams
        assert int(stream) not in self._captures
        self._captures[int(stream)] = Capture()

    def _cudaStreamEndCapture(self, stream: int) -> CudaCode | list[Work]:
        capture = self._captures.pop(int(stream))
        if not capture.is_own:
            return CudaCode["cudaErrorStreamCaptureWrongThread"]
        if capture.is_broken:
            return CudaCode["cudaErrorStreamCaptureInvalidated"]
        return capture.works

    def _cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:
        return list(graph)

    def _cudaGraphDestroy(self, graph: Any) -> None:
        graph.clear()

    def _cudaGraphExecDestroy(self, graph: Any) -> None:
        graph.clear()

    def _cudaGraphLaunch(self, graph: Any, stream: int) -> None:
        for work in graph:
            self.do(work.do, stream, work.uses)
