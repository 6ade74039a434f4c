"""Scratch memory that the engines of a process share, since their calls follow each other.

So it costs as much as the engine that needs most, not as much as all.
"""

import threading
from itertools import count

from ounce_edge.models.runtimes.tensorrt.cuda import Cuda

_LEAST_BYTES = 256
"""TensorRT asks for addresses at multiples of it, so that an engine that needs none has one too."""


class Scratch:
    """One block on the GPU, as large as the largest need.

    Args:
        cuda: allocates.
    """

    def __init__(self, cuda: Cuda) -> None:
        self.lock = threading.RLock()
        """Of whoever runs an engine, or joins or leaves."""
        self.address = self.size_bytes = 0
        """Of the block; 0 where there is none. Both change when an engine joins or leaves."""
        self._cuda = cuda
        self._numbers = count()
        self._needs: dict[int, int] = {}

    def join(self, need_bytes: int) -> int:
        """Have room for an engine; the number to leave by.

        Raises:
            CudaError: the GPU has too little memory. What was there stays.
        """
        with self.lock:
            number = next(self._numbers)
            self._needs[number] = max(need_bytes, _LEAST_BYTES)
            try:
                self._fit()
            except BaseException:
                del self._needs[number]
                raise
            return number

    def leave(self, number: int) -> None:
        """An engine is gone; a second time does nothing.

        Raises:
            CudaError: the GPU is broken.
        """
        with self.lock:
            if self._needs.pop(number, None) is not None:
                self._fit()

    def _fit(self) -> None:
        wanted_bytes = max(self._needs.values(), default=0)
        if wanted_bytes == self.size_bytes:
            return
        before = self.address
        address = int(self._cuda.call("cudaMalloc", wanted_bytes)) if wanted_bytes else 0
        self.address, self.size_bytes = address, wanted_bytes
        if before:
            self._cuda.call("cudaFree", before)
