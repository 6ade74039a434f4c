"""Where the models of a worker run."""

from enum import StrEnum


class RuntimeChoice(StrEnum):
    """Where models run."""

    CPU = "cpu"
    """ONNX Runtime on the CPU."""
    TENSORRT = "tensorrt"
    """There, and on the GPU those that have an engine; without a GPU the worker does not start."""
    CUDA = "cuda"
    """There, and on the GPU by ONNX Runtime; without a GPU the worker does not start."""
    AUTO = "auto"
    """As `tensorrt`, but without a GPU the CPU alone."""

    @property
    def has_engines(self) -> bool:
        """Whether models need engines to run on the GPU."""
        return self in (RuntimeChoice.TENSORRT, RuntimeChoice.AUTO)
