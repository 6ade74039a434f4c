"""TensorRT, and TensorRT for RTX where it runs, on a real GPU: `make test-gpu`.

`tests/edge/models/tensorrt/test_gpu_suite.py` runs this file on fakes.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.gpu_memory import find_own_memory
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.device import bus_id_of, used_bytes
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import Target, find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime, make_tensorrt
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.export.standard import standardize
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import emit
from ounce_exporters.lighter.forms import Form, convert
from ounce_schemas.errors import RuntimeAbsentError
from ounce_schemas.task import TaskSpec
from sklearn.ensemble import RandomForestClassifier

from tests.contracts.runtimes.contract import RuntimeContract
from tests.contracts.runtimes.test_onnx_cpu import classifier
from tests.support.edge.ladders import DIGITS
from tests.support.networks import N_CLASSES, N_PIXELS, convolutional, perceptron

pytestmark = pytest.mark.gpu
SIZES = (1, 2, 5, 64, 256, 300, 1)
PATH = Path("models/digits/net/model.onnx")
_LIMIT_S = 120.0


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


@pytest.fixture(scope="module", params=list(Flavour))
def gpu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gpu:
    folder = tmp_path_factory.mktemp("engines") / "own"
    try:
        made = make_tensorrt(folder, request.param)
    except RuntimeAbsentError as e:
        pytest.skip(str(e))
    return Gpu(made.target, made.cuda, EngineCache(folder), made)


def unheard(phase: str, share: float) -> None:
    pass


def pixels(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}


def with_gaps(n: int) -> dict[str, NDArray[Any]]:
    rows = pixels(n)["input"]
    rows[::2, ::3] = np.nan
    return {"input": rows}


def in_bytes(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).integers(0, 256, (n, 8, 8, 1), np.uint8)}


def linear(kind: int, shape: tuple[int, ...], nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    """What `nodes` make of `input`, as `rows`, times weights."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, (N_PIXELS, N_CLASSES)).astype(np.float32)
    constants = {
        "weights": weights,
        "fills": rng.uniform(0, 1, (1, N_PIXELS)).astype(np.float32),
        "flat": np.array([-1, N_PIXELS], np.int64),
    }
    used = {name for node in nodes for name in node.input} | {"weights"}
    graph = helper.make_graph(
        [*nodes, helper.make_node("MatMul", ["rows", "weights"], [UNCALIBRATED])],
        "linear",
        [helper.make_tensor_value_info("input", kind, ["batch", *shape])],
        [helper.make_tensor_value_info(UNCALIBRATED, TensorProto.FLOAT, ["batch", N_CLASSES])],
        [numpy_helper.from_array(c, name) for name, c in constants.items() if name in used],
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


def filling() -> onnx.ModelProto:
    nodes = [
        helper.make_node("IsNaN", ["input"], ["gaps"]),
        helper.make_node("Where", ["gaps", "fills", "input"], ["rows"]),
    ]
    return linear(TensorProto.FLOAT, (N_PIXELS,), nodes)


def of_bytes() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["numbers", "flat"], ["rows"]),
    ]
    return linear(TensorProto.UINT8, (8, 8, 1), nodes)


def trees() -> onnx.ModelProto:
    rows = pixels(400)["input"]
    forest = RandomForestClassifier(n_estimators=20, random_state=0)
    made = standardize(emit(read_ensemble(forest.fit(rows, rows[:, :3].argmax(axis=1)))))
    for node in made.graph.node:
        node.input[:] = ["input" if name == "features" else name for name in node.input]
    made.graph.input[0].name = "input"
    return made


MODELS: dict[str, tuple[Any, Any, float]] = {
    "perceptron": (perceptron, pixels, 1e-3),
    "convolutional": (convolutional, pixels, 1e-3),
    "fp16": (lambda: convert(convolutional(), Form.FP16, pixels(128)), pixels, 0.05),
    "int8": (lambda: convert(convolutional(), Form.INT8_SYMMETRIC, pixels(128)), pixels, 0.1),
    "trees": (trees, pixels, 1e-3),
    "gaps": (filling, with_gaps, 1e-3),
    "bytes": (of_bytes, in_bytes, 1e-3),
}
"""How each is made, its inputs, and how far answers may be off, as a share of the largest."""


