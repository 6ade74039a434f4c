"""Memory of one engine: pinned on the host, and its twin on the GPU, for each tensor."""

import ctypes
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, do_all


class Buffer:
    """Room for the largest batch of one tensor, on both sides.

    Args:
        cuda: allocates.
        shape: of the largest batch.
        dtype: of the elements.

    Raises:
        CudaError: there is too little memory.
    """

    def __init__(self, cuda: Cuda, shape: tuple[int, ...], dtype: Any) -> None:
        self._cuda = cuda
        self._row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * np.dtype(dtype).itemsize
        size_bytes = self._row_bytes * shape[0]
        self.device = cuda.allocate(size_bytes)
        try:
            self._pinned: Any = cuda.call("cudaMallocHost", size_bytes)
        except BaseException:
            cuda.free(self.device)
            raise
        memory = (ctypes.c_byte * size_bytes).from_address(int(self._pinned))
        self.host: NDArray[Any] = np.frombuffer(memory, dtype).reshape(shape)
        """The pinned memory as an array."""

    def to_device(self, n: int, stream: Any) -> None:
        """Queue a copy of the first `n` items to the GPU."""
        self._copy(self.device, self._pinned, n, "cudaMemcpyHostToDevice", stream)

    def to_host(self, n: int, stream: Any) -> None:
        """Queue a copy of the first `n` items to the host."""
        self._copy(self._pinned, self.device, n, "cudaMemcpyDeviceToHost", stream)

    def free(self) -> None:
        """Give both back. Nothing may be under way."""
        self.host = np.empty(0)
        cuda = self._cuda
        do_all([partial(cuda.free, self.device), partial(cuda.call, "cudaFreeHost", self._pinned)])

    def _copy(self, to: Any, of: Any, n: int, kind: str, stream: Any) -> None:
        direction = getattr(self._cuda.api.cudaMemcpyKind, kind)
        self._cuda.call("cudaMemcpyAsync", to, of, self._row_bytes * n, direction, stream)
