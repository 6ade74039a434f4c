"""Models on a GPU keep to its budget: a real process, with fakes of CUDA and TensorRT."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ModelMemory
from ounce_edge.models.runtimes.apart import ApartRuntime
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime

from tests.support.networks import N_CLASSES, N_PIXELS, convolutional, perceptron
from tests.support.tensorrt.fake_gpu import PROCESS_BYTES, TOTAL_BYTES
from tests.support.tensorrt.fake_runtime import PROFILE, make_fake

CONTENTS = {
    "a": convolutional().SerializeToString(),
    "b": perceptron().SerializeToString(),
    "c": perceptron(seed=1).SerializeToString(),
}
ITEM_BYTES = (N_PIXELS + N_CLASSES) * 4
SCRATCH_BYTES = 1000
"""That all engines share, as the fake has it."""


def engine_bytes(*names: str) -> int:
    """Inputs and outputs of each, and as much as its file."""
    return sum(PROFILE.most * ITEM_BYTES + len(CONTENTS[name]) for name in names)


@pytest.fixture
def gpu(tmp_path: Path) -> Iterator[ApartRuntime]:
    runtime = ApartRuntime(partial(make_fake, tmp_path / "engines", *CONTENTS.values()))
    yield runtime
    runtime.close()


def load(gpu: ApartRuntime, most_bytes: int, folder: Path) -> dict[str, LoadedModel]:
    runtime = ManagedRuntime(gpu, ModelMemory(most_bytes, resident=lambda: gpu.used_bytes))
    models = {}
    for name, content in CONTENTS.items():
        path = folder / "digits" / name / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        models[name] = runtime.load(path, content)
    return models


def pixels() -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(0).uniform(0, 1, (5, N_PIXELS)).astype(np.float32)}


def test_models_that_fit_all_stay(gpu: ApartRuntime, tmp_path: Path) -> None:
    before = gpu.used_bytes
    models = load(gpu, 10 * engine_bytes(*CONTENTS), tmp_path)
    assert gpu.used_bytes - before == engine_bytes(*models) + SCRATCH_BYTES


CONTEXT_BYTES = 30_000
OTHERS_BYTES = 1_000_000


def make_measured(folder: Path) -> TensorRtRuntime:
    """The driver says what the process has taken: with contexts, and pinned memory of the fake."""
    runtime = make_fake(folder, CONTENTS["b"])
    trt = runtime.target.tensorrt.api
    trt.context_bytes = CONTEXT_BYTES
    runtime._meters._read_own_bytes = lambda: TOTAL_BYTES - trt.gpu.free_bytes
    return runtime


def test_what_contexts_take_counts_where_the_driver_says_it(tmp_path: Path) -> None:
    gpu = ApartRuntime(partial(make_measured, tmp_path / "engines"))
    memory = ModelMemory(math.inf, resident=lambda: gpu.used_bytes)
    try:
        path = Path("models/digits/b/model.onnx")
        model = ManagedRuntime(gpu, memory).load(path, CONTENTS["b"])
        contexts = len(PROFILE.buckets) * CONTEXT_BYTES
        buffers = 2 * PROFILE.most * ITEM_BYTES
        assert memory.used_bytes == buffers + SCRATCH_BYTES + contexts
        assert gpu.used_bytes == PROCESS_BYTES + memory.used_bytes
        model.unload()
    finally:
        gpu.close()


def make_beside_another(folder: Path) -> TensorRtRuntime:
    runtime = make_fake(folder, CONTENTS["b"])
    trt = runtime.target.tensorrt.api
    trt.compile = lambda n_items: trt.gpu._cudaMalloc(OTHERS_BYTES)
    return runtime


def test_what_another_process_takes_meanwhile_does_not_count(tmp_path: Path) -> None:
    gpu = ApartRuntime(partial(make_beside_another, tmp_path / "engines"))
    memory = ModelMemory(math.inf, resident=lambda: gpu.used_bytes)
    try:
        path = Path("models/digits/b/model.onnx")
        model = ManagedRuntime(gpu, memory).load(path, CONTENTS["b"])
        assert memory.used_bytes == engine_bytes("b") + SCRATCH_BYTES
        model.unload()
    finally:
        gpu.close()


def test_models_take_turns_where_the_budget_is_short(gpu: ApartRuntime, tmp_path: Path) -> None:
    before = gpu.used_bytes
    models = load(gpu, engine_bytes("a", "b") + SCRATCH_BYTES, tmp_path)
    for name in "abcabc":
        wanted = OnnxCpuRuntime().load(tmp_path, CONTENTS[name]).run(pixels())
        np.testing.assert_allclose(models[name].run(pixels()), wanted, rtol=1e-4, atol=1e-5)
        taken = gpu.used_bytes - before
        assert taken in {engine_bytes("b", other) + SCRATCH_BYTES for other in "ac"}


def test_a_gpu_whose_process_is_gone_takes_nothing(gpu: ApartRuntime) -> None:
    gpu.close()
    assert gpu.used_bytes == 0
