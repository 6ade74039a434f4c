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
from tests.support.tensorrt.fake_runtime import PROFILE, make_fake

CONTENTS = {
    "a": convolutional().SerializeToString(),
    "b": perceptron().SerializeToString(),
    "c": perceptron(seed=1).SerializeToString(),
}
ENGINE_BYTES = PROFILE.most * (N_PIXELS + N_CLASSES) * 4 * 2
"""Of each engine: inputs and outputs, pinned and on the GPU, as the fake counts."""
SCRATCH_BYTES = 1000
"""That all engines share, as the fake has it."""


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
    models = load(gpu, 10 * ENGINE_BYTES, tmp_path)
    assert gpu.used_bytes == len(models) * ENGINE_BYTES + SCRATCH_BYTES


CONTEXT_BYTES = 30_000
TAKEN_BYTES = 5_000
"""By the process itself: of a real GPU there is always some."""


def make_with_contexts(folder: Path) -> TensorRtRuntime:
    runtime = make_fake(folder, CONTENTS["b"])
    runtime._target.tensorrt.api.context_bytes = CONTEXT_BYTES
    runtime._target.tensorrt.api.gpu._cudaMalloc(TAKEN_BYTES)
    return runtime


def test_what_contexts_take_counts(tmp_path: Path) -> None:
    gpu = ApartRuntime(partial(make_with_contexts, tmp_path / "engines"))
    memory = ModelMemory(math.inf, resident=lambda: gpu.used_bytes)
    try:
        path = Path("models/digits/b/model.onnx")
        model = ManagedRuntime(gpu, memory).load(path, CONTENTS["b"])
        contexts = len(PROFILE.buckets) * CONTEXT_BYTES
        assert memory.used_bytes == ENGINE_BYTES + SCRATCH_BYTES + contexts
        assert gpu.used_bytes == TAKEN_BYTES + memory.used_bytes
        model.unload()
    finally:
        gpu.close()


def test_models_take_turns_where_the_budget_is_short(gpu: ApartRuntime, tmp_path: Path) -> None:
    models = load(gpu, int(2.5 * ENGINE_BYTES), tmp_path)
    for name in "abcabc":
        wanted = OnnxCpuRuntime().load(tmp_path, CONTENTS[name]).run(pixels())
        np.testing.assert_allclose(models[name].run(pixels()), wanted, rtol=1e-4, atol=1e-5)
        assert gpu.used_bytes == 2 * ENGINE_BYTES + SCRATCH_BYTES


def test_a_gpu_whose_process_is_gone_takes_nothing(gpu: ApartRuntime) -> None:
    gpu.close()
    assert gpu.used_bytes == 0
