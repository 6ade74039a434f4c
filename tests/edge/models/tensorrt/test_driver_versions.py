"""Which drivers CUDA's own library takes, and what is said of one that is too old. The driver is a
fake: gcc makes a library of its name that finds no GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
#define _GNU_SOURCE
#include <dlfcn.h>
enum { NO_DEVICE = 100 };
int cuInit(unsigned flags) { return NO_DEVICE; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
static int fail(void) { return NO_DEVICE; }
int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long long flags,
                        int *status) {
  void *known = dlsym(RTLD_DEFAULT, name);
  *found = known ? known : (void *)fail;
  if (status) *status = 0;
  return 0;
}
int cuGetProcAddress(const char *name, void **found, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, found, version, flags, 0);
}
"""
ASK = """
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import find_device
from ounce_schemas.errors import RuntimeAbsentError
try:
    find_device(find_cuda())
except RuntimeAbsentError as e:
    print(e)
"""


def said_of(folder: Path, version: int) -> str:
    """What is said where the driver is of this version of CUDA, 12040 for 12.4."""
    compiler = ["gcc", "-w", "-shared", "-fPIC", f"-DVERSION={version}", "-x", "c", "-"]
    target = folder / "libcuda.so.1"
    subprocess.run([*compiler, "-o", target, "-ldl"], input=DRIVER, text=True, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    )
    return asked.stdout


@pytest.fixture(scope="module")
def major() -> int:
    """Of the CUDA that the bindings are of."""
    return int(pytest.importorskip("cuda.bindings").__version__.partition(".")[0])


@pytest.mark.rtx
def test_a_driver_of_an_older_cuda_is_told_with_what_to_install(tmp_path: Path, major: int) -> None:
    said = said_of(tmp_path, (major - 1) * 1000 + 40)
    assert "cudaErrorInsufficientDriver" in said
    assert f"the driver is for CUDA {major - 1}.4: take a newer one" in said
    assert ('pip install "ounce[gpu-cuda12]"' in said) == (major == 13)


@pytest.mark.rtx
def test_a_driver_of_the_same_major_is_taken(tmp_path: Path, major: int) -> None:
    """Also one that is older than the bindings."""
    assert "cudaErrorNoDevice" in said_of(tmp_path, major * 1000)
