"""TensorRT that is absent, incomplete or unknown is told apart, with what to install."""

import sys
from pathlib import Path

import pytest
from ounce_edge.models.runtimes.tensorrt.device import Device, check_device
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt
from ounce_schemas.errors import RuntimeAbsentError

from tests.support.tensorrt.rtx import rtx_or_skip

PACKAGES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts packages; there are no others of these names."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in PACKAGES:
        monkeypatch.setitem(sys.modules, name, None)  # a later import fails
    for name in PACKAGES:
        monkeypatch.delitem(sys.modules, name)
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('none here', name={name!r})"
        )
    return tmp_path


@pytest.mark.parametrize(("flavour", "extra"), [(Flavour.NATIVE, "gpu"), (Flavour.RTX, "rtx")])
def test_an_absent_package_is_named_with_the_extra(
    packages: Path, flavour: Flavour, extra: str
) -> None:
    message = rf"^{flavour}: the package is not installed; .*ounce\[{extra}\]"
    with pytest.raises(RuntimeAbsentError, match=message):
        find_tensorrt(flavour)


def test_a_package_without_its_bindings_is_absent(packages: Path) -> None:
    (packages / "tensorrt.py").write_text("import tensorrt_bindings_that_nobody_has")
    with pytest.raises(RuntimeAbsentError, match="not installed"):
        find_tensorrt()


def test_libraries_that_do_not_load_are_named(packages: Path) -> None:
    why = "libnvinfer.so.10: cannot open shared object file"
    (packages / "tensorrt.py").write_text(f"raise ImportError({why!r})")
    with pytest.raises(RuntimeAbsentError, match=rf"its libraries don't load: {why}; install"):
        find_tensorrt()


def test_another_package_that_is_missing_is_an_error_of_its_own(packages: Path) -> None:
    (packages / "tensorrt.py").write_text("import a_package_that_nobody_has")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
        find_tensorrt()


@pytest.mark.parametrize(
    ("flavour", "package", "other"),
    [
        (Flavour.NATIVE, "tensorrt", r'pip install "ounce\[gpu-cuda12\]"'),
        (Flavour.RTX, "tensorrt_rtx", "--runtime tensorrt"),
    ],
)
def test_a_package_for_a_newer_cuda_than_the_drivers_is_told(
    flavour: Flavour, package: str, other: str, packages: Path
) -> None:
    (packages / package).mkdir()
    (packages / package / "__init__.py").write_text("__version__ = '10.13.2'")
    found = find_tensorrt(flavour)
    assert found.cuda_major is None
    (packages / f"{package}_cu13_bindings-10.13.2.dist-info").mkdir()
    assert found.cuda_major == 13
    check_device(found, Device("NVIDIA L4", "8.9", "13.0"))
    message = rf"is for CUDA 13, and the driver for CUDA 12.4: take a newer driver, or {other}$"
    with pytest.raises(RuntimeAbsentError, match=message):
        check_device(found, Device("NVIDIA L4", "8.9", "12.4"))


def test_a_package_for_an_older_driver_is_taken_beside_the_one_for_a_newer(packages: Path) -> None:
    (packages / "tensorrt").mkdir()
    (packages / "tensorrt" / "__init__.py").write_text("__version__ = '10.13.2'")
    for major in (13, 12, 14):
        (packages / f"tensorrt_cu{major}_bindings-10.13.2.dist-info").mkdir()
    check_device(find_tensorrt(), Device("NVIDIA L4", "8.9", "12.4"))


@pytest.mark.rtx
def test_the_package_of_rtx_says_its_cuda() -> None:
    assert rtx_or_skip().cuda_major in (12, 13)


@pytest.mark.parametrize("version", ["8.6.1", "12.0.0", "unknown"])
def test_another_major_is_refused(packages: Path, version: str) -> None:
    (packages / "tensorrt.py").write_text(f"__version__ = {version!r}")
    with pytest.raises(RuntimeAbsentError, match=rf"{version} is installed; versions 10 and 11"):
        find_tensorrt()


@pytest.mark.parametrize("version", ["10.3.0", "11.4.0.106"])
def test_known_majors_are_taken(packages: Path, version: str) -> None:
    (packages / "tensorrt.py").write_text(f"__version__ = {version!r}")
    assert find_tensorrt().name == f"tensorrt {version}"


def test_the_bindings_of_rtx_are_enough(packages: Path) -> None:
    (packages / "tensorrt_rtx_bindings.py").write_text("__version__ = '1.7.1'")
    assert find_tensorrt(Flavour.RTX).name == "tensorrt-rtx 1.7.1"
