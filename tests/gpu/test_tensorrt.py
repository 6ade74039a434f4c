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

import numpy as np
import pytest
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.gpu_memory import find_own_memory
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import CudaError
from ounce_edge.models.runtimes.tensorrt.device import bus_id_of, used_bytes
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime, make_tensorrt
from ounce_schemas.task import TaskSpec

from tests.contracts.runtimes.contract import RuntimeContract
from tests.contracts.runtimes.test_onnx_cpu import classifier
from tests.support.edge.ladders import DIGITS
from tests.support.networks import convolutional, perceptron
from tests.support.tensorrt.found_gpu import PATH, Gpu, unheard
from tests.support.tensorrt.gpu_models import MODELS, pixels

pytestmark = pytest.mark.gpu
SIZES = (1, 2, 5, 64, 256, 300, 1)

_LIMIT_S = 120.0


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


def test_the_gpus_clock_says_no_more_than_calls_take(gpu: Gpu) -> None:
    content = convolutional().SerializeToString()
    gpu.build(content)
    model = gpu.runtime().load(PATH, content)
    assert isinstance(model, EngineModel)
    for size in gpu.target.profile.buckets:
        begun_s = time.perf_counter()
        times_ms = model.gpu_times_ms(size, 20)
        took_ms = 1e3 * (time.perf_counter() - begun_s)
        assert 0 < sum(times_ms) <= took_ms  # they follow each other, and two more
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
    content = perceptron(width=50_000).SerializeToString()  # 15 MB
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
