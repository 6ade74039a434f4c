"""A runtime whose calls do what the first number of their input says."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import (
    Inputs,
    LoadedModel,
    RuntimeDownError,
    TensorSignature,
)
from ounce_edge.models.runtimes.tensorrt.cuda import CudaError
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

ANSWER, CRASH, STICK, OUT_OF_MEMORY, HANG, EXIT, RELEASE, LOCK, DOWN, EAT = range(10)
_LIMIT_S = 60.0
_is_loading, _is_released = threading.Event(), threading.Event()
"""Of the file `slow`: its load ends once a call has seen that it began."""


class BadModel:
    """Answers with its input, or does not."""

    inputs: Mapping[str, TensorSignature] = {"input": TensorSignature("FP32", (None, 1))}
    outputs: Mapping[str, TensorSignature] = {"output": TensorSignature("FP32", (None, 1))}

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        wish = int(inputs["input"][0, 0])
        if wish == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if wish == STICK:
            raise CudaError("cudaStreamSynchronize", "cudaErrorIllegalAddress", "it is illegal")
        if wish == OUT_OF_MEMORY:
            raise CudaError("cudaMalloc", "cudaErrorMemoryAllocation", "out of memory")
        if wish == HANG:
            time.sleep(600)
        if wish == LOCK:
            hang_with_the_lock()
        if wish == DOWN:
            raise RuntimeDownError("a load has its memory")
        if wish == EAT:
            bytearray(1 << 62)
        if wish == EXIT:
            os._exit(3)
        if wish == RELEASE and _is_loading.wait(_LIMIT_S):
            _is_released.set()
        return np.asarray(inputs["input"][:, :3], np.float32)  # of digits: three labels

    def unload(self) -> None:
        pass


class BadRuntime:
    """Loads bad models; a file `refuse` is refused, one `once:PATH` kills while that file is there,
    which its first load makes, likewise `room:PATH` finds no room, one `alone` finds none behind
    another one, and of one `linger` a thread is left that never ends."""

    name = "bad 1"
    threads = 1

    def __init__(self) -> None:
        self._n_loads = 0

    def load(self, path: Path, content: bytes) -> LoadedModel:
        self._n_loads += 1
        if content == b"alone" and self._n_loads > 1:
            raise MemoryError
        if content == b"refuse":
            raise ArtifactError(f"{path}: is refused")
        if content == b"crash":
            os._exit(4)
        if content == b"linger":
            threading.Thread(target=threading.Event().wait, daemon=False).start()
        if content == b"slow":
            _is_loading.set()
            if not _is_released.wait(_LIMIT_S):
                raise ArtifactError(f"{path}: no call came meanwhile")
        if content.startswith((b"once:", b"room:")):
            mark = Path(content[5:].decode())
            if mark.exists():
                if content.startswith(b"once:"):
                    os._exit(6)
                raise CudaError("cudaMalloc", "cudaErrorMemoryAllocation", "out of memory")
            mark.touch()
        return BadModel()


def make_absent() -> BadRuntime:
    raise RuntimeAbsentError("no such GPU")


def make_dead() -> BadRuntime:
    os._exit(5)


def hang_with_the_lock() -> None:
    """Sleep in C, and let no other thread of Python run."""
    ctypes.PyDLL(None).sleep(600)


def make_locked() -> BadRuntime:
    print(os.getpid(), flush=True)
    hang_with_the_lock()
    raise AssertionError


def make_silent() -> BadRuntime:
    time.sleep(600)
    raise AssertionError


def crash(*_: object) -> None:
    """A library that crashes on whatever it is given."""
    os._exit(5)
