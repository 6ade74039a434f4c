"""Execution contexts of TensorRT for RTX, which compiles kernels where they run."""

from typing import Any


class RtxContexts:
    """Makes the contexts of one engine. It has to be there as long as they are.

    What one compiles the others need not. A size's kernels are there after its first call: by
    default slower ones stand in for them meanwhile, which a graph would hold for good.

    Args:
        trt: the module.
        engine: of it.
    """

    def __init__(self, trt: Any, engine: Any) -> None:
        self._trt, self._engine = trt, engine
        self._kernels: Any = None
        self._kept: list[Any] = []

    def make(self) -> Any:
        """Another one, whose memory is the user's; None where TensorRT makes none."""
        trt, engine = self._trt, self._engine
        settings = engine.create_runtime_config()
        if self._kernels is None:
            self._kernels = settings.create_runtime_cache()
        settings.set_runtime_cache(self._kernels)
        eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        settings.dynamic_shapes_kernel_specialization_strategy = eager
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        settings.set_execution_context_allocation_strategy(strategy)
        self._kept.append(settings)
        return engine.create_execution_context(settings)