def check_alike(on_gpu: LoadedModel, on_cpu: LoadedModel, inputs: Inputs, share: float) -> None:
    wanted = on_cpu.run(inputs)
    limit = share * np.abs(wanted).max()
    np.testing.assert_allclose(on_gpu.run(inputs), wanted, rtol=0, atol=limit)


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_cpu(gpu: Gpu, name: str) -> None:
    make, inputs, share = MODELS[name]
    content = make().SerializeToString()
    gpu.build(content)
    model = gpu.runtime().load(PATH, content)
    on_cpu = OnnxCpuRuntime().load(PATH, content)
    for n in (*SIZES, *SIZES):
        check_alike(model, on_cpu, inputs(n), share)
    model.unload()


def test_an_engine_of_the_cache_is_not_built_again(gpu: Gpu) -> None:
    content = perceptron().SerializeToString()
    gpu.build(content)
    _, is_new = find_engine(gpu.cache, gpu.target, PATH, content, unheard)
    assert not is_new


def test_a_load_takes_the_kernels_of_the_one_before(
    gpu: Gpu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if gpu.target.tensorrt.flavour is not Flavour.RTX:
        pytest.skip("kernels of the native library are in its engines")
    content, cache = perceptron().SerializeToString(), EngineCache(tmp_path / "engines")
    key = gpu.target.key(content)
    cache.write(key, "digits/net", gpu.build(content))
    times_s = []
    for _ in range(2):
        begun_s = time.perf_counter()
        runtime = TensorRtRuntime(gpu.target, gpu.cuda, cache, gpu.made.device)
        with caplog.at_level(logging.INFO):
            runtime.load(PATH, content).unload()
        times_s.append(round(time.perf_counter() - begun_s, 3))
    print(f"loads took {times_s} s")  # for people
    [kept] = (tmp_path / "engines").glob("*.kernels")
    assert kept.stat().st_size > 0
    assert "does not take its kernels" not in caplog.text


def test_unloading_gives_memory_back(gpu: Gpu) -> None:
    content = convolutional().SerializeToString()
    gpu.build(content)
    runtime = gpu.runtime()

    def once() -> int:
        model = runtime.load(PATH, content)
        for n in SIZES:
            model.run(pixels(n))
        model.unload()
        return used_bytes(gpu.cuda)

    first = once()
    for _ in range(20):
        last = once()
    assert last - first < 64 << 20


def test_engines_share_scratch_memory_and_answer_in_turn(gpu: Gpu) -> None:
    runtime, models = gpu.runtime(), {}
    for make in (perceptron, convolutional):
        content = make().SerializeToString()
        gpu.build(content)
        models[runtime.load(PATH, content)] = OnnxCpuRuntime().load(PATH, content)
        for n in (1, 64, 1, 64, 1, 64):  # graphs made before the block grew, and after
            for on_gpu, on_cpu in models.items():
                check_alike(on_gpu, on_cpu, pixels(n), 1e-3)
    for model in models:
        model.unload()
    assert runtime._scratch.size_bytes == 0


def test_a_model_answers_while_others_load(gpu: Gpu) -> None:
    """On one thread, graphs are captured; on the other, memory is allocated and they are run."""
    runtime, content = gpu.runtime(), perceptron().SerializeToString()
    gpu.build(content)
    gpu.build(other := convolutional().SerializeToString())
    model, on_cpu = runtime.load(PATH, content), OnnxCpuRuntime().load(PATH, content)
    with ThreadPoolExecutor(1) as thread:
        for _ in range(3):
            loading = thread.submit(runtime.load, PATH, other)
            while not loading.done():
                check_alike(model, on_cpu, pixels(5), 1e-3)
            loaded = loading.result()
            check_alike(loaded, OnnxCpuRuntime().load(PATH, other), pixels(64), 1e-3)
            loaded.unload()
    model.unload()


def test_the_gpus_clock_says_no_more_than_a_call_takes(gpu: Gpu) -> None:
    content = convolutional().SerializeToString()
    gpu.build(content)
    model = gpu.runtime().load(PATH, content)
    assert isinstance(model, EngineModel)
    for size in gpu.target.profile.buckets:
        times_ms = model.gpu_times_ms(size, 20)
        begun_s = time.perf_counter()
        model.run(pixels(size))
        took_ms = 1e3 * (time.perf_counter() - begun_s)
        assert 0 < min(times_ms) <= took_ms
    model.unload()


def test_the_gpus_energy_grows(gpu: Gpu) -> None:
    read = find_gpu_energy(bus_id_of(gpu.cuda))
    if read is None:
        pytest.skip("nvidia-ml-py is absent, or this GPU does not count its energy")
    before, end_s = read(), time.monotonic() + _LIMIT_S
    while read() <= before:
        assert time.monotonic() < end_s
        time.sleep(0.1)


def test_the_memory_of_this_process_is_told(gpu: Gpu) -> None:
    read = find_own_memory(bus_id_of(gpu.cuda))
    if read is None:
        pytest.skip("the driver does not tell memory by process here")
    before, size_bytes = read(), 32 << 20
    address = gpu.cuda.allocate(size_bytes)
    try:
        assert read() - before >= size_bytes
    finally:
        gpu.cuda.free(address)


def test_a_full_gpu_is_told_and_serves_again(gpu: Gpu) -> None:
    if gpu.cuda.call("cudaGetDeviceProperties", 0).integrated:
        pytest.skip("a Jetson's GPU has the machine's memory, which this would fill")
    content = perceptron(width=200_000).SerializeToString()  # 59 MB
    gpu.build(content)
    runtime, taken = gpu.runtime(), []
    try:
        for size_bytes in (1 << 30, 1 << 26, 1 << 22):
            with suppress(CudaError):
                while True:
                    taken.append(gpu.cuda.allocate(size_bytes))
        with pytest.raises(CudaError) as found:
            runtime.load(PATH, content)
    finally:
        for address in taken:
            gpu.cuda.free(address)
    assert (found.value.is_out_of_memory, found.value.is_sticky) == (True, False)
    model = runtime.load(PATH, content)
    assert np.isfinite(model.run(pixels(2))).all()
    model.unload()


class TestTensorRtOnAGpu(RuntimeContract):
    """The suite of all runtimes."""

    tasks = (DIGITS,)

    @pytest.fixture(autouse=True)
    def _place(self, gpu: Gpu) -> None:
        self._gpu = gpu
        gpu.build(self.content(DIGITS))

    def runtime(self) -> TensorRtRuntime:
        return self._gpu.runtime()

    def content(self, task: TaskSpec) -> bytes:
        return bytes(classifier().SerializeToString())


@pytest.fixture
def apart(gpu: Gpu) -> Iterator[ApartRuntime]:
    gpu.build(perceptron().SerializeToString())
    made = partial(make_tensorrt, gpu.cache.folder, gpu.target.tensorrt.flavour)
    runtime = ApartRuntime(made)
    yield runtime
    runtime.close()


def test_a_process_that_is_killed_comes_back_with_its_models(apart: ApartRuntime) -> None:
    model = apart.load(PATH, perceptron().SerializeToString())
    wanted = model.run(pixels(5))
    assert apart.pid is not None
    os.kill(apart.pid, signal.SIGKILL)
    with pytest.raises(ApartError, match="ended with signal 9"):
        model.run(pixels(5))
    end_s = time.monotonic() + _LIMIT_S
    while True:
        try:
            np.testing.assert_allclose(model.run(pixels(5)), wanted, rtol=1e-5)
            return
        except ApartError:
            assert time.monotonic() < end_s
            time.sleep(0.1)
