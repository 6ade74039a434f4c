"""A TensorRT that is a fake, on a fake GPU: an engine is an ONNX file that ONNX Runtime runs at the
padded size.

What its documentation asks for is asked for here, too: shapes within the profile, addresses at
multiples of 256, all of them set before a call. What waits for the whole device fails while any
thread captures a graph, and breaks that: loads may, and engines that go. Nothing else here says how
a real one behaves.
"""

import ctypes
import json
import threading
import weakref
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from tests.support.tensorrt.fake_gpu import ALIGNMENT, GARBAGE, FakeGpu

_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


def _nothing(n_items: int) -> None:
    pass


class FakeTensorRt:
    """The module `tensorrt` of a fake GPU. `refuses_capture`: engines do what no graph holds.
    `most`: items that engines take. `call_ms`: of a call by the GPU's clock, and a tenth of it for
    each item. What is in `failures` fails, and tells the log these lines: `runtime`, `engine`,
    `context`, `address`, `shape`, `call`."""

    __version__ = "10.3.0"
    ILogger = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0})
    TensorIOMode = IntEnum("TensorIOMode", {"INPUT": 1, "OUTPUT": 2})
    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED=2)
    DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER=1)

    def __init__(
        self,
        gpu: FakeGpu,
        *,
        refuses_capture: bool = False,
        most: int = 16,
        call_ms: float = 1.0,
    ) -> None:
        self.gpu, self.most, self.call_ms = gpu, most, call_ms
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
        self.captures: Callable[[], None] = lambda: None
        """Called while a call is captured."""
        self.environment = "the same"
        """Kernels of another one are not taken."""
        self.Runtime = self._runtime

    def nptype(self, dtype: Any) -> Any:
        return dtype

    def _runtime(self, log: Any) -> SimpleNamespace:
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

    def refuses(self, why: str) -> bool:
        """False, and why."""
        self._log.log(self.ILogger.ERROR, f"Error Code 3: API Usage Error ({why})")
        return False

    def waits(self) -> bool:
        """Whether it could wait for all that the device does."""
        if self.gpu.wait_for_all():
            return True
        self._log.log(self.ILogger.ERROR, "operation not permitted when stream is capturing")
        return False

    def _deserialize(self, content: bytes) -> "FakeEngine | None":
        if self.fails("engine") or not self.waits():
            return None
        if len(content) > self.gpu.free_bytes:
            self._log.log(self.ILogger.ERROR, "Error Code 1: Cuda Runtime (out of memory)")
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
        self.shapes = {name: tensor.shape for name, tensor in self._tensors.items()}
        self.inputs = [t.name for t in session.get_inputs()]
        self.num_io_tensors = len(self._tensors)
        self.device_memory_size_v2 = trt.scratch_bytes
        weakref.finalize(self, trt.gpu.wait_for_all)

    def create_runtime_config(self) -> "FakeConfig":
        return FakeConfig(self.trt)

    def create_execution_context(self, of: "int | FakeConfig") -> "FakeContext | None":
        strategy = of.strategy if isinstance(of, FakeConfig) else of
        assert strategy == self.trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if isinstance(of, FakeConfig):
            self.trt.configs.append(of)
        kernels = of.kernels if isinstance(of, FakeConfig) else None
        if self.trt.fails("context") or not self.trt.waits():
            return None
        return FakeContext(self, kernels)

    def get_tensor_name(self, i: int) -> str:
        return list(self._tensors)[i]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(size if isinstance(size, int) else -1 for size in self.shapes[name])

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert (name in self.inputs, profile) == (True, 0)
        item = self._tensors[name].shape[1:]
        return [(n, *item) for n in (1, 4, self.trt.most)]

    def get_tensor_dtype(self, name: str) -> Any:
        return _TYPES[self._tensors[name].type]

    def get_tensor_mode(self, name: str) -> Any:
        return self.trt.TensorIOMode["INPUT" if name in self.inputs else "OUTPUT"]


class FakeKernels:
    """Kernels of TensorRT for RTX, by the items that they are for."""

    def __init__(self, trt: FakeTensorRt) -> None:
        self._trt = trt
        self.sizes: set[int] = set()

    def serialize(self) -> bytes:
        return json.dumps([self._trt.environment, sorted(self.sizes)]).encode()

    def deserialize(self, blob: bytes) -> bool:
        if threading.get_ident() not in self._trt.gpu.threads:
            return False  # as its documentation says: the thread needs a CUDA context
        try:
            environment, sizes = json.loads(blob)
        except ValueError:
            return False
        if environment != self._trt.environment:
            return False
        self.sizes.update(sizes)
        return True


