"""Every name of TensorRT that the code uses is one of the bindings of every major that is known.

`scripts/tensorrt_names.py` wrote the names from NVIDIA's wheels.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ounce_edge.models.runtimes.tensorrt.cuda import _SURVIVED
from ounce_edge.models.runtimes.tensorrt.libraries import MAJORS

from tests.support.tensorrt.rtx import rtx_or_skip

ROOT = Path(__file__).parents[4]
CODE = ROOT / "edge/ounce_edge/models/runtimes/tensorrt"
NAMES = json.loads((ROOT / "tests/support/tensorrt/names.json").read_text())
VARIABLES = {
    "builder": "Builder",
    "config": "IBuilderConfig",
    "context": "IExecutionContext",
    "engine": "ICudaEngine",
    "error": "ParserError",
    "kernels": "IRuntimeCache",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "runtime": "Runtime",
    "settings": "IRuntimeConfig",
    "shapes": "IOptimizationProfile",
    "tensor": "ITensor",
    "trt": "",
}
"""What the code calls objects of each class."""
MODULES = ("bucket.py", "building.py", "engine.py", "log.py")
OF_RTX = ("rtx_contexts.py",)


def used_names(modules: Sequence[str] = MODULES) -> set[tuple[str, str]]:
    """Class and name of each use, "" for the module's own."""
    found = set()
    for module in modules:
        for node in ast.walk(ast.parse((CODE / module).read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            if isinstance(node.value, ast.Name) and node.value.id in VARIABLES:
                found.add((VARIABLES[node.value.id], node.attr))
            inner = node.value
            if isinstance(inner, ast.Attribute) and inner.attr == "_context":
                found.add((VARIABLES["context"], node.attr))
            if (
                isinstance(inner, ast.Attribute)
                and isinstance(inner.value, ast.Name)
                and inner.value.id == "trt"
            ):
                found.add((inner.attr, node.attr))
    return {(of, name) for of, name in found if not name.startswith("__")}


def test_the_list_has_every_major() -> None:
    assert {int(version.partition(".")[0]) for version in NAMES} == set(MAJORS)


def test_no_other_module_uses_names_of_tensorrt() -> None:
    users = {path.name for path in CODE.glob("*.py") if re.search(r"\btrt\.", path.read_text())}
    assert users <= {*MODULES, *OF_RTX}


def test_the_code_uses_names_of_every_kind() -> None:
    used = used_names()
    assert len(used) > 20
    assert ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED") in used
    assert ("Builder", "build_serialized_network") in used
    assert ("IExecutionContext", "set_tensor_address") in used
    assert ("IExecutionContext", "execute_async_v3") in used
    assert ("ICudaEngine", "create_execution_context") in used
    assert ("Runtime", "deserialize_cuda_engine") in used


@pytest.mark.parametrize("version", NAMES)
def test_each_name_is_in_the_bindings(version: str) -> None:
    names = {of: set(known.split()) for of, known in NAMES[version].items()}
    assert {(of, name) for of, name in used_names() if name not in names[of]} == set()


@pytest.mark.rtx
def test_each_name_that_rtx_alone_has_is_in_its_bindings() -> None:
    api = rtx_or_skip().api
    used = used_names(OF_RTX)
    assert ("IRuntimeConfig", "create_runtime_cache") in used
    assert {("IRuntimeCache", "serialize"), ("IRuntimeCache", "deserialize")} <= used
    assert {(of, n) for of, n in used if not hasattr(getattr(api, of) if of else api, n)} == set()


@pytest.mark.rtx
@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("serialize", r"serialize\(self: [\w.]+\) -> [\w.]+\.IHostMemory"),
        ("deserialize", r"deserialize\(self: [\w.]+, blob: [\w.]+Buffer\) -> bool"),
    ],
)
def test_kernels_are_given_and_taken_as_bytes(name: str, signature: str) -> None:
    assert re.search(signature, getattr(rtx_or_skip().api.IRuntimeCache, name).__doc__)


def called_of_cuda() -> set[str]:
    return {
        str(argument.value)
        for path in CODE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("call", "partial"))
        for argument in node.args[:2]
        if isinstance(argument, ast.Constant) and str(argument.value).startswith("cuda")
    }


@pytest.mark.rtx
def test_each_function_of_cuda_is_in_its_bindings() -> None:
    api = pytest.importorskip("cuda.bindings.runtime")
    calls = called_of_cuda()
    assert len(calls) > 15
    assert {name for name in calls if not hasattr(api, name)} == set()
    assert api.cudaMemcpyKind.cudaMemcpyHostToDevice
    assert api.cudaMemcpyKind.cudaMemcpyDeviceToHost
    assert int(api.cudaStreamNonBlocking) == 1
    assert api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    assert {name for name in _SURVIVED if name not in api.cudaError_t.__members__} == set()


@pytest.mark.rtx
def test_no_error_that_a_process_survives_is_documented_to_end_it() -> None:
    api = pytest.importorskip("cuda.bindings.runtime")
    ends = {code.name for code in api.cudaError_t if "relaunched" in (code.__doc__ or "")}
    assert {"cudaErrorIllegalAddress", "cudaErrorLaunchTimeout"} <= ends
    assert ends & _SURVIVED == set()


@pytest.mark.rtx
def test_the_bindings_of_cuda_take_the_arguments_of_each_call() -> None:
    pytest.importorskip("cuda.bindings.runtime")
    taken = subprocess.run(
        [sys.executable, "-m", "tests.support.tensorrt.real_arguments"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert taken.returncode == 0, taken.stderr
    assert set(json.loads(taken.stdout)) == called_of_cuda()
