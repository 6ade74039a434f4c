"""An engine's calls on fakes of CUDA and TensorRT: sizes, graphs, memory, errors."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch
from ounce_schemas.errors import ArtifactError

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_cuda import CudaCode
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt
from tests.support.tensorrt.rtx import rtx_or_skip

CONTENT = perceptron().SerializeToString()
_LIMIT_S = 60.0


def load(gpu: FakeGpu, trt: FakeTensorRt, content: bytes = CONTENT) -> EngineModel:
    tensorrt = TensorRt(Flavour.NATIVE, "10.3.0", trt)
    model = EngineModel(tensorrt, Cuda(gpu), content)
    trt.sizes.clear()
    return model


@pytest.fixture
def gpu() -> FakeGpu:
    return FakeGpu()


def pixels(n: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(n)
    return {"input": rng.uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}


def test_batches_are_padded_up_and_large_ones_take_several_calls(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu)
    model = load(gpu, trt)
    for n in (1, 3, 16, 37):
        model.run(pixels(n))
    assert trt.sizes == [1, 4, 16, 16, 16, 8]


def test_padding_holds_no_garbage_and_changes_no_answer(gpu: FakeGpu) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    whole = model.run(pixels(7))
    assert np.isfinite(whole).all()
    for row in range(7):
        [alone] = model.run({"input": pixels(7)["input"][row : row + 1]})
        np.testing.assert_allclose(alone, whole[row], rtol=1e-5)


def test_a_call_is_one_launch_of_a_graph(gpu: FakeGpu) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    gpu.calls.clear()
    first = model.run(pixels(2))
    np.testing.assert_array_equal(model.run(pixels(2)), first)
    assert gpu.calls == 2 * ["cudaGraphLaunch", "cudaStreamSynchronize"]


def test_sizes_that_come_in_turn_all_have_graphs(gpu: FakeGpu) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    first = {n: model.run(pixels(n)) for n in (1, 2, 4)}
    for _ in range(2):
        for n, wanted in first.items():
            np.testing.assert_array_equal(model.run(pixels(n)), wanted)
    assert gpu.calls.count("cudaGraphInstantiate") == 5  # 1, 2, 4, 8, 16
    assert gpu.calls.count("cudaGraphLaunch") == 9


def test_kernels_of_all_sizes_are_compiled_by_the_load(gpu: FakeGpu) -> None:
    trt, compiled = FakeTensorRt(gpu), list[int]()
    trt.compile = compiled.append
    model = load(gpu, trt)
    assert compiled == [1, 2, 4, 8, 16]
    for n in (1, 3, 37):
        model.run(pixels(n))
    assert len(compiled) == 5


@pytest.mark.parametrize("scratch_bytes", [500, 9000])
def test_others_are_called_while_a_load_compiles(gpu: FakeGpu, scratch_bytes: int) -> None:
    trt, cuda = FakeTensorRt(gpu), Cuda(gpu)
    tensorrt, scratch = TensorRt(Flavour.RTX, "1.7.1", trt), Scratch(cuda)
    other = EngineModel(tensorrt, cuda, CONTENT, scratch)
    wanted = other.run(pixels(3))
    trt.scratch_bytes = scratch_bytes
    answers = []

    with ThreadPoolExecutor(1) as thread:

        def compile_slowly(n_items: int) -> None:
            answers.append(thread.submit(other.run, pixels(3)).result(_LIMIT_S))

        trt.compile = compile_slowly
        model = EngineModel(tensorrt, cuda, CONTENT, scratch)
    assert len(answers) == 5
    for answer in (*answers, model.run(pixels(3))):
        np.testing.assert_array_equal(answer, wanted)


def test_contexts_of_rtx_share_kernels_which_are_there_after_the_first_call(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu)
    model = EngineModel(TensorRt(Flavour.RTX, "1.7.1", trt), Cuda(gpu), CONTENT)
    assert np.isfinite(model.run(pixels(3))).all()
    assert len(trt.configs) == 5  # 1, 2, 4, 8, 16
    assert len({id(config.kernels) for config in trt.configs}) == 1
    eager = trt.DynamicShapesKernelSpecializationStrategy.EAGER
    chosen = {config.dynamic_shapes_kernel_specialization_strategy for config in trt.configs}
    assert chosen == {eager}
    model.unload()


def test_contexts_of_the_native_library_have_no_settings(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu)
    load(gpu, trt)
    assert trt.configs == []


def test_an_engine_says_how_many_items_it_takes(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu, most=3)
    load(gpu, trt).run(pixels(7))
    assert trt.sizes == [3, 3, 1]


def test_an_engine_that_no_graph_can_hold_runs_as_it_is(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu, refuses_capture=True)
    model = load(gpu, trt)
    answers = [model.run(pixels(2)) for _ in range(4)]
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])
    assert gpu.calls.count("cudaStreamBeginCapture") == 5  # once for each size
    assert "cudaGraphLaunch" not in gpu.calls


@pytest.mark.parametrize(
    ("function", "error", "destroyed"),
    [
        ("cudaStreamBeginCapture", "cudaErrorNotSupported", 0),
        ("cudaGraphInstantiate", "cudaErrorMemoryAllocation", 5),
        ("cudaGraphInstantiate", "cudaErrorNotSupported", 5),
        ("cudaGraphInstantiate", "cudaErrorNotPermitted", 5),
    ],
)
def test_a_graph_that_is_not_made_costs_nothing_else(
    gpu: FakeGpu, function: str, error: str, destroyed: int
) -> None:
    gpu.failures[function] = CudaCode[error]
    model = load(gpu, FakeTensorRt(gpu))
    answers = [model.run(pixels(2)) for _ in range(3)]
    np.testing.assert_array_equal(answers[0], answers[2])
    assert gpu.calls.count(function) == 5  # once for each size
    assert gpu.calls.count("cudaGraphDestroy") == destroyed


@pytest.mark.parametrize("function", ["cudaMalloc", "cudaMallocHost", "cudaStreamCreateWithFlags"])
def test_too_little_memory_is_told_and_leaves_nothing_behind(gpu: FakeGpu, function: str) -> None:
    gpu.failures[function] = CudaCode["cudaErrorMemoryAllocation"]
    with pytest.raises(CudaError, match=f"^{function}: cudaErrorMemoryAllocation") as found:
        load(gpu, FakeTensorRt(gpu))
    assert found.value.is_out_of_memory
    assert gpu.blocks == {}


@pytest.mark.parametrize("calls_before", [0, 1, 5])
def test_an_error_that_sticks_is_told_as_such(gpu: FakeGpu, calls_before: int) -> None:
    model = load(gpu, FakeTensorRt(gpu))
    for _ in range(calls_before):
        model.run(pixels(2))
    for function in ("cudaStreamSynchronize", "cudaMemcpyAsync", "cudaGraphLaunch"):
        gpu.failures[function] = CudaCode["cudaErrorIllegalAddress"]
    with pytest.raises(CudaError) as found:
        model.run(pixels(2))
    assert found.value.is_sticky


def test_a_gpu_that_breaks_behind_a_refused_capture_is_told(gpu: FakeGpu) -> None:
    gpu.failures["cudaStreamEndCapture"] = CudaCode["cudaErrorIllegalAddress"]
    with pytest.raises(CudaError, match=r"^cudaStreamEndCapture: cudaErrorIllegalAddress"):
        load(gpu, FakeTensorRt(gpu, refuses_capture=True))


def test_an_engine_that_tensorrt_does_not_take_is_refused(gpu: FakeGpu) -> None:
    with pytest.raises(ArtifactError, match=r"tensorrt 10.3.0 does not take the engine"):
        load(gpu, FakeTensorRt(gpu), b"no engine")


NO_ROOM = [
    "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
    "Error Code 2: OutOfMemory (no further information)",
]
BROKEN = ["Error Code 1: Cuda Runtime (an illegal memory access was encountered)"]


@pytest.mark.parametrize("what", ["engine", "context", "call"])
def test_what_tensorrt_finds_no_memory_for_is_not_the_models_fault(gpu: FakeGpu, what: str) -> None:
    trt = FakeTensorRt(gpu)
    trt.failures[what] = NO_ROOM
    with pytest.raises(CudaError, match=r"^tensorrt 10.3.0: .* Cuda Runtime \(out of") as found:
        load(gpu, trt).run(pixels(2))
    assert (found.value.is_out_of_memory, found.value.is_sticky) == (True, False)
    assert gpu.blocks == {}


@pytest.mark.parametrize("what", ["runtime", "engine", "context", "address", "shape", "call"])
def test_where_tensorrt_fails_since_the_gpu_is_broken_that_is_told(gpu: FakeGpu, what: str) -> None:
    trt = FakeTensorRt(gpu)
    trt.failures[what] = BROKEN
    gpu.failures["cudaMemGetInfo"] = CudaCode["cudaErrorIllegalAddress"]
    with pytest.raises(CudaError, match="cudaErrorIllegalAddress") as found:
        load(gpu, trt).run(pixels(2))
    assert found.value.is_sticky


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("runtime", "does not start: why"),
        ("context", "makes no context: why"),
        ("address", "takes no memory for 'input': why"),
        ("shape", "refuses 1 item of 'input': why"),
        ("call", "can't run a batch of 1 item: why"),
    ],
)
def test_what_tensorrt_does_not_do_is_told_with_its_reason(
    gpu: FakeGpu, what: str, message: str
) -> None:
    trt = FakeTensorRt(gpu)
    trt.failures[what] = ["why", "in general"]
    with pytest.raises(RuntimeError, match=f"^tensorrt 10.3.0 {message}$"):
        load(gpu, trt).run(pixels(2))


def test_a_reason_is_of_this_failure_and_not_of_one_before(gpu: FakeGpu) -> None:
    trt = FakeTensorRt(gpu)
    for reason in (NO_ROOM, ["another version"]):
        trt.failures["engine"] = reason
        with pytest.raises((ArtifactError, CudaError), match=re.escape(reason[0])):
            load(gpu, trt)


def test_a_gpu_that_breaks_while_a_graph_is_captured_is_told(gpu: FakeGpu) -> None:
    gpu.failures["cudaStreamEndCapture"] = CudaCode["cudaErrorIllegalAddress"]
    with pytest.raises(CudaError) as found:
        load(gpu, FakeTensorRt(gpu, refuses_capture=True))
    assert found.value.is_sticky


@pytest.mark.rtx
@pytest.mark.parametrize(
    ("content", "why"), [(b"", "API Usage Error"), (b"no engine" * 100, "Serialization")]
)
def test_the_reason_of_rtx_is_told(gpu: FakeGpu, content: bytes, why: str) -> None:
    message = f"does not take the engine: IRuntime::deserializeCudaEngine: .*{why}"
    with pytest.raises(ArtifactError, match=message):
        EngineModel(rtx_or_skip(), Cuda(gpu), content)