class FakeConfig:
    """Settings of a context, of TensorRT for RTX alone."""

    dynamic_shapes_kernel_specialization_strategy = strategy = 0
    kernels: FakeKernels | None = None

    def __init__(self, trt: FakeTensorRt) -> None:
        self._trt = trt

    def create_runtime_cache(self) -> FakeKernels:
        return FakeKernels(self._trt)

    def set_runtime_cache(self, kernels: FakeKernels) -> bool:
        self.kernels = kernels
        return True

    def set_execution_context_allocation_strategy(self, strategy: int) -> None:
        self.strategy = strategy


class FakeContext:
    """A context of an engine. Its graphs are right as long as its shapes stay as they were."""

    def __init__(self, engine: FakeEngine, kernels: FakeKernels | None = None) -> None:
        self._engine, self._trt = engine, engine.trt
        self._kernels = FakeKernels(engine.trt) if kernels is None else kernels
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._ran: dict[str, tuple[int, ...]] = {}
        self._scratch = 0
        if self._trt.context_bytes:
            gpu = self._trt.gpu
            weakref.finalize(self, gpu._free, gpu._allocate(self._trt.context_bytes))

    def set_device_memory(self, address: int, size_bytes: int) -> None:
        assert size_bytes >= self._engine.device_memory_size_v2
        assert address % ALIGNMENT == 0
        self._scratch = address

    def set_tensor_address(self, name: str, address: int) -> bool:
        if name not in self._engine.shapes or address % ALIGNMENT:
            return self._trt.refuses(f"address {address:#x} of tensor {name}")
        self._addresses[name] = address
        return not self._trt.fails("address")

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if name not in self._engine.inputs:
            return self._trt.refuses(f"{name} is no input")
        least, _, most = self._engine.get_tensor_profile_shape(name, 0)
        if len(shape) != len(least) or not all(
            low <= size <= high for low, size, high in zip(least, shape, most, strict=True)
        ):
            return self._trt.refuses(f"shape {shape} of {name} is not in profile 0")
        self._shapes[name] = shape
        return not self._trt.fails("shape")

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """Of an output; -1 where it depends on data, or on inputs that have no shape yet."""
        known = {
            size: given
            for one in self._engine.session.get_inputs()
            for size, given in zip(one.shape, self._shapes.get(one.name, ()), strict=False)
        }
        shape = self._engine.shapes[name]
        return tuple(size if isinstance(size, int) else known.get(size, -1) for size in shape)

    def execute_async_v3(self, stream: int) -> bool:
        if self._lacks:
            return self._trt.refuses(f"not set: {', '.join(self._lacks)}")
        is_new, gpu = self._shapes != self._ran, self._trt.gpu
        if gpu.is_capturing(stream):
            self._trt.captures()
            if self._trt.refuses_capture or is_new:
                gpu.forbid(stream)  # of new shapes, TensorRT makes resources first
                return False
        if self._trt.fails("call") or (is_new and not self._trt.waits()):
            return False
        n_items = self._shapes[self._engine.inputs[0]][0]
        if is_new and n_items not in self._kernels.sizes:
            self._trt.compile(n_items)
            self._kernels.sizes.add(n_items)
        self._ran = dict(self._shapes)
        shapes, scratch = dict(self._shapes), self._scratch

        def work() -> None:
            block = gpu.blocks[scratch]  # a KeyError: it was given back
            ctypes.memset(block, GARBAGE, self._engine.device_memory_size_v2)
            first = shapes[self._engine.inputs[0]][0]
            gpu.now_ms += self._trt.call_ms * (1 + 0.1 * first)
            inputs = {name: self._at(name, shapes[name]).copy() for name in self._engine.inputs}
            self._trt.sizes.append(first)
            [output] = self._engine.session.run(None, inputs)
            name = self._engine.session.get_outputs()[0].name
            self._at(name, output.shape)[:] = output if shapes == self._shapes else np.nan

        # Contexts of one profile, as these are, must not run at once (IExecutionContext).
        gpu.do(work, stream, (scratch, *self._addresses.values(), id(self._engine)))
        return True

    @property
    def _lacks(self) -> list[str]:
        """What a call needs and has not."""
        lacks = [f"shape of {name}" for name in self._engine.inputs if name not in self._shapes]
        lacks += [
            f"address of {name}" for name in self._engine.shapes if name not in self._addresses
        ]
        return lacks if self._scratch else [*lacks, "device memory"]

    def _at(self, name: str, shape: tuple[int, ...]) -> Any:
        kind = np.dtype(self._engine.get_tensor_dtype(name))
        n = int(np.prod(shape)) * kind.itemsize
        memory = (ctypes.c_byte * n).from_address(self._addresses[name])
        return np.frombuffer(memory, kind).reshape(shape)
