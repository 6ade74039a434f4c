# ruff: noqa: N802, N815  # names of CUDA and TensorRT
"""A GPU and a TensorRT that are fakes. Memory of the GPU is memory of this process, and an engine
is an ONNX file that ONNX Runtime runs at the padded size: data goes where the code says.

Nothing here says how a real GPU behaves.
"""

import ctypes
import weakref
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from tests.support.tensorrt.fake_cuda import CudaCode

OK = CudaCode["cudaSuccess"]
TOTAL_BYTES = 1 << 30
_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
_GARBAGE = 0xFF
"""Fresh memory holds NaN, as real memory may."""


def _nothing(n_items: int) -> None:
    pass


class FakeGpu:
    """Functions of `cuda.bindings.runtime`. A function in `failures` fails with that code, once or
    always."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamNonBlocking = 1
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    stream_type: type[Any] = int
    """Of the streams that it makes."""

    def __init__(self) -> None:
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
        block = (ctypes.c_byte * n).from_buffer(bytearray([_GARBAGE]) * n)
        address = ctypes.addressof(block)
        self.blocks[address] = block
        return address

    def _free(self, address: int) -> None:
        del self.blocks[address]

    _cudaMalloc = _cudaMallocHost = _allocate
    _cudaFree = _cudaFreeHost = _free

    def _cudaMemcpyAsync(self, to: int, of: int, n: int, kind: int, stream: int) -> None:
        self.do(lambda: ctypes.memmove(to, of, n) and None)

    def _cudaMemGetInfo(self) -> tuple[int, int]:
        taken = sum(ctypes.sizeof(block) for block in self.blocks.values())
        return TOTAL_BYTES - taken, TOTAL_BYTES

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


class FakeTensorRt:
    """The module `tensorrt` of a fake GPU. `refuses_capture`: engines do what no graph holds.
    `most`: items that engines take. What is in `failures` fails, and tells the log these lines:
    `runtime`, `engine`, `context`, `address`, `shape`, `call`."""

    __version__ = "10.3.0"
    ILogger = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0})
    TensorIOMode = IntEnum("TensorIOMode", {"INPUT": 1, "OUTPUT": 2})
    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED=2)
    DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER=1)

    def __init__(self, gpu: FakeGpu, *, refuses_capture: bool = False, most: int = 16) -> None:
        self.gpu, self.most = gpu, most
        self.refuses_capture = refuses_capture
        self.failures: dict[str, list[str]] = {}
        self.configs: list[FakeConfig] = []
        """Of contexts, each that has one."""
        self.sizes: list[int] = []
        """Items of each call that ran."""
        self.scratch_bytes = 1000
        """That the engines need which are made from now on."""
        self.context_bytes = 0
        """Of the GPU, that each context takes beside, as long as it is there."""
        self.compile: Callable[[int], None] = _nothing
        """Called with the items of the first call of a context, before it runs."""

    def nptype(self, dtype: Any) -> Any:
        return dtype

    def Runtime(self, log: Any) -> SimpleNamespace:
        self._log = log
        if "runtime" in self.failures:
            self.fails("runtime")
            raise TypeError("pybind11::init(): factory function returned nullptr")
        return SimpleNamespace(deserialize_cuda_engine=self._deserialize)

    def fails(self, what: str) -> bool:
        """Whether it is to fail; then the log has the reason, and no answer has."""
        for line in self.failures.get(what, ()):
            self._log.log(self.ILogger.ERROR, line)
        return what in self.failures

    def _deserialize(self, content: bytes) -> "FakeEngine | None":
        if self.fails("engine"):
            return None
        try:
            session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        except Exception:
            return None
        return FakeEngine(self, session)


class FakeEngine:
    """An engine."""

    def __init__(self, trt: FakeTensorRt, session: Any) -> None:
        self.trt, self.session = trt, session
        self._tensors = {t.name: t for t in (*session.get_inputs(), *session.get_outputs())}
        self.inputs = [t.name for t in session.get_inputs()]
        self.num_io_tensors = len(self._tensors)
        self.device_memory_size_v2 = trt.scratch_bytes

    def create_runtime_config(self) -> "FakeConfig":
        return FakeConfig()

    def create_execution_context(self, of: "int | FakeConfig") -> "FakeContext | None":
        strategy = of.strategy if isinstance(of, FakeConfig) else of
        assert strategy == self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if isinstance(of, FakeConfig):
            self.trt.configs.append(of)
        return None if self.trt.fails("context") else FakeContext(self)

    def get_tensor_name(self, i: int) -> str:
        return list(self._tensors)[i]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        _, *item = self._tensors[name].shape
        return -1, *(size if isinstance(size, int) else -1 for size in item)

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert (name in self.inputs, profile) == (True, 0)
        item = self._tensors[name].shape[1:]
        return [(n, *item) for n in (1, 4, self.trt.most)]

    def get_tensor_dtype(self, name: str) -> Any:
        return _TYPES[self._tensors[name].type]

    def get_tensor_mode(self, name: str) -> Any:
        return self.trt.TensorIOMode["INPUT" if name in self.inputs else "OUTPUT"]


class FakeConfig:
    """Settings of a context, of TensorRT for RTX alone."""

    dynamic_shapes_kernel_specialization_strategy = strategy = 0
    kernels: object = None

    def create_runtime_cache(self) -> object:
        return object()

    def set_runtime_cache(self, kernels: object) -> bool:
        self.kernels = kernels
        return True

    def set_execution_context_allocation_strategy(self, strategy: int) -> None:
        self.strategy = strategy


class FakeContext:
    """A context of an engine. Its graphs are right as long as its shapes stay as they were."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine, self._trt = engine, engine.trt
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._ran: dict[str, tuple[int, ...]] = {}
        self._scratch = 0
        if self._trt.context_bytes:
            gpu = self._trt.gpu
            weakref.finalize(self, gpu._free, gpu._allocate(self._trt.context_bytes))

    def set_device_memory(self, address: int, size_bytes: int) -> None:
        assert size_bytes >= self._engine.device_memory_size_v2
        self._scratch = address

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return not self._trt.fails("address")

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return not self._trt.fails("shape")

    def execute_async_v3(self, stream: int) -> bool:
        is_new = self._shapes != self._ran
        if self._trt.gpu.is_capturing and (self._trt.refuses_capture or is_new):
            return False  # of new shapes, TensorRT makes resources first
        if self._trt.fails("call"):
            return False
        if is_new:
            self._trt.compile(self._shapes[self._engine.inputs[0]][0])
        self._ran = dict(self._shapes)
        shapes, scratch = dict(self._shapes), self._scratch

        def work() -> None:
            block = self._trt.gpu.blocks[scratch]  # a KeyError: it was given back
            ctypes.memset(block, _GARBAGE, self._engine.device_memory_size_v2)
            first = shapes[self._engine.inputs[0]][0]
            self._trt.gpu.now_ms += 1.0 + 0.1 * first
            inputs = {name: self._at(name, shapes[name]).copy() for name in self._engine.inputs}
            self._trt.sizes.append(first)
            [output] = self._engine.session.run(None, inputs)
            name = self._engine.session.get_outputs()[0].name
            self._at(name, output.shape)[:] = output if shapes == self._shapes else np.nan

        self._trt.gpu.do(work)
        return True

    def _at(self, name: str, shape: tuple[int, ...]) -> Any:
        kind = np.dtype(self._engine.get_tensor_dtype(name))
        n = int(np.prod(shape)) * kind.itemsize
        memory = (ctypes.c_byte * n).from_address(self._addresses[name])
        return np.frombuffer(memory, kind).reshape(shape)
