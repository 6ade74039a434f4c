"""The GPU that engines are built for and run on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ounce_schemas.errors import RuntimeAbsentError

from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt

OLD_DRIVER = "cudaErrorInsufficientDriver"
"""The driver does not know the CUDA of these bindings, or there is none."""
_NO_DRIVER = (OLD_DRIVER, "cudaErrorNoDevice", "cudaErrorStubLibrary")
_HINTS = {
    "cudaErrorDevicesUnavailable": "; another process has it alone: `nvidia-smi -q -d COMPUTE` "
    "shows its compute mode, and `nvidia-smi -c DEFAULT` lets several use it",
    "cudaErrorSystemNotReady": "; GPUs that NVSwitch joins need the service nvidia-fabricmanager, "
    "of the driver's version",
    "cudaErrorSystemDriverMismatch": "; the driver was changed while it ran: restart the machine",
}
_OTHER_CUDA = 12
"""What the extra for older drivers is for."""
_FIRST = 0
_AMPERE_AND_ADA = ("8.0", "8.6", "8.9")
_BLACKWELL = 12
"""Compute capabilities, and a major one from which on, of what engines of TensorRT for RTX run on.
Turing, 7.5, needs other engines (TensorRT for RTX, CPU-only AOT, Compute Capability)."""
_BUS_ID_BYTES = 32
"""13 are needed."""


@dataclass(frozen=True)
class Device:
    """A GPU."""

    name: str
    capability: str
    """Compute capability, for example `8.9`."""
    driver: str
    """Newest CUDA that the driver knows, for example `13.0`."""

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability}, driver for CUDA {self.driver}"


ANY = Device("any", "any", "any")
"""What engines of TensorRT for RTX are built for: they are finished on the GPU that runs them."""


def find_device(cuda: Cuda) -> Device:
    """The first GPU. Nothing is taken of it, so that a process which has engines built keeps none
    from others.

    Raises:
        RuntimeAbsentError: there is no driver, or an old one, or no GPU.
    """
    with _told(cuda):
        n = cuda.call("cudaGetDeviceCount")
        driver = cuda.call("cudaDriverGetVersion")
        if n < 1:
            raise RuntimeAbsentError("CUDA: the driver finds no GPU")
        properties = cuda.call("cudaGetDeviceProperties", _FIRST)
    return Device(
        name=properties.name.decode().strip("\0"),
        capability=f"{properties.major}.{properties.minor}",
        driver=_version(driver),
    )


def take_device(cuda: Cuda) -> str:
    """Have the first GPU make room for this process, as its first use does; what memory is left.

    Raises:
        RuntimeAbsentError: it does not.
    """
    with _told(cuda):
        free_bytes, total_bytes = cuda.call("cudaMemGetInfo")
    return f"{free_bytes / 1e9:.1f} of {total_bytes / 1e9:.1f} GB free"


@contextmanager
def _told(cuda: Cuda) -> Iterator[None]:
    try:
        yield
    except CudaError as e:
        hint = _hint(cuda, e.code) if e.code in _NO_DRIVER else _HINTS.get(e.code, "")
        raise RuntimeAbsentError(f"CUDA: no GPU can be used: {e}{hint}") from e


def _hint(cuda: Cuda, code: str) -> str:
    try:
        driver = cuda.call("cudaDriverGetVersion")  # 0 where there is none
    except CudaError:
        driver = 0
    if driver == 0:
        return "; install NVIDIA's driver, and in a container run it with --gpus all"
    if code != OLD_DRIVER:
        return (
            "; `nvidia-smi -L` lists those that are there; see to CUDA_VISIBLE_DEVICES, too, and "
            "in MIG mode to an instance"
        )
    packages = ', or packages for it, with pip install "ounce[gpu-cuda12]"'
    return (
        f"; the driver is for CUDA {_version(driver)}: take a newer one"
        f"{packages if driver // 1000 == _OTHER_CUDA else ''}"
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def check_device(tensorrt: TensorRt, device: Device) -> None:
    """Whether a TensorRT runs there.

    Raises:
        RuntimeAbsentError: it does not.
    """
    needed, is_rtx = tensorrt.cuda_major, tensorrt.flavour is Flavour.RTX
    if needed is not None and int(device.driver.partition(".")[0]) < needed:
        other = "--runtime tensorrt" if is_rtx else 'pip install "ounce[gpu-cuda12]"'
        raise RuntimeAbsentError(
            f"{tensorrt.name}: is for CUDA {needed}, and the driver for CUDA {device.driver}: take "
            f"a newer driver, or {other}"
        )
    major = int(device.capability.partition(".")[0])
    if is_rtx and device.capability not in _AMPERE_AND_ADA and major < _BLACKWELL:
        raise RuntimeAbsentError(
            f"{device.name}: what TensorRT for RTX builds does not run on compute capability "
            f"{device.capability}, but on {', '.join(_AMPERE_AND_ADA)}, and from {_BLACKWELL}.0 "
            "on; take --runtime tensorrt"
        )


def used_bytes(cuda: Cuda) -> int:
    """Memory of the GPU that is taken, by whomever.

    Raises:
        CudaError: the GPU fails.
    """
    free_bytes, total_bytes = cuda.call("cudaMemGetInfo")
    return int(total_bytes - free_bytes)


def bus_id_of(cuda: Cuda) -> str:
    """Where the first GPU is on the PCI bus, for example `0000:17:00.0`.

    Raises:
        CudaError: there is none.
    """
    name = cuda.call("cudaDeviceGetPCIBusId", _BUS_ID_BYTES, _FIRST)
    return bytes(name).split(b"\0")[0].decode()
