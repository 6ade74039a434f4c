"""What a model was made with: library versions, and the processor it was measured on."""

import platform
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("ounce", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "torch")


def library_versions() -> dict[str, str]:
    """Versions of everything that takes part in training and export."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def processor_name() -> str:
    """The processor's name as the operating system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
