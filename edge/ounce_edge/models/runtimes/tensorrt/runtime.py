"""TensorRT as a runtime: it loads engines that are in the cache. None is built here, since a build
takes minutes, in which nothing else would be answered."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.base import EngineAbsentError, LoadedModel
from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError, find_cuda
from ounce_edge.models.runtimes.tensorrt.device import (
    ANY,
    bus_id_of,
    check_rtx,
    find_device,
    take_device,
    used_bytes,
)
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import Target
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch


class TensorRtRuntime:
    """Implements `Runtime`.

    Args:
        target: TensorRT, the GPU and the batch profile.
        cuda: of this process.
        cache: of engines.
    """

    def __init__(self, target: Target, cuda: Cuda, cache: EngineCache) -> None:
        self._target, self._cuda, self._cache = target, cuda, cache
        self._scratch = Scratch(cuda)
        self._read_joules: Callable[[], float] | None = None

    @property
    def name(self) -> str:
        """Name and version of TensorRT."""
        return self._target.tensorrt.name

    @property
    def threads(self) -> int:
        """One of the CPU; the rest happens on the GPU."""
        return 1

    @property
    def used_bytes(self) -> int:
        """Memory of the GPU that is taken, by whomever."""
        return used_bytes(self._cuda)

    @property
    def joules(self) -> float | None:
        """Energy that the GPU has used since some time; None where nothing measures it."""
        return None if self._read_joules is None else self._read_joules()

    def count_energy(self) -> None:
        """Find what measures the GPU's energy, where there is any."""
        with suppress(CudaError):  # a GPU that is on no bus
            self._read_joules = find_gpu_energy(bus_id_of(self._cuda))

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load the engine of an ONNX file.

        Raises:
            EngineAbsentError: there is none in the cache.
            ArtifactError: none could be built, or TensorRT does not take it.
            CudaError: the GPU has too little memory.
        """
        key = self._target.key(content)
        engine = self._cache.read(key)
        if engine is None:
            reason = self._cache.refusals.find(key)
            if reason is not None:
                raise ArtifactError(f"{path}: {reason}")
            task = path.parts[-3] if len(path.parts) > 2 else "TASK"
            flavour = self._target.tensorrt.flavour
            option = "" if flavour is Flavour.NATIVE else f" --tensorrt {flavour}"
            raise EngineAbsentError(
                f"{path}: has no engine of {self.name} for {self._target.device.name}; build it "
                f"with `ounce engines build {task}{option}`, which says why where it can't be built"
            )
        return EngineModel(self._target.tensorrt, self._cuda, engine, self._scratch)


def make_tensorrt(cache: Path, flavour: Flavour = Flavour.NATIVE) -> TensorRtRuntime:
    """The runtime on the first GPU.

    Raises:
        RuntimeAbsentError: TensorRT, the driver or the GPU is absent.
        ArtifactError: the cache can't be used.
    """
    tensorrt, cuda = find_tensorrt(flavour), find_cuda()
    device = find_device(cuda)
    if flavour is Flavour.RTX:
        check_rtx(device)
        device = ANY
    take_device(cuda)
    target = Target(tensorrt, device, BatchProfile())
    runtime = TensorRtRuntime(target, cuda, EngineCache(cache))
    runtime.count_energy()
    return runtime
