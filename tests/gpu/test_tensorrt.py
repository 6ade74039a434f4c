"""TensorRT, and TensorRT for RTX where it runs, on a real GPU: `make test-gpu`."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime
from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.device import bus_id_of, used_bytes
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import Target, find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime, make_tensorrt
from ounce_edge.models.runtimes.tensorrt.scratch import Scratch
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
from tests.support.networks import N_PIXELS, convolutional, perceptron

pytestmark = pytest.mark.gpu
SIZES = (1, 2, 5, 64, 256, 300, 1)
PATH = Path("models/digits/net/model.onnx")


@pytest.fixture(scope="module", params=list(Flavour))
def gpu(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Target, Cuda]:
    try:
        made = make_tensorrt(tmp_path_factory.mktemp("engines") / "own", request.param)
    except RuntimeAbsentError as e:
        pytest.skip(str(e))
    return made._target, made._cuda


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EngineCache:
    return EngineCache(tmp_path_factory.mktemp("engines") / "own")


def unheard(phase: str, share: float) -> None:
    pass


def pixels(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}


def trees() -> onnx.ModelProto:
    rows = pixels(400)["input"]
    forest = RandomForestClassifier(n_estimators=20, random_state=0)
    made = standardize(emit(read_ensemble(forest.fit(rows, rows[:, :3].argmax(axis=1)))))
    for node in made.graph.node:
        node.input[:] = ["input" if name == "features" else name for name in node.input]
    made.graph.input[0].name = "input"
    return made


MODELS: dict[str, Any] = {
    "perceptron": perceptron,
    "convolutional": convolutional,
    "fp16": lambda: convert(convolutional(), Form.FP16, pixels(128)),
    "int8": lambda: convert(convolutional(), Form.INT8_SYMMETRIC, pixels(128)),
    "trees": trees,
}


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_cpu(
    gpu: tuple[Target, Cuda], cache: EngineCache, name: str
) -> None:
    target, cuda = gpu
    content = MODELS[name]().SerializeToString()
    engine, _ = find_engine(cache, target, PATH, content, unheard)
    model = EngineModel(target.tensorrt, cuda, engine)
    on_cpu = OnnxCpuRuntime().load(PATH, content)
    tolerance = {"fp16": 0.05, "int8": 0.1}.get(name, 1e-3)
    for n in (*SIZES, *SIZES):
        wanted = on_cpu.run(pixels(n))
        limit = tolerance * np.abs(wanted).max()
        np.testing.assert_allclose(model.run(pixels(n)), wanted, rtol=0, atol=limit)
    model.unload()


def test_unloading_gives_memory_back(gpu: tuple[Target, Cuda], cache: EngineCache) -> None:
    target, cuda = gpu
    content = convolutional().SerializeToString()
    engine, _ = find_engine(cache, target, PATH, content, unheard)

    def once() -> int:
        model = EngineModel(target.tensorrt, cuda, engine)
        for n in SIZES:
            model.run(pixels(n))
        model.unload()
        return -used_bytes(cuda)

    first = once()
    for _ in range(20):
        last = once()
    assert first - last < 64 << 20


def test_a_full_gpu_is_told_and_serves_again(gpu: tuple[Target, Cuda], cache: EngineCache) -> None:
    target, cuda = gpu
    if cuda.call("cudaGetDeviceProperties", 0).integrated:
        pytest.skip("a Jetson's GPU has the machine's memory, which this would fill")
    content = perceptron(width=200_000).SerializeToString()  # 59 MB
    engine, _ = find_engine(cache, target, PATH, content, unheard)
    taken = []
    try:
        for size_bytes in (1 << 30, 1 << 26, 1 << 22):
            with suppress(CudaError):
                while True:
                    taken.append(cuda.call("cudaMalloc", size_bytes))
        with pytest.raises(CudaError) as found:
            EngineModel(target.tensorrt, cuda, engine)
    finally:
        for address in taken:
            cuda.call("cudaFree", address)
    assert (found.value.is_out_of_memory, found.value.is_sticky) == (True, False)
    model = EngineModel(target.tensorrt, cuda, engine)
    assert np.isfinite(model.run(pixels(2))).all()
    model.unload()


def test_an_engine_of_the_cache_is_not_built_again(
    gpu: tuple[Target, Cuda], cache: EngineCache
) -> None:
    content = perceptron().SerializeToString()
    find_engine(cache, gpu[0], PATH, content, unheard)
    _, is_new = find_engine(cache, gpu[0], PATH, content, unheard)
    assert not is_new


def test_engines_share_scratch_memory_and_answer_in_turn(
    gpu: tuple[Target, Cuda], cache: EngineCache
) -> None:
    target, cuda = gpu
    scratch, models = Scratch(cuda), {}
    for make in (perceptron, convolutional):
        content = make().SerializeToString()
        engine, _ = find_engine(cache, target, PATH, content, unheard)
        model = EngineModel(target.tensorrt, cuda, engine, scratch)
        models[model] = OnnxCpuRuntime().load(PATH, content)
        for n in (1, 64, 1, 64, 1, 64):  # graphs made before the block grew, and after
            for on_gpu, on_cpu in models.items():
                wanted = on_cpu.run(pixels(n))
                limit = 1e-3 * np.abs(wanted).max()
                np.testing.assert_allclose(on_gpu.run(pixels(n)), wanted, rtol=0, atol=limit)
    for model in models:
        model.unload()
    assert scratch.size_bytes == 0


def test_the_gpus_clock_says_no_more_than_a_call_takes(
    gpu: tuple[Target, Cuda], cache: EngineCache
) -> None:
    target, cuda = gpu
    engine, _ = find_engine(cache, target, PATH, convolutional().SerializeToString(), unheard)
    model = EngineModel(target.tensorrt, cuda, engine)
    for size in target.profile.buckets:
        times_ms = model.gpu_times_ms(size, 20)
        begun_s = time.perf_counter()
        model.run(pixels(size))
        took_ms = 1e3 * (time.perf_counter() - begun_s)
        assert 0 < min(times_ms) <= took_ms
    model.unload()


def test_the_gpus_energy_grows(gpu: tuple[Target, Cuda]) -> None:
    read = find_gpu_energy(bus_id_of(gpu[1]))
    if read is None:
        pytest.skip("nvidia-ml-py is absent, or this GPU does not count its energy")
    before, end_s = read(), time.monotonic() + 60
    while read() <= before:
        assert time.monotonic() < end_s
        time.sleep(0.1)


class TestTensorRtOnAGpu(RuntimeContract):
    """The suite of all runtimes."""

    tasks = (DIGITS,)

    @pytest.fixture(autouse=True)
    def _place(self, gpu: tuple[Target, Cuda], cache: EngineCache) -> None:
        self._target, self._cuda = gpu
        self._cache = cache
        find_engine(cache, self._target, PATH, self.content(DIGITS), unheard)

    def runtime(self) -> TensorRtRuntime:
        return TensorRtRuntime(self._target, self._cuda, self._cache)

    def content(self, task: TaskSpec) -> bytes:
        return bytes(classifier().SerializeToString())


@pytest.fixture
def apart(gpu: tuple[Target, Cuda], tmp_path: Path) -> Iterator[ApartRuntime]:
    cache = EngineCache(tmp_path / "engines")
    find_engine(cache, gpu[0], PATH, perceptron().SerializeToString(), unheard)
    flavour = gpu[0].tensorrt.flavour
    runtime = ApartRuntime(partial(make_tensorrt, tmp_path / "engines", flavour))
    yield runtime
    runtime.close()


def test_a_process_that_is_killed_comes_back_with_its_models(apart: ApartRuntime) -> None:
    model = apart.load(PATH, perceptron().SerializeToString())
    wanted = model.run(pixels(5))
    assert apart.pid is not None
    os.kill(apart.pid, signal.SIGKILL)
    with pytest.raises(ApartError, match="ended with signal 9"):
        model.run(pixels(5))
    end_s = time.monotonic() + 120
    while True:
        try:
            np.testing.assert_allclose(model.run(pixels(5)), wanted, rtol=1e-5)
            return
        except ApartError:
            assert time.monotonic() < end_s
            time.sleep(0.1)
