"""An engine in GPU memory: batches are padded to few sizes, each of which becomes a CUDA graph."""

import logging
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError
from ounce_schemas.wording import counted

from ounce_edge.models.runtimes.base import Inputs, TensorSignature
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.buffers import Buffer
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_edge.models.runtimes.tensorrt.log import last_line, log_of
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch
from ounce_edge.models.runtimes.tensorrt.timing import StreamTimer
from ounce_edge.models.runtimes.text_bytes import encode_texts

logger = logging.getLogger(__name__)

_TEXT_DIMENSIONS = 2
"""Of an item, uint8: texts, and their bytes one after the other. Images have three."""
_DATATYPES = {"float32": "FP32", "uint8": "UINT8"}
_DTYPES: dict[str, Any] = {"FP32": np.float32, "UINT8": np.uint8, "BYTES": np.object_}


class EngineModel:
    """Implements `LoadedModel`. Calls of several threads run one after the other.

    Args:
        tensorrt: runs it.
        cuda: of the same process.
        content: of the engine, from the own cache: it is native code.
        scratch: shared with other engines; one of its own where none is given.

    Raises:
        ArtifactError: TensorRT does not take the engine.
        CudaError: the GPU has too little memory.
    """

    def __init__(
        self,
        tensorrt: TensorRt,
        cuda: Cuda,
        content: bytes,
        scratch: Scratch | None = None,
    ) -> None:
        self._cuda = cuda
        self._scratch = scratch or Scratch(cuda)
        self._place: int | None = None
        """In the scratch memory."""
        self._address = 0
        """Of the scratch memory that the context and the graphs know."""
        self._graphs: dict[int, Any] = {}
        """By bucket: its graph; None where it can't be captured."""
        self._buffers: dict[str, Buffer] = {}
        self._stream: Any = None
        self._is_loaded = True
        trt = tensorrt.api
        self._log = log_of(trt)
        runtime = trt.Runtime(self._log)
        engine = runtime.deserialize_cuda_engine(content)
        if engine is None:
            raise ArtifactError(
                f"{tensorrt.name} does not take the engine: {last_line(self._log.lines)}"
            )
        self._kept: Any = (runtime, engine)  # the context needs both
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context: Any = engine.create_execution_context(strategy)
        if self._context is None:
            raise ArtifactError(f"{tensorrt.name} makes no context: {last_line(self._log.lines)}")
        self.inputs: dict[str, TensorSignature] = {}
        self.outputs: dict[str, TensorSignature] = {}
        self._n_bytes: dict[str, int] = {}
        """Of inputs that hold texts."""
        try:
            self._place = self._scratch.join(int(engine.device_memory_size_v2))
            # Another engine may be loaded meanwhile, through the default stream. A capture on a
            # stream that waits for that one would fail.
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
                is_input = modes[name] == trt.TensorIOMode.INPUT
                (self.inputs if is_input else self.outputs)[name] = self._sign(name, shape, dtype)
                buffer = self._buffers[name] = Buffer(cuda, (self._profile.most, *shape), dtype)
                if not self._context.set_tensor_address(name, int(buffer.device)):
                    raise ArtifactError(f"{tensorrt.name} takes no memory for {name!r}")
        except BaseException:
            self.unload()
            raise
        self._output = next(iter(self.outputs))

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run a batch of any size, in calls of at most the profile's items.

        Raises:
            ValueError: an input is absent, or has another type or shape.
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call, or the model was unloaded.
        """
        arrays = {name: self._array(name, inputs.get(name)) for name in self.inputs}
        n = len(next(iter(arrays.values())))
        if any(len(array) != n for array in arrays.values()):
            raise ValueError("the inputs have different numbers of items")
        most = self._profile.most
        with self._scratch.lock:
            self._prepare()
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
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call, or the model was unloaded.
        """
        bucket = self._profile.bucket_of(n_items)
        with self._scratch.lock:
            self._prepare()
            for name in self.inputs:
                self._buffers[name].host[:bucket] = 0
            with StreamTimer(self._cuda, self._stream) as timer:
                times_ms = [
                    timer.time_ms(partial(self._launch, bucket)) for _ in range(2 + n_calls)
                ]
        return times_ms[2:]

    def unload(self) -> None:
        """Give back its GPU memory once a call under way has ended; it is not run again."""
        with self._scratch.lock:
            if not self._is_loaded:
                return
            self._is_loaded = False
            try:
                self._drop_graphs()
                for buffer in self._buffers.values():
                    buffer.free()
                if self._stream is not None:
                    self._cuda.call("cudaStreamDestroy", self._stream)
                if self._place is not None:
                    self._scratch.leave(self._place)
            except CudaError as e:  # of a context that is broken: its process ends soon
                logger.warning("GPU memory is not given back: %s", e)
            self._graphs, self._buffers = {}, {}
            self._context = self._kept = None

    def _prepare(self) -> None:
        """Before a call: the scratch memory may be another block since the last one."""
        if not self._is_loaded:
            raise RuntimeError("the model was unloaded")
        scratch = self._scratch
        if self._address != scratch.address:
            self._drop_graphs()
            self._context.set_device_memory(scratch.address, scratch.size_bytes)
            self._address = scratch.address

    def _drop_graphs(self) -> None:
        """Graphs hold addresses. The next calls of each bucket make new ones."""
        graphs, self._graphs = self._graphs, {}
        for graph in graphs.values():
            if graph is not None:
                self._cuda.call("cudaGraphExecDestroy", graph)

    def _sign(self, name: str, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> TensorSignature:
        if dtype == np.uint8 and len(shape) == _TEXT_DIMENSIONS:
            self._n_bytes[name] = shape[-1]
            return TensorSignature("BYTES", (None, *shape[:-1]))
        return TensorSignature(_DATATYPES.get(str(dtype), str(dtype)), (None, *shape))

    def _array(self, name: str, array: NDArray[Any] | None) -> NDArray[Any]:
        signature = self.inputs[name]
        wanted = _DTYPES.get(signature.datatype)
        if array is None or array.dtype != wanted or array.shape[1:] != signature.shape[1:]:
            found = "absent" if array is None else f"{array.dtype}{list(array.shape)}"
            raise ValueError(
                f"input {name!r} is {found}, not {signature.datatype}{list(signature.shape)}"
            )
        return encode_texts(array, self._n_bytes[name]) if name in self._n_bytes else array

    def _run_some(
        self, arrays: dict[str, NDArray[Any]], start: int, result: NDArray[np.float32]
    ) -> None:
        n = len(result)
        bucket = self._profile.bucket_of(n)
        for name, array in arrays.items():
            host = self._buffers[name].host
            host[:n] = array[start : start + n]
            host[n:bucket] = 0  # padding: what others have left there may be no number
        self._launch(bucket)
        self._cuda.call("cudaStreamSynchronize", self._stream)
        result[:] = self._buffers[self._output].host[:n]

    def _launch(self, bucket: int) -> None:
        """Queue a call. The first of a bucket runs as it is. Then it is captured as a graph, which
        all later ones launch: TensorRT asks for a call of the same shapes right before that."""
        graph = self._graphs.get(bucket)
        if graph is not None:
            self._cuda.call("cudaGraphLaunch", graph, self._stream)
            return
        self._enqueue(bucket)
        if bucket not in self._graphs:
            self._cuda.call("cudaStreamSynchronize", self._stream)
            self._graphs[bucket] = self._capture(bucket)

    def _enqueue(self, bucket: int) -> None:
        context = self._context
        for name, signature in self.inputs.items():
            buffer = self._buffers[name]
            if not context.set_input_shape(name, (bucket, *buffer.host.shape[1:])):
                raise RuntimeError(
                    f"TensorRT refuses {counted(bucket, 'item')} of {name!r} {signature}"
                )
            buffer.to_device(bucket, self._stream)
        if not context.execute_async_v3(int(self._stream)):
            why = last_line(self._log.lines)
            raise RuntimeError(f"TensorRT can't run a batch of {counted(bucket, 'item')}: {why}")
        self._buffers[self._output].to_host(bucket, self._stream)

    def _capture(self, bucket: int) -> Any:
        """The graph of a bucket; None where the engine does what a graph can't hold."""
        cuda = self._cuda
        mode = cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        cuda.call("cudaStreamBeginCapture", self._stream, mode)
        failure: Exception | None = None
        try:
            self._enqueue(bucket)
        except (CudaError, RuntimeError) as e:
            failure = e
        try:
            graph = cuda.call("cudaStreamEndCapture", self._stream)  # also after a failure
            try:
                if failure is None:
                    return cuda.call("cudaGraphInstantiate", graph, 0)
            finally:
                cuda.call("cudaGraphDestroy", graph)
        except CudaError as e:
            failure = failure or e
        if isinstance(failure, CudaError) and failure.is_sticky:
            raise failure
        logger.info("no CUDA graph for batches of %d: %s", bucket, failure)
        return None
