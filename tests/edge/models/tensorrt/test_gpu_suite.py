"""The tests that need a GPU run on fakes: a fault of their own is found where there is none."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def options_of_make() -> list[str]:
    """Of pytest, as `make test-gpu` gives them."""
    recipe = MAKEFILE.partition("\ntest-gpu:")[2].partition("\n\n")[0].replace("\\\n", " ")
    [line] = [line for line in recipe.splitlines() if " -m pytest " in line]
    return line.partition(" -m pytest ")[2].split()


def run(tmp_path: Path, *more: str, tests: str = "tests/gpu") -> tuple[int, str]:
    """Exit code, and what is written at once; or an empty text and all that was said."""
    options = options_of_make()
    assert (options[0], options[-1]) == ("tests/gpu", "--junitxml=results/gpu-tests.xml")
    written = tmp_path / "gpu-tests.txt"
    options[0], options[-1] = tests, f"--junitxml={tmp_path / 'gpu-tests.xml'}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pyproject.toml", *options, *more],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OUNCE_TEST_RESULTS": str(written),
            "CI": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.is_file(), ran.stdout[-4000:] + ran.stderr[-4000:]
    return ran.returncode, written.read_text(encoding="utf-8")


def outcomes(written: str) -> list[str]:
    return re.findall(r"^(passed|failed|skipped) \d+\.\d s \S*::test_", written, re.MULTILINE)


def test_the_tests_for_a_gpu_pass_on_fakes(tmp_path: Path) -> None:
    code, written = run(tmp_path, "-p", "tests.support.tensorrt.dry")
    assert code == 0, written
    assert "kernels of the native library are in its engines" in written
    [*passed, skipped] = sorted(outcomes(written))
    assert (set(passed), skipped) == ({"passed"}, "skipped")
    assert len(passed) > 90


FAULTS = """
import ctypes, os, signal, time, warnings
import pytest

pytestmark = pytest.mark.gpu

def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)
def test_hang(): ctypes.PyDLL(None).sleep(600)
def test_fault(): assert time is None
def test_warning(): warnings.warn("of a library", DeprecationWarning)
def test_skip(): pytest.skip("no such GPU")
"""


def test_a_test_that_crashes_or_hangs_costs_itself_alone(tmp_path: Path) -> None:
    tests = tmp_path / "test_faults.py"
    tests.write_text(FAULTS)
    code, written = run(tmp_path, "-o", "faulthandler_timeout=3", tests=str(tests))
    assert code == 1
    assert sorted(outcomes(written)) == [*3 * ["failed"], "passed", "skipped"]
    assert "crashed while running" in written
    assert "assert time is None" in written
    assert "no such GPU" in written
    assert 'errors="2" failures="1"' in (tmp_path / "gpu-tests.xml").read_text(encoding="utf-8")


BREAKING = """
import pytest
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from tests.gpu.conftest import _no_other_test_meets_a_gpu_that_broke
from tests.support.tensorrt.dry import GPU
from tests.support.tensorrt.fake_cuda import CudaCode

pytestmark = pytest.mark.gpu

def test_break():
    GPU.failures["cudaFree"] = CudaCode.cudaErrorIllegalAddress
    Cuda(GPU).call("cudaFree", 0)

def test_another(): assert Cuda(GPU).call("cudaMemGetInfo")
"""


def test_a_test_that_breaks_the_gpu_costs_itself_alone(tmp_path: Path) -> None:
    tests = tmp_path / "test_breaking.py"
    tests.write_text(BREAKING)
    code, written = run(tmp_path, "-p", "tests.support.tensorrt.dry", tests=str(tests))
    assert code == 1
    assert "cudaErrorIllegalAddress" in written
    assert sorted(outcomes(written)) == ["failed", "failed", "passed"], written
