"""What a model was made with: library versions."""

import platform
from importlib.metadata import version

_LIBRARIES = ("ounce", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "torch")


def library_versions() -> dict[str, str]:
    """Versions of everything that takes part in training and export."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
