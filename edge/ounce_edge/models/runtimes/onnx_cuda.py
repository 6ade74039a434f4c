"""ONNX Runtime on an NVIDIA GPU, through CUDA. No engine has to be built."""

from pathlib import Path

import onnxruntime as ort
from ounce_schemas.errors import RuntimeAbsentError

from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import load_session

_PROVIDER = "CUDAExecutionProvider"


class OnnxCudaRuntime:
    """The CUDA execution provider. A model of which an operator would run on the CPU is refused.

    Raises:
        RuntimeAbsentError: the installed ONNX Runtime has no CUDA.
    """

    def __init__(self) -> None:
        if _PROVIDER not in ort.get_available_providers():
            raise RuntimeAbsentError(
                f"onnxruntime-cuda: onnxruntime {ort.__version__} is installed without CUDA; "
                "install onnxruntime-gpu in its place, and run on a machine with an NVIDIA GPU"
            )

    @property
    def name(self) -> str:
        """Name and version."""
        return f"onnxruntime-cuda {ort.__version__}"

    @property
    def threads(self) -> int:
        """One of the CPU; the rest happens on the GPU."""
        return 1

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load one ONNX file.

        Raises:
            ArtifactError: ONNX Runtime can't run all of it on the GPU.
        """
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        return load_session(path, content, options, _PROVIDER)
