"""Calls of the CUDA runtime: errors as exceptions, and which of them a process survives."""

import importlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ounce_schemas.errors import OunceError, RuntimeAbsentError

_SURVIVED = frozenset(
    {
        "cudaErrorCapturedEvent",
        "cudaErrorInvalidValue",
        "cudaErrorMemoryAllocation",
        "cudaErrorNotPermitted",
        "cudaErrorNotReady",
        "cudaErrorNotSupported",
        "cudaErrorStreamCaptureImplicit",
        "cudaErrorStreamCaptureInvalidated",
        "cudaErrorStreamCaptureIsolation",
        "cudaErrorStreamCaptureMerge",
        "cudaErrorStreamCaptureUnjoined",
        "cudaErrorStreamCaptureUnmatched",
        "cudaErrorStreamCaptureUnsupported",
        "cudaErrorStreamCaptureWrongThread",
    }
)
"""Errors after which the context goes on. After others, such as an illegal address, every call of
the process fails (CUDA Runtime API, cudaError)."""
OUT_OF_MEMORY = "cudaErrorMemoryAllocation"
"""Too little memory is left on the GPU."""


class CudaError(OunceError):
    """A call of CUDA that failed.

    Attributes:
        code: CUDA's name of the error.
        is_sticky: whether only a new process can use the GPU again.
        is_out_of_memory: whether the GPU has too little memory left.
    """

    def __init__(self, call: str, code: str, text: str) -> None:
        super().__init__(f"{call}: {code}: {text}")
        self.code = code
        self.is_sticky = code not in _SURVIVED
        self.is_out_of_memory = code == OUT_OF_MEMORY


class Cuda:
    """The CUDA runtime.

    Args:
        api: the module `cuda.bindings.runtime`, or a fake.
    """

    def __init__(self, api: Any) -> None:
        self.api = api
        self.taken: dict[int, int] = {}
        """Bytes of the GPU that this process has allocated, by address."""
        self.alone = threading.RLock()
        """Of whoever loads an engine, or captures a graph: a capture breaks, and so does the other
        call, where any thread waits for the whole device meanwhile (CUDA programming guide, CUDA
        graphs, prohibited operations)."""

    def allocate(self, size_bytes: int) -> int:
        """Memory of the GPU; its address.

        Raises:
            CudaError: the GPU has too little.
        """
        address = int(self.call("cudaMalloc", size_bytes))
        self.taken[address] = size_bytes
        return address

    def free(self, address: int) -> None:
        """Give memory of the GPU back.

        Raises:
            CudaError: the GPU is broken.
        """
        self.call("cudaFree", address)
        self.taken.pop(address, None)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function; what it returns behind its error code: nothing, a value or a tuple.

        Raises:
            CudaError: it failed.
        """
        code, *values = getattr(self.api, name)(*arguments)
        if int(code) != 0:
            raise CudaError(name, str(code.name), self._text(code))
        return values[0] if len(values) == 1 else tuple(values) or None

    def _text(self, code: Any) -> str:
        _, text = self.api.cudaGetErrorString(code)
        return text.decode() if isinstance(text, bytes) else str(text)


def do_all(works: Iterable[Callable[[], object]]) -> None:
    """Do each of them, also behind one that fails: what gives memory back leaves none.

    Raises:
        CudaError: of the first that failed.
    """
    failed: CudaError | None = None
    for work in works:
        try:
            work()
        except CudaError as e:
            failed = failed or e
    try:
        if failed is not None:
            raise failed
    finally:  # else the error and this frame hold each other, and what is given back
        del failed


def find_cuda() -> Cuda:
    """Import the CUDA runtime.

    Raises:
        RuntimeAbsentError: the package is absent, or does not load.
    """
    try:
        return Cuda(importlib.import_module("cuda.bindings.runtime"))
    except ImportError as e:
        raise RuntimeAbsentError(
            f"CUDA: the package cuda-bindings does not load: {' '.join(str(e).split())}; install "
            'it with pip install "ounce[gpu]"'
        ) from e
