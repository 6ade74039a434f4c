"""Where the models of a worker run."""

from enum import StrEnum


class RuntimeChoice(StrEnum):
    """Where models run."""

    CPU = "cpu"
    """ONNX Runtime on the CPU."""
    TENSORRT = "tensorrt"
    """There, and on the GPU those that have an engine; without a GPU the worker does not start."""
    AUTO = "auto"
    """The same, but without a GPU the CPU alone."""
