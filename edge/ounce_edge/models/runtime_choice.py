"""Where the models of a worker run."""

from enum import StrEnum

from ounce_edge.models.runtimes.tensorrt.libraries import Flavour


class RuntimeChoice(StrEnum):
    """Where models run."""

    CPU = "cpu"
    """ONNX Runtime on the CPU."""
    TENSORRT = "tensorrt"
    """There, and on the GPU those that have an engine; without a GPU the worker does not start."""
    TENSORRT_RTX = "tensorrt-rtx"
    """The same with TensorRT for RTX."""
    CUDA = "cuda"
    """There, and on the GPU by ONNX Runtime; without a GPU the worker does not start."""
    AUTO = "auto"
    """As `tensorrt`, but without a GPU the CPU alone."""

    @property
    def has_engines(self) -> bool:
        """Whether models need engines to run on the GPU."""
        return self not in (RuntimeChoice.CPU, RuntimeChoice.CUDA)

    @property
    def flavour(self) -> Flavour:
        """Which TensorRT builds and runs the engines."""
        return Flavour.RTX if self is RuntimeChoice.TENSORRT_RTX else Flavour.NATIVE
