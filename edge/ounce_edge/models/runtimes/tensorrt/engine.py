"""An engine in GPU memory: batches are padded to few sizes, each of which becomes a CUDA graph."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.base import Inputs, RuntimeDownError, TensorSignature
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.bucket import Bucket, Loaded
from ounce_edge.models.runtimes.tensorrt.buffers import Buffer
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError, do_all
from ounce_edge.models.runtimes.tensorrt.failures import failure
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.log import log_of
from ounce_edge.models.runtimes.tensorrt.rtx_contexts import KeptKernels, RtxContexts
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch
from ounce_edge.models.runtimes.tensorrt.tensors import as_read, signature_of
from ounce_edge.models.runtimes.tensorrt.timing import StreamTimer

logger = logging.getLogger(__name__)

_PATIENCE_S = 0.5
"""Of a call: a load without scratch memory of its own may compile for minutes, and the worker's
other calls wait behind this one."""


class EngineModel:
    """Implements `LoadedModel`. Calls of several threads run one after the other.

    Args:
        tensorrt: runs it.
        cuda: of the same process.
        content: of the engine, from the own cache: it is native code.
        scratch: shared with other engines; one of its own where none is given.
        kernels: where those that TensorRT for RTX compiles are kept, if they are.

    Raises:
        ArtifactError: TensorRT does not take the engine, or an output has not a row for each item.
        CudaError: the GPU has too little memory.
    """

    def __init__(
        self,
        tensorrt: TensorRt,
        cuda: Cuda,
        content: bytes,
        scratch: Scratch | None = None,
        kernels: KeptKernels | None = None,
    ) -> None:
        self._cuda = cuda
        self._scratch = scratch or Scratch(cuda)
        self._place: int | None = None
        """In the scratch memory."""
        self._buckets: dict[int, Bucket] = {}
        """By size."""
        self._buffers: dict[str, Buffer] = {}
        self._stream: Any = None
        self._is_loaded = True
        self.engine_bytes = len(content)
        """About what weights take of the GPU; 0 once it is unloaded."""
        self.inputs: dict[str, TensorSignature] = {}
        self.outputs: dict[str, TensorSignature] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        """Of an item, as the engine reads it."""
        with cuda.alone:
            self._kept: Any = _deserialize(tensorrt, cuda, content)
            """What contexts need; it goes after them."""
            try:
                self._load(tensorrt, kernels)
            except BaseException:
                self.unload()
                raise
        self._output = next(iter(self.outputs))

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run a batch of any size, in calls of at most the profile's items.

        Raises:
            ValueError: an input is absent, or has another type or shape.
            RuntimeDownError: the load of another model has the scratch memory.
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call, or the model was unloaded.
        """
        arrays = {
            name: as_read(name, signature, inputs.get(name), self._shapes[name])
            for name, signature in self.inputs.items()
        }
        n = len(next(iter(arrays.values())))
        if any(len(array) != n for array in arrays.values()):
            raise ValueError("the inputs have different numbers of items")
        most = self._profile.most
        with self._turn():
            result = np.empty((n, *self._buffers[self._output].host.shape[1:]), np.float32)
            for start in range(0, n, most):
                self._run_some(arrays, start, result[start : start + most])
        return result

    def gpu_times_ms(self, n_items: int, n_calls: int) -> list[float]:
        """What the GPU takes for so many calls of a batch, copies included, by CUDA's events.

        Args:
            n_items: of a call, at most the profile's.
            n_calls: behind two that are not timed.

        Raises:
            RuntimeDownError: the load of another model has the scratch memory.
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call, or the model was unloaded.
        """
        size = self._profile.bucket_of(n_items)
        with self._turn():
            for name in self.inputs:
                self._buffers[name].host[:size] = 0
            bucket = self._buckets[size]
            with StreamTimer(self._cuda, self._stream) as timer:
                times_ms = [timer.time_ms(bucket.launch) for _ in range(2 + n_calls)]
        return times_ms[2:]

    def unload(self) -> None:
        """Give back its GPU memory once a call under way has ended; it is not run again. A load
        that has the scratch memory is not waited for: the memory comes back behind it."""
        self._is_loaded = False
        if self._scratch.lock.acquire(timeout=_PATIENCE_S):
            try:
                self._give_back()
            finally:
                self._scratch.lock.release()
        else:
            threading.Thread(target=self._give_back, name="unload", daemon=True).start()

    def _give_back(self) -> None:
        with self._scratch.lock:
            if self._kept is None:
                return
            self.engine_bytes = 0
            works: list[Callable[[], object]] = []
            if self._stream is not None:  # a call that failed may have left copies under way
                works.append(partial(self._cuda.call, "cudaStreamSynchronize", self._stream))
            works += [bucket.drop_graph for bucket in self._buckets.values()]
            works += [buffer.free for buffer in self._buffers.values()]
            if self._stream is not None:
                works.append(partial(self._cuda.call, "cudaStreamDestroy", self._stream))
            if self._place is not None:
                works.append(partial(self._scratch.leave, self._place))
            try:
                do_all(works)
            except CudaError as e:
                logger.warning("GPU memory is not given back: %s", e)
            self._buckets, self._buffers, works = {}, {}, []
            self._kept = None

    def _load(self, tensorrt: TensorRt, kernels: KeptKernels | None) -> None:
        """Take what calls need, and make the first ones."""
        trt, cuda, (_, engine) = tensorrt.api, self._cuda, self._kept
        need_bytes = int(engine.device_memory_size_v2)
        # Others use the default stream. A capture on a stream that waits for that one would fail.
        flags = int(cuda.api.cudaStreamNonBlocking)
        self._stream = cuda.call("cudaStreamCreateWithFlags", flags)
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        first = next(name for name in names if modes[name] == trt.TensorIOMode.INPUT)
        _, _, largest = engine.get_tensor_profile_shape(first, 0)
        self._profile = BatchProfile(1, int(largest[0]))
        for name in names:
            shape = tuple(engine.get_tensor_shape(name))[1:]
            if any(size < 1 for size in shape):
                raise ArtifactError(f"tensor {name!r} has open dimensions: {list(shape)}")
            dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(name)))
            self._shapes[name] = shape
            is_input = modes[name] == trt.TensorIOMode.INPUT
            (self.inputs if is_input else self.outputs)[name] = signature_of(shape, dtype)
            self._buffers[name] = Buffer(cuda, (self._profile.most, *shape), dtype)
        inputs, outputs = (
            {name: self._buffers[name] for name in of} for of in (self.inputs, self.outputs)
        )
        make, keep = _contexts_of(tensorrt, engine, kernels)
        self._kept = (*self._kept, make)
        loaded = Loaded(tensorrt, cuda, make, self._stream, self._scratch, inputs, outputs)
        for size in self._profile.buckets:
            self._buckets[size] = Bucket(loaded, size)
        self._prepare(need_bytes, keep)

    def _prepare(self, need_bytes: int, keep: Callable[[], None]) -> None:
        """Make the first calls of all sizes, so that no message waits for them: with nothing that
        other engines wait for while kernels are compiled, then with the shared memory. Where the
        GPU has no room for both, with that alone."""
        for name in self.inputs:
            self._buffers[name].host[:] = 0
        own = Scratch(self._cuda)
        try:
            place = own.join(need_bytes)
        except CudaError as e:
            if not e.is_out_of_memory:
                raise
            self._place = self._scratch.join(need_bytes)
            self._run_first(self._scratch, keep)
        else:
            try:
                self._run_first(own, keep)
            finally:
                own.leave(place)
            self._place = self._scratch.join(need_bytes)
        for bucket in self._buckets.values():
            with self._scratch.lock:
                bucket.launch()
                self._cuda.call("cudaStreamSynchronize", self._stream)

    def _run_first(self, scratch: Scratch, keep: Callable[[], None]) -> None:
        for bucket in self._buckets.values():
            with scratch.lock:
                bucket.run_first(scratch)
            keep()  # a load that takes too long is ended, and the next one goes on from here

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the scratch memory for a call."""
        if not self._scratch.lock.acquire(timeout=_PATIENCE_S):
            raise RuntimeDownError("the load of another model has the GPU's scratch memory")
        try:
            if not self._is_loaded:
                raise RuntimeError("the model was unloaded")
            yield
        finally:
            self._scratch.lock.release()

    def _run_some(
        self, arrays: dict[str, NDArray[Any]], start: int, result: NDArray[np.float32]
    ) -> None:
        n = len(result)
        size = self._profile.bucket_of(n)
        for name, array in arrays.items():
            host = self._buffers[name].host
            host[:n] = array[start : start + n]
            host[n:size] = 0  # padding: what others have left there may be no number
        self._buckets[size].launch()
        self._cuda.call("cudaStreamSynchronize", self._stream)
        result[:] = self._buffers[self._output].host[:n]


def _contexts_of(
    tensorrt: TensorRt, engine: Any, kernels: KeptKernels | None
) -> tuple[Callable[[], Any], Callable[[], None]]:
    """What makes contexts of an engine, whose scratch memory is the user's; and what keeps the
    kernels that they compile."""
    trt = tensorrt.api
    if tensorrt.flavour is Flavour.RTX:
        contexts = RtxContexts(trt, engine, kernels)
        return contexts.make, contexts.keep
    strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
    return partial(engine.create_execution_context, strategy), lambda: None


def _deserialize(tensorrt: TensorRt, cuda: Cuda, content: bytes) -> tuple[Any, Any]:
    """TensorRT's runtime and the engine, which needs it.

    Raises:
        ArtifactError: TensorRT does not take the engine.
        CudaError: the GPU has too little memory, or is broken.
    """
    trt = tensorrt.api
    log = log_of(trt)
    log.lines.clear()
    try:
        runtime = trt.Runtime(log)
    except TypeError:  # what the bindings make of a null pointer
        raise failure(tensorrt, cuda, "does not start") from None
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise failure(tensorrt, cuda, "does not take the engine", ArtifactError)
    return runtime, engine
