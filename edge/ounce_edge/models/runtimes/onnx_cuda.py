"""ONNX Runtime on an NVIDIA GPU, through CUDA. No engine has to be built."""

import ctypes
import io
import logging
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.gpu_meters import GpuMeters
from ounce_edge.models.runtimes.onnx_cpu import load_session
from ounce_edge.models.runtimes.tensorrt.cuda import OUT_OF_MEMORY, Cuda, CudaError, find_cuda
from ounce_edge.models.runtimes.tensorrt.device import OLD_DRIVER, take_device, used_bytes

logger = logging.getLogger(__name__)

_PROVIDER = "CUDAExecutionProvider"
_OPTIONS = {
    "use_tf32": "0",  # FP32 stays FP32
    "cudnn_conv_algo_search": "HEURISTIC",  # else each new batch size is tuned for, in a call
    "arena_extend_strategy": "kSameAsRequested",  # else memory doubles
}
_DTYPES: dict[str, Any] = {"FP32": np.float32, "UINT8": np.uint8}
_LIBRARY = "capi/libonnxruntime_providers_cuda.so"
_INSTALL = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
_FAILURE = re.compile(r"CUDA failure \d+")
_NO_ROOM = re.compile(r"CUDA failure 2\b|Failed to allocate memory")
"""Errors after which the process can go on."""


class OnnxCudaRuntime:
    """The CUDA execution provider. A model of which an operator would run on the CPU is refused.

    Raises:
        RuntimeAbsentError: the installed ONNX Runtime has no CUDA, CUDA's libraries are absent, or
            no GPU can be used.
    """

    def __init__(self) -> None:
        if _PROVIDER not in ort.get_available_providers():
            raise RuntimeAbsentError(
                f"onnxruntime-cuda: onnxruntime {ort.__version__} is installed without CUDA; "
                f"uninstall it, {_INSTALL}, and run on a machine with an NVIDIA GPU"
            )
        _load_libraries()
        self._cuda = _find_cuda()
        self._meters = GpuMeters(self._cuda)

    @property
    def name(self) -> str:
        """Name and version."""
        return f"onnxruntime-cuda {ort.__version__}"

    @property
    def threads(self) -> int:
        """One of the CPU; the rest happens on the GPU."""
        return 1

    @property
    def used_bytes(self) -> int:
        """Memory of the GPU that this process has taken. Where the driver does not say it, what is
        taken by whomever; 0 without cuda-bindings, or where they are for a newer driver."""
        own_bytes = self._meters.own_bytes
        if own_bytes is None:
            return 0 if self._cuda is None else used_bytes(self._cuda)
        return own_bytes

    @property
    def joules(self) -> float | None:
        """Energy that the GPU has used since some time; None where nothing measures it."""
        return self._meters.joules

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load one ONNX file.

        Raises:
            ArtifactError: ONNX Runtime can't run all of it on the GPU.
            CudaError: the GPU has too little memory, or is broken.
        """
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            model = _CudaModel(load_session(path, content, options, _PROVIDER, _OPTIONS))
        except ArtifactError as e:
            failed = _cuda_error(e)
            if failed is None:
                raise
            raise failed from e
        try:  # CUDA's libraries start in the first call, for which no message waits
            model.run(_one_item(model))
        except CudaError:
            raise
        except Exception as e:  # of any type: an item of zeros may be none
            logger.info("%s: the first call, of zeros, fails: %s", path, e)
        return model


def _find_cuda() -> Cuda | None:
    """What tells memory and energy; None where its bindings are absent, or for a newer driver than
    ONNX Runtime needs.

    Raises:
        RuntimeAbsentError: the GPU can't be used.
    """
    try:
        cuda = find_cuda()
    except RuntimeAbsentError:
        return None
    try:
        take_device(cuda)
    except RuntimeAbsentError as e:
        if isinstance(e.__cause__, CudaError) and e.__cause__.code == OLD_DRIVER:
            return None
        raise
    return cuda


def _load_libraries() -> None:
    """Load what CUDA's packages bring, where the system's loader does not look for it.

    Raises:
        RuntimeAbsentError: a library is absent.
    """
    with redirect_stdout(io.StringIO()):  # what it does not find is told below
        ort.preload_dlls()
    library = Path(ort.__file__).parent / _LIBRARY
    try:
        if library.exists():
            ctypes.CDLL(str(library))
    except OSError as e:
        raise RuntimeAbsentError(
            f"onnxruntime-cuda: a library does not load: {e}; {_INSTALL}, and NVIDIA's driver"
        ) from e


def _cuda_error(error: Exception) -> CudaError | None:
    """What CUDA says in an error of ONNX Runtime; None where it says nothing."""
    text = " ".join(str(error).split())
    if _NO_ROOM.search(text):
        return CudaError("ONNX Runtime", OUT_OF_MEMORY, text)
    found = _FAILURE.search(text)
    return None if found is None else CudaError("ONNX Runtime", found[0], text)


def _one_item(model: LoadedModel) -> Inputs:
    """Of zeros; open dimensions are 1."""
    return {
        name: np.zeros([size or 1 for size in tensor.shape], _DTYPES.get(tensor.datatype, object))
        for name, tensor in model.inputs.items()
    }


class _CudaModel:
    def __init__(self, inner: LoadedModel) -> None:
        self._inner = inner
        self.inputs, self.outputs, self.unload = inner.inputs, inner.outputs, inner.unload

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says; an error after which CUDA does nothing more is told as such."""
        try:
            return self._inner.run(inputs)
        except Exception as e:  # ONNX Runtime raises a type of its own for each status code
            failed = _cuda_error(e)
            if failed is None or failed.is_out_of_memory:
                raise
            raise failed from e
