"""Engines of one process, on fakes of CUDA and TensorRT."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

CONTENT = perceptron().SerializeToString()


class Bench:
    """Engines that share a GPU and its scratch memory."""

    def __init__(self, flavour: Flavour = Flavour.NATIVE) -> None:
        self.gpu = FakeGpu()
        self.trt = FakeTensorRt(self.gpu)
        self.tensorrt = TensorRt(flavour, "10.3.0", self.trt)
        self.cuda = Cuda(self.gpu)
        self.scratch = Scratch(self.cuda)

    def load(self, scratch_bytes: int, content: bytes = CONTENT) -> EngineModel:
        """The engine of a model; it needs so much scratch memory."""
        self.trt.scratch_bytes = scratch_bytes
        return EngineModel(self.tensorrt, self.cuda, content, self.scratch)

    def leave(self, n_bytes: int) -> None:
        """Only so many are free of the GPU."""
        self.gpu.total_bytes += n_bytes - self.gpu.free_bytes

    @property
    def block_bytes(self) -> int:
        """Of the scratch memory."""
        return ctypes.sizeof(self.gpu.blocks[self.scratch.address])


def pixels(n: int) -> dict[str, NDArray[Any]]:
    """So many items."""
    return {"input": np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}
