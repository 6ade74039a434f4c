"""An engine that is unloaded leaves nothing on the GPU. CUDA and TensorRT are fakes."""

import gc
from collections.abc import Iterator

import pytest
from ounce_edge.models.runtimes.tensorrt import engine
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt

from tests.support.tensorrt.bench import CONTENT, pixels
from tests.support.tensorrt.fake_cuda import CudaCode
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu()


def load(gpu: FakeGpu, trt: FakeTensorRt) -> EngineModel:
    return EngineModel(TensorRt(Flavour.NATIVE, "10.3.0", trt), Cuda(gpu), CONTENT)


def test_unloading_gives_all_memory_back(gpu: FakeGpu) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    for _ in range(3):
        model.run(pixels(2))
    assert len(gpu.blocks) == 5
    model.unload()
    assert gpu.blocks == {}
    assert gpu.calls.count("cudaGraphExecDestroy") == gpu.calls.count("cudaGraphInstantiate") == 5


@pytest.fixture
def _no_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(engine.logger, "disabled", True)  # pytest keeps what is logged
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_garbage_collection")
@pytest.mark.parametrize(
    "function", ["", "cudaMemcpyAsync", "cudaGraphInstantiate", "cudaGraphExecDestroy"]
)
def test_contexts_are_gone_with_their_engine(gpu: FakeGpu, function: str) -> None:
    """Also where CUDA fails: an error that is kept would keep them."""
    trt = FakeTensorRt(gpu, refuses_capture=not function)
    trt.context_bytes = 500

    def fail() -> None:
        if function:
            gpu.failures[function] = CudaCode["cudaErrorInvalidValue"]

    trt.captures = fail
    try:
        model = load(gpu, trt)
    except CudaError:  # of the calls behind the capture, which can't copy
        assert function == "cudaMemcpyAsync"
    else:
        model.unload()
    assert gpu.blocks == {}


def test_what_is_not_given_back_stops_nothing_else(
    gpu: FakeGpu, caplog: pytest.LogCaptureFixture
) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    gpu.calls.clear()
    for function in ("cudaGraphExecDestroy", "cudaFree", "cudaFreeHost", "cudaStreamDestroy"):
        gpu.failures[function] = CudaCode["cudaErrorInvalidValue"]
    model.unload()
    tried = {name: gpu.calls.count(name) for name in gpu.failures}
    assert tried == {
        "cudaGraphExecDestroy": 5, "cudaFree": 3, "cudaFreeHost": 2, "cudaStreamDestroy": 1
    }  # fmt: skip
    [told] = caplog.messages
    assert "not given back: cudaGraphExecDestroy" in told
