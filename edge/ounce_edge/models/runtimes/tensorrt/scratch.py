"""Scratch memory that the engines of a process share, since their calls follow each other.

So it costs as much as the engine that needs most, not as much as all.
"""

import threading
from contextlib import suppress
from itertools import count

from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError

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
                self.have()
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
                self.have()

    def have(self) -> None:
        """Have a block of the size that is needed. It is there, but where another process has
        taken the GPU's memory while it was exchanged.

        Raises:
            CudaError: the GPU has too little memory.
        """
        wanted_bytes = max(self._needs.values(), default=0)
        before_bytes = self.size_bytes
        if wanted_bytes == before_bytes:
            return
        try:
            self._exchange(wanted_bytes)
        except CudaError as e:
            if not (e.is_out_of_memory and before_bytes):
                raise
            self._exchange(0)  # no room for both at once
            try:
                self._exchange(wanted_bytes)
            except CudaError:
                with suppress(CudaError):
                    self._exchange(before_bytes)
                raise

    def _exchange(self, size_bytes: int) -> None:
        before = self.address
        address = self._cuda.allocate(size_bytes) if size_bytes else 0
        self.address, self.size_bytes = address, size_bytes
        if before:
            self._cuda.free(before)
