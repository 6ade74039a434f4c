"""A real GPU, as tests find it."""

from pathlib import Path
from typing import NamedTuple

from ounce_edge.models.runtimes.tensorrt import runtime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.engines import Target, find_engine
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime
from ounce_schemas.errors import RuntimeAbsentError

PATH = Path("models/digits/net/model.onnx")


class Gpu(NamedTuple):
    """What is found, and a folder of engines that the tests of this file share."""

    target: Target
    cuda: Cuda
    cache: EngineCache
    made: TensorRtRuntime

    def runtime(self) -> TensorRtRuntime:
        """Another one, which shares nothing but the folder."""
        return TensorRtRuntime(self.target, self.cuda, self.cache, self.made.device)

    def build(self, content: bytes) -> bytes:
        """The engine of a model, built once."""
        return find_engine(self.cache, self.target, PATH, content, unheard)[0]


def unheard(phase: str, share: float) -> None:
    pass


def works() -> bool:
    """Whether this process can use the GPU: after some errors no call does any more."""
    try:
        runtime.find_cuda().call("cudaMemGetInfo")
    except (RuntimeAbsentError, CudaError):
        return False
    return True
