"""ONNX Runtime with CUDA on a real GPU: `make test-gpu`, with onnxruntime-gpu installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_schemas.errors import RuntimeAbsentError
from ounce_schemas.task import TaskSpec

from tests.contracts.runtimes.contract import RuntimeContract
from tests.contracts.runtimes.test_onnx_cpu import classifier
from tests.support.edge.ladders import DIGITS
from tests.support.networks import N_PIXELS, convolutional, perceptron

pytestmark = pytest.mark.gpu
PATH = Path("models/digits/net/model.onnx")


def cuda_or_skip() -> OnnxCudaRuntime:
    try:
        return OnnxCudaRuntime()
    except RuntimeAbsentError as e:
        pytest.skip(str(e))


class TestOnnxCudaRuntimeOnAGpu(RuntimeContract):
    """The suite of all runtimes."""

    tasks = (DIGITS,)

    def runtime(self) -> Runtime:
        return cuda_or_skip()

    def content(self, task: TaskSpec) -> bytes:
        return bytes(classifier().SerializeToString())


@pytest.mark.parametrize("make", [perceptron, convolutional])
def test_answers_are_those_of_the_cpu(make: Any) -> None:
    runtime, content = cuda_or_skip(), make().SerializeToString()
    on_gpu, on_cpu = (one.load(PATH, content) for one in (runtime, OnnxCpuRuntime()))
    for n in (1, 2, 5, 64, 256, 300, 1):
        rows = np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)
        wanted = on_cpu.run({"input": rows})
        limit = 1e-3 * np.abs(wanted).max()
        np.testing.assert_allclose(on_gpu.run({"input": rows}), wanted, rtol=0, atol=limit)
    assert runtime.used_bytes > 0
