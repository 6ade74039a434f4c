"""Writes the names that bindings of TensorRT have: tests hold the code's names against them.

The bindings' wheels are on PyPI, the libraries are not. So each module is imported over empty
libraries of the right names, which gcc makes: the names are there, and nothing can be called.

    pip download --no-deps -d wheels tensorrt-cu12-bindings==10.3.0
    python -m scripts.tensorrt_names wheels/*.whl > tests/support/tensorrt/names.json
"""

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CLASSES = (
    "Builder",
    "BuilderFlag",
    "ExecutionContextAllocationStrategy",
    "ICudaEngine",
    "IBuilderConfig",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITensor",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "Runtime",
    "TensorIOMode",
)
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
_SHOW = """
import json, sys, tensorrt_bindings as trt
names = {}
for name in ["", *sys.argv[1:]]:
    of = getattr(trt, name) if name else trt
    names[name] = " ".join(n for n in dir(of) if n[0] != "_")
print(json.dumps({trt.__version__: names}))
"""


def read_names(wheel: Path) -> dict[str, dict[str, str]]:
    """Names by version and class, "" the module's own, with blanks between."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        zipfile.ZipFile(wheel).extractall(folder)
        module = next(folder.glob("tensorrt_bindings/tensorrt.so"))
        symbols = subprocess.check_output(["nm", "-D", "--undefined-only", module], text=True)
        wanted = [line.split()[-1] for line in symbols.splitlines() if line.split()[0] == "U"]
        own = [s for s in wanted if "@" not in s and not s.startswith(("Py", "_"))]
        source = "\n".join(f"void {symbol}(void) {{}}" for symbol in own)
        needed = subprocess.check_output(["ldd", module], text=True)
        major = needed.partition("libnvinfer.so.")[2].split()[0]
        for library in _LIBRARIES:
            target = folder / f"lib{library}.so.{major}"
            command = ["gcc", "-w", "-shared", "-fPIC", "-x", "c", "-", "-o", str(target)]
            subprocess.run(command, input=source, text=True, check=True)
        shown = subprocess.check_output(
            [sys.executable, "-c", _SHOW, *CLASSES],
            env={**os.environ, "LD_LIBRARY_PATH": name, "PYTHONPATH": name},
            text=True,
        )
    found: dict[str, dict[str, str]] = json.loads(shown)
    return found


def main() -> None:
    """Print the names of all wheels as JSON."""
    found: dict[str, dict[str, str]] = {}
    for wheel in sys.argv[1:]:
        found |= read_names(Path(wheel))
    print(json.dumps(found, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
