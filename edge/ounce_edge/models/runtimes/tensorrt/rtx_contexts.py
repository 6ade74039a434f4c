"""Execution contexts of TensorRT for RTX, which compiles kernels where they run."""

import logging
from typing import Any

from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.engine_key import EngineKey

logger = logging.getLogger(__name__)


class KeptKernels:
    """Where the compiled kernels of an engine are kept between loads.

    Args:
        cache: beside its engines.
        key: of the engine, on the GPU that runs it.
        model: `<task>/<model>`, for people.
    """

    def __init__(self, cache: EngineCache, key: EngineKey, model: str) -> None:
        self._cache, self._key, self._model = cache, key, model
        self._is_trying = False

    def read(self) -> bytes | None:
        """All that were kept; None where none were, or a process died of them before `approve`."""
        kernels = self._cache.read_kernels(self._key)
        self._is_trying = kernels is not None
        return kernels

    def approve(self) -> None:
        """What was read does no harm."""
        if self._is_trying:
            self._cache.approve_kernels(self._key)
            self._is_trying = False

    def write(self, kernels: bytes) -> None:
        """Keep them, in place of those before. A folder that can't be written is told alone."""
        try:
            self._cache.write_kernels(self._key, self._model, kernels)
        except ArtifactError as e:
            logger.warning("kernels of %s are compiled again by each load: %s", self._model, e)


class RtxContexts:
    """Makes the contexts of one engine. It has to be there as long as they are.

    What one compiles the others need not, nor does a later load. A size's kernels are there after
    its first call: by default slower ones stand in for them meanwhile, which a graph would hold for
    good.

    Args:
        trt: the module.
        engine: of it.
        kept: kernels of an earlier load; None where none are to be kept.
    """

    def __init__(self, trt: Any, engine: Any, kept: KeptKernels | None = None) -> None:
        self._trt, self._engine, self._store = trt, engine, kept
        self._kernels: Any = None
        self._n_bytes = 0
        """Of what is kept. Each kernel that is new makes it more; an order of its own makes nothing
        to write again."""
        self._kept: list[Any] = []

    def make(self) -> Any:
        """Another one, whose memory is the user's; None where TensorRT makes none."""
        trt, engine = self._trt, self._engine
        settings = engine.create_runtime_config()
        if self._kernels is None:
            self._kernels = self._find(settings)
        settings.set_runtime_cache(self._kernels)
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        settings.dynamic_shapes_kernel_specialization_strategy = eager
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        settings.set_execution_context_allocation_strategy(strategy)
        self._kept.append(settings)
        return engine.create_execution_context(settings)

    def keep(self) -> None:
        """Keep what was compiled since the last time, for a later load. A call has run by then."""
        if self._store is None or self._kernels is None:
            return
        self._store.approve()
        kernels = self._kernels
        memory = kernels.serialize()
        found = b"" if memory is None else bytes(memory)
        if found and len(found) != self._n_bytes:
            self._store.write(found)
            self._n_bytes = len(found)

    def _find(self, settings: Any) -> Any:
        kernels = settings.create_runtime_cache()
        known = None if self._store is None else self._store.read()
        if known is None:
            return kernels
        if kernels.deserialize(known):
            self._n_bytes = len(known)
        else:  # it looks at its own version, the GPU and the driver
            logger.info("TensorRT for RTX does not take its kernels of before: it compiles them")
        return kernels
