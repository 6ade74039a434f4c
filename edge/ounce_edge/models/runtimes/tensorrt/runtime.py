"""TensorRT as a runtime: it loads engines that are in the cache. None is built here, since a build
takes minutes, in which nothing else would be answered."""

import threading
import weakref
from dataclasses import replace
from pathlib import Path

from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.base import EngineAbsentError, LoadedModel
from ounce_edge.models.runtimes.gpu_meters import GpuMeters
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, find_cuda
from ounce_edge.models.runtimes.tensorrt.device import (
    ANY,
    Device,
    check_device,
    find_device,
    take_device,
    used_bytes,
)
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import Target
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt
from ounce_edge.models.runtimes.tensorrt.rtx_contexts import KeptKernels
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch


class TensorRtRuntime:
    """Implements `Runtime`.

    Args:
        target: TensorRT, what engines are built for, and the batch profile.
        cuda: of this process.
        cache: of engines.
        device: the GPU that runs them, where they are built for any.
    """

    def __init__(
        self, target: Target, cuda: Cuda, cache: EngineCache, device: Device | None = None
    ) -> None:
        self.target, self.cuda, self.cache = target, cuda, cache
        self.device = device or target.device
        self._scratch = Scratch(cuda)
        self._meters = GpuMeters()
        self._lock = threading.Lock()
        """Of whoever adds a model, or looks at all: loads are beside calls."""
        self._models = weakref.WeakSet[EngineModel]()
        self._first_bytes = 0

    @property
    def name(self) -> str:
        """Name and version of TensorRT."""
        return self.target.tensorrt.name

    @property
    def threads(self) -> int:
        """One of the CPU; the rest happens on the GPU."""
        return 1

    @property
    def used_bytes(self) -> int:
        """Memory of the GPU that this process has taken; 0 where the driver does not say it now.

        Where it never does, what was taken at the start by whomever, and since then by the process
        itself: all that it allocated, and engines as large as their files.
        """
        own_bytes = self._meters.own_bytes
        if own_bytes is not None:
            return own_bytes
        with self._lock:
            engines = sum(model.engine_bytes for model in self._models)
        return self._first_bytes + sum(list(self.cuda.taken.values())) + engines

    @property
    def joules(self) -> float | None:
        """Energy that the GPU has used since some time; None where nothing measures it."""
        return self._meters.joules

    def find_meters(self) -> None:
        """Find what measures the GPU's energy, and this process's memory, where there is any."""
        self._first_bytes = used_bytes(self.cuda)
        self._meters = GpuMeters(self.cuda)

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load the engine of an ONNX file.

        Raises:
            EngineAbsentError: there is none in the cache.
            ArtifactError: none could be built, or TensorRT does not take it.
            CudaError: the GPU has too little memory.
        """
        key = self.target.key(content)
        engine = self.cache.read(key)
        if engine is None:
            reason = self.cache.refusals.find(key)
            if reason is not None:
                raise ArtifactError(f"{path}: {reason}")
            task = path.parts[-3] if len(path.parts) > 2 else "TASK"
            flavour = self.target.tensorrt.flavour
            option = "" if flavour is Flavour.NATIVE else f" --tensorrt {flavour}"
            raise EngineAbsentError(
                f"{path}: has no engine of {self.name} for {self.target.device.name}; build it "
                f"with `ounce engines build {task}{option}`, which says why where it can't be built"
            )
        own_key = replace(self.target, device=self.device).key(content)
        kernels = KeptKernels(self.cache, own_key, "/".join(path.parts[-3:-1]))
        try:
            model = EngineModel(self.target.tensorrt, self.cuda, engine, self._scratch, kernels)
        except Exception as e:
            if not getattr(e, "is_sticky", False):  # after others this process ends
                kernels.approve()
            raise
        with self._lock:
            self._models.add(model)
        return model


def make_tensorrt(cache: Path, flavour: Flavour = Flavour.NATIVE) -> TensorRtRuntime:
    """The runtime on the first GPU.

    Raises:
        RuntimeAbsentError: TensorRT, the driver or the GPU is absent.
        ArtifactError: the cache can't be used.
    """
    tensorrt, cuda = find_tensorrt(flavour), find_cuda()
    device = find_device(cuda)
    check_device(tensorrt, device)
    take_device(cuda)
    target = Target(tensorrt, ANY if flavour is Flavour.RTX else device, BatchProfile())
    runtime = TensorRtRuntime(target, cuda, EngineCache(cache), device)
    runtime.find_meters()
    return runtime
