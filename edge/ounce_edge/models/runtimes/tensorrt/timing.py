"""Time that the GPU itself takes, by CUDA's events."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, do_all


class StreamTimer:
    """Times work on a stream, between two events. As a context it gives the events back.

    Args:
        cuda: makes the events.
        stream: that the work is queued on.

    Raises:
        CudaError: they can't be made.
    """

    def __init__(self, cuda: Cuda, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        self._events = [cuda.call("cudaEventCreate") for _ in range(2)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        do_all(partial(self._cuda.call, "cudaEventDestroy", event) for event in self._events)

    def time_ms(self, queue: Callable[[], None]) -> float:
        """Milliseconds from the beginning to the end of what `queue` queues; waits for it."""
        begin, end = self._events
        self._cuda.call("cudaEventRecord", begin, self._stream)
        queue()
        self._cuda.call("cudaEventRecord", end, self._stream)
        self._cuda.call("cudaEventSynchronize", end)
        return float(self._cuda.call("cudaEventElapsedTime", begin, end))
