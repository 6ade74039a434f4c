"""The GPU that is found, or why there is none. CUDA is a fake, but for the last test."""

import sys

import pytest
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError, find_cuda
from ounce_edge.models.runtimes.tensorrt.device import Device, find_device, take_device
from ounce_schemas.errors import RuntimeAbsentError

from tests.support.tensorrt.fake_cuda import CudaCode, FakeCuda


def test_a_gpu_is_described() -> None:
    gpu = FakeCuda()
    device = find_device(Cuda(gpu))
    assert device == Device("NVIDIA L4", "8.9", "12.6")
    assert str(device) == "NVIDIA L4, compute capability 8.9, driver for CUDA 12.6"
    assert take_device(Cuda(gpu)) == "20.0 of 24.0 GB free"


def test_a_gpu_is_found_without_taking_any_of_it() -> None:
    gpu = FakeCuda()
    find_device(Cuda(gpu))
    makes_no_context = {"cudaGetDeviceCount", "cudaDriverGetVersion", "cudaGetDeviceProperties"}
    assert set(gpu.calls) == makes_no_context


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (CudaCode.cudaErrorDevicesUnavailable, "another process has it alone"),
        (CudaCode.cudaErrorSystemNotReady, "nvidia-fabricmanager"),
        (CudaCode.cudaErrorSystemDriverMismatch, "restart the machine"),
    ],
)
def test_what_keeps_a_gpu_from_a_process_is_told_with_what_to_do(
    error: CudaCode, hint: str
) -> None:
    message = f"^CUDA: no GPU can be used: cudaMemGetInfo: {error.name}: .*{hint}"
    with pytest.raises(RuntimeAbsentError, match=message):
        take_device(Cuda(FakeCuda(cudaMemGetInfo=error)))


@pytest.mark.parametrize(
    "error", [CudaCode.cudaErrorInsufficientDriver, CudaCode.cudaErrorNoDevice]
)
def test_no_driver_is_told_with_what_to_install(error: CudaCode) -> None:
    message = rf"^CUDA: no GPU can be used: cudaGetDeviceCount: {error.name}: .*NVIDIA's driver"
    with pytest.raises(RuntimeAbsentError, match=message):
        find_device(Cuda(FakeCuda(cudaGetDeviceCount=error, cudaDriverGetVersion=0)))


def test_a_driver_that_finds_no_gpu_is_not_called_too_old() -> None:
    hidden = FakeCuda(cudaGetDeviceCount=CudaCode.cudaErrorNoDevice)
    with pytest.raises(RuntimeAbsentError, match=r"cudaErrorNoDevice: .*CUDA_VISIBLE_DEVICES"):
        find_device(Cuda(hidden))


def test_a_stub_of_cuda_that_knows_no_version_is_no_driver() -> None:
    stub = CudaCode.cudaErrorStubLibrary
    with pytest.raises(RuntimeAbsentError, match=r"cudaErrorStubLibrary: .*NVIDIA's driver"):
        find_device(Cuda(FakeCuda(cudaGetDeviceCount=stub, cudaDriverGetVersion=stub)))


def test_a_driver_that_is_too_old_is_told_with_packages_that_suit_it() -> None:
    old = FakeCuda(cudaGetDeviceCount=CudaCode.cudaErrorInsufficientDriver)
    with pytest.raises(
        RuntimeAbsentError, match=r'is for CUDA 12\.6: take .* pip install "ounce\[gpu-cuda12\]"$'
    ):
        find_device(Cuda(old))


def test_for_a_driver_that_no_package_suits_a_newer_one_is_asked_for() -> None:
    failing = CudaCode.cudaErrorInsufficientDriver
    older = FakeCuda(cudaGetDeviceCount=failing, cudaDriverGetVersion=11_040)
    with pytest.raises(RuntimeAbsentError, match=r"is for CUDA 11\.4: take a newer one$"):
        find_device(Cuda(older))


def test_a_gpu_that_fails_is_told() -> None:
    cuda = Cuda(FakeCuda(cudaMemGetInfo=CudaCode.cudaErrorIllegalAddress))
    with pytest.raises(RuntimeAbsentError, match=r"cudaMemGetInfo: cudaErrorIllegalAddress: text"):
        take_device(cuda)


def test_no_gpu_is_told() -> None:
    with pytest.raises(RuntimeAbsentError, match="the driver finds no GPU"):
        find_device(Cuda(FakeCuda(cudaGetDeviceCount=0)))


@pytest.mark.parametrize(
    ("error", "is_sticky", "is_out_of_memory"),
    [
        (CudaCode.cudaErrorInvalidValue, False, False),
        (CudaCode.cudaErrorMemoryAllocation, False, True),
        (CudaCode.cudaErrorIllegalAddress, True, False),
    ],
)
def test_errors_that_stick_are_told_apart(
    error: CudaCode, is_sticky: bool, is_out_of_memory: bool
) -> None:
    cuda = Cuda(FakeCuda(cudaMalloc=error))
    with pytest.raises(CudaError, match=rf"^cudaMalloc: {error.name}: text of") as found:
        cuda.call("cudaMalloc", 1)
    assert (found.value.is_sticky, found.value.is_out_of_memory) == (is_sticky, is_out_of_memory)


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(RuntimeAbsentError, match=r"cuda-bindings does not load: .*ounce\[gpu\]"):
        find_cuda()


@pytest.mark.rtx
def test_the_real_bindings_have_the_names_and_errors_of_the_fake() -> None:
    pytest.importorskip("cuda.bindings.runtime")
    cuda = find_cuda()
    for error in CudaCode:
        assert int(getattr(cuda.api.cudaError_t, error.name)) == error
    code, _ = cuda.api.cudaGetDeviceCount()
    assert code.name in cuda.api.cudaError_t.__members__
