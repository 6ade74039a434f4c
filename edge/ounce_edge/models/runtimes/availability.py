"""Which runtimes this machine can use, and why not the others."""

from dataclasses import dataclass

from ounce_schemas.errors import RuntimeAbsentError

from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import Device, find_device
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt

_NO_RTX = "9.0"
"""Compute capability of data-centre GPUs that TensorRT for RTX does not run on."""


@dataclass(frozen=True)
class Availability:
    """What can be done with a runtime here."""

    name: str
    """With its version, where it is there."""
    can_build: bool
    """Whether engines can be built."""
    can_run: bool
    where: str
    """The device; or why it can't run."""


def check_runtimes() -> list[Availability]:
    """All that Ounce knows. Nothing is loaded but libraries."""
    cpu = Availability(OnnxCpuRuntime().name, False, True, "CPU")
    return [cpu, _check_cuda(), *(_check_tensorrt(flavour) for flavour in Flavour)]


def _check_cuda() -> Availability:
    try:
        name = OnnxCudaRuntime().name
        return Availability(name, False, True, str(find_device(find_cuda())))
    except RuntimeAbsentError as e:
        return Availability("onnxruntime-cuda", False, False, str(e))


def _check_tensorrt(flavour: Flavour) -> Availability:
    try:
        found = find_tensorrt(flavour)
    except RuntimeAbsentError as e:
        return Availability(str(flavour), False, False, str(e))
    try:
        device: Device | None = find_device(find_cuda())
        where = str(device)
    except RuntimeAbsentError as e:
        device, where = None, str(e)
    is_rtx = flavour is Flavour.RTX
    if device is not None and is_rtx and device.capability == _NO_RTX:
        where = f"{device.name}: TensorRT for RTX does not run on compute capability {_NO_RTX}"
        device = None
    return Availability(found.name, is_rtx or device is not None, device is not None, where)
