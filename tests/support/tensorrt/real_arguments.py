"""Gives each call that the code makes of CUDA to the real bindings, too, and says which were made.

No device is visible, so that none of them does anything: but first the bindings take the arguments,
or don't. A process of its own, since the first call of a process finds the devices.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime as real
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.device import (
    bus_id_of,
    find_device,
    take_device,
    used_bytes,
)
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_cuda import FakeCuda
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

NOTHING_THERE = ("cudaErrorNoDevice", "cudaErrorInsufficientDriver")
NEEDS_NO_DEVICE = ("cudaDriverGetVersion", "cudaGetErrorString")
HANDLES = {
    "cudaGraphInstantiate": real.cudaGraph_t,
    "cudaGraphDestroy": real.cudaGraph_t,
    "cudaGraphLaunch": real.cudaGraphExec_t,
    "cudaGraphExecDestroy": real.cudaGraphExec_t,
}
"""What real functions take where the fake has objects of its own. Others take events."""


class Both:
    """A fake of CUDA, each of whose calls the real bindings have taken before."""

    def __init__(self, fake: Any) -> None:
        self._fake = fake
        self.seen: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(real, name)
        is_function = callable(found) and not isinstance(found, type)
        return self._call(name, found) if is_function else found

    def _call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        handle = HANDLES.get(name, real.cudaEvent_t)

        def call(*arguments: Any) -> Any:
            self.seen.add(name)
            taken = [handle(0) if isinstance(one, list | dict) else one for one in arguments]
            code, *values = function(*taken)
            assert name in NEEDS_NO_DEVICE or code.name in NOTHING_THERE, (name, code)
            answer = getattr(self._fake, name)(*arguments)
            assert len(answer) == 1 + len(values), (name, answer, values)
            return answer

        return call


class Gpu(FakeGpu):
    """Its streams are those of the real bindings."""

    stream_type = real.cudaStream_t


def main() -> None:
    """Find a device, and load, run, time and unload an engine."""
    fake = Gpu()
    finding, running = Both(FakeCuda(cudaDeviceGetPCIBusId=b"0000:17:00.0\0")), Both(fake)
    find_device(Cuda(finding))
    take_device(Cuda(finding))
    bus_id_of(Cuda(finding))
    used_bytes(Cuda(finding))
    tensorrt = TensorRt(Flavour.NATIVE, "10.3.0", FakeTensorRt(fake))
    model = EngineModel(tensorrt, Cuda(running), perceptron().SerializeToString())
    for _ in range(3):
        model.run({"input": np.zeros((2, N_PIXELS), np.float32)})
    model.gpu_times_ms(2, 1)
    model.unload()
    print(json.dumps(sorted(finding.seen | running.seen)))


if __name__ == "__main__":
    main()
