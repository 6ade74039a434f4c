"""Which runtimes this machine can use, and why not the others."""

from dataclasses import dataclass

from ounce_schemas.errors import RuntimeAbsentError

from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import check_device, find_device, take_device
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt


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
        name, cuda = OnnxCudaRuntime().name, find_cuda()
        return Availability(name, False, True, f"{find_device(cuda)}, {take_device(cuda)}")
    except RuntimeAbsentError as e:
        return Availability("onnxruntime-cuda", False, False, str(e))


def _check_tensorrt(flavour: Flavour) -> Availability:
    is_rtx = flavour is Flavour.RTX
    try:
        found = find_tensorrt(flavour)
    except RuntimeAbsentError as e:
        return Availability(str(flavour), False, False, str(e))
    try:
        cuda = find_cuda()
        device = find_device(cuda)
        check_device(found, device)
        where, can_run = f"{device}, {take_device(cuda)}", True
    except RuntimeAbsentError as e:
        where, can_run = str(e), False
    return Availability(found.name, is_rtx or can_run, can_run, where)
