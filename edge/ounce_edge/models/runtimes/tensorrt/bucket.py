"""Calls of one batch size, which become a CUDA graph."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ounce_schemas.errors import ArtifactError
from ounce_schemas.wording import counted

from ounce_edge.models.runtimes.tensorrt.buffers import Buffer
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.failures import failure
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_edge.models.runtimes.tensorrt.log import first_line, log_of
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """An engine, and what the calls of all its sizes share."""

    tensorrt: TensorRt
    cuda: Cuda
    make_context: Callable[[], Any]
    """Of the engine; None where TensorRT makes none."""
    stream: Any
    scratch: Scratch
    inputs: Mapping[str, Buffer]
    outputs: Mapping[str, Buffer]
    """The first one is the answer."""


class Bucket:
    """Calls of one batch size.

    They have an execution context of their own: a graph holds what its context was when it was
    captured, and a call of other shapes changes that (TensorRT's developer guide, CUDA graphs: one
    context for each graph).

    Args:
        of: the engine.
        size: items of a call.

    Raises:
        ArtifactError: an output has not one row for each item.
        CudaError: the GPU has too little memory.
        RuntimeError: TensorRT refuses the size.
    """

    def __init__(self, of: Loaded, size: int) -> None:
        self._of, self._size = of, size
        self._log = log_of(of.tensorrt.api)
        self._address = 0
        """Of the scratch memory that the context and the graph know."""
        self._graph: Any = None
        self._is_tried = False
        """Whether it was captured, or can't be."""
        self._log.lines.clear()
        context = of.make_context()
        if context is None:
            raise self._failure("makes no context")
        for name, buffer in {**of.inputs, **of.outputs}.items():
            if not context.set_tensor_address(name, buffer.device):
                raise self._failure(f"takes no memory for {name!r}")
        for name, buffer in of.inputs.items():
            if not context.set_input_shape(name, (size, *buffer.host.shape[1:])):
                raise self._failure(f"refuses {counted(size, 'item')} of {name!r}")
        for name, buffer in of.outputs.items():
            # TensorRT looks at no size of memory. What depends on data would go beyond its end.
            found, room = tuple(context.get_tensor_shape(name)), (size, *buffer.host.shape[1:])
            if found != room:
                raise ArtifactError(
                    f"output {name!r} has shape {list(found)} for {counted(size, 'item')}; "
                    f"{list(room)} is needed, a row for each item"
                )
        self._context: Any = context

    def run_first(self, scratch: Scratch) -> None:
        """Make the first call, and wait for it. Kernels are loaded in it, and TensorRT for RTX
        compiles them, which takes seconds or more.

        Args:
            scratch: where nobody else has it, calls of other engines go on meanwhile.

        Raises:
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call.
        """
        self._use(scratch)
        self._run()
        self._of.cuda.call("cudaStreamSynchronize", self._of.stream)

    def launch(self) -> None:
        """Queue a call. The first one runs as it is. Then it is captured as a graph, which all
        later ones launch: TensorRT asks for a call of the same shapes right before that. While
        another model loads, calls without a graph stay so.

        Raises:
            CudaError: the GPU fails.
            RuntimeError: TensorRT refuses the call.
        """
        cuda, stream = self._of.cuda, self._of.stream
        self._use(self._of.scratch)
        if self._graph is not None:
            cuda.call("cudaGraphLaunch", self._graph, stream)
            return
        self._run()
        if not self._is_tried and cuda.alone.acquire(blocking=False):
            try:
                cuda.call("cudaStreamSynchronize", stream)
                self._is_tried, self._graph = True, self._capture()
            finally:
                cuda.alone.release()

    def drop_graph(self) -> None:
        """Give the graph back. The next call makes another."""
        graph, self._graph, self._is_tried = self._graph, None, False
        if graph is not None:
            self._of.cuda.call("cudaGraphExecDestroy", graph)

    def _use(self, scratch: Scratch) -> None:
        """The scratch memory may be another block since the last call; graphs hold addresses."""
        scratch.have()
        if self._address != scratch.address:
            self.drop_graph()
            self._context.set_device_memory(scratch.address, scratch.size_bytes)
            self._address = scratch.address

    def _run(self) -> None:
        self._log.lines.clear()
        if not self._enqueue():
            raise self._failure(f"can't run a batch of {counted(self._size, 'item')}")

    def _enqueue(self) -> bool:
        """Queue copies and the engine; whether TensorRT did."""
        stream = self._of.stream
        for buffer in self._of.inputs.values():
            buffer.to_device(self._size, stream)
        if not self._context.execute_async_v3(int(stream)):
            return False
        next(iter(self._of.outputs.values())).to_host(self._size, stream)
        return True

    def _capture(self) -> Any:
        """The graph; None where the engine does what a graph can't hold."""
        cuda, stream = self._of.cuda, self._of.stream
        mode = cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        why: str | None = None
        try:
            cuda.call("cudaStreamBeginCapture", stream, mode)
            try:
                if not self._enqueue():
                    why = first_line(self._log.lines)
            except CudaError as e:
                why = _unless_broken(e)
            graph = cuda.call("cudaStreamEndCapture", stream)  # also after a failure
            try:
                if why is None:
                    return cuda.call("cudaGraphInstantiate", graph, 0)
            finally:
                cuda.call("cudaGraphDestroy", graph)
        except CudaError as e:
            later = _unless_broken(e)
            why = why or later
        logger.info("no CUDA graph for batches of %d: %s", self._size, why)
        return None

    def _failure(self, what: str) -> Exception:
        return failure(self._of.tensorrt, self._of.cuda, what)


def _unless_broken(failed: CudaError) -> str:
    """What an error says after which calls go on. No local variable may keep the error: it holds
    the frame, and so the context, until garbage is collected.

    Raises:
        CudaError: the GPU is broken.
    """
    if failed.is_sticky:
        raise failed
    return str(failed)
