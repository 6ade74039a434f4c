"""Kernels that TensorRT for RTX compiles are kept for later loads. CUDA and TensorRT are fakes."""

import logging
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.device import ANY, Device
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_runtime import PROFILE, make_fake
from tests.support.tensorrt.fake_tensorrt import FakeKernels

CONTENT = perceptron().SerializeToString()
PATH = Path("models/digits/mlp/model.onnx")
GPU = Device("a GPU", "8.9", "13.0")
ALL = list(PROFILE.buckets)


def pixels(n: int) -> dict[str, NDArray[Any]]:
    return {"input": np.random.default_rng(n).uniform(0, 1, (n, N_PIXELS)).astype(np.float32)}


def started(folder: Path, device: Device = GPU) -> TensorRtRuntime:
    """As by a process of its own, with an engine for any GPU."""
    made = make_fake(folder, flavour=Flavour.RTX)
    target = replace(made.target, device=ANY)
    made.cache.write(target.key(CONTENT), "digits/mlp", CONTENT)
    return TensorRtRuntime(target, made.cuda, EngineCache(folder), device)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def compiled(runtime: TensorRtRuntime) -> list[int]:
    """Sizes that a load compiles."""
    found = list[int]()
    runtime.target.tensorrt.api.compile = found.append
    model = runtime.load(PATH, CONTENT)
    assert np.isfinite(model.run(pixels(3))).all()
    return found


def test_a_restart_compiles_nothing_again(tmp_path: Path) -> None:
    assert compiled(started(tmp_path)) == ALL
    [path] = tmp_path.glob("*.kernels")
    before = path.stat().st_ino
    assert compiled(started(tmp_path)) == []
    assert path.stat().st_ino == before  # nothing new, and nothing written


@pytest.mark.parametrize(
    "other",
    [
        replace(GPU, name="another GPU"),
        replace(GPU, capability="12.0"),
        replace(GPU, driver="13.1"),
    ],
)
def test_kernels_are_of_a_gpu_and_its_driver(other: Device, tmp_path: Path) -> None:
    assert compiled(started(tmp_path)) == ALL
    assert compiled(started(tmp_path, other)) == ALL
    assert compiled(started(tmp_path)) == compiled(started(tmp_path, other)) == []


@pytest.mark.parametrize("damage", [lambda whole: whole[:-3], lambda whole: b""])
def test_damaged_kernels_are_compiled_again(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    compiled(started(tmp_path))
    [path] = tmp_path.glob("*.kernels")
    path.write_bytes(damage(path.read_bytes()))
    assert compiled(started(tmp_path)) == ALL
    assert compiled(started(tmp_path)) == []


def test_kernels_that_tensorrt_does_not_take_are_compiled_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(started(tmp_path))
    updated = started(tmp_path)
    updated.target.tensorrt.api.environment = "another"
    with caplog.at_level(logging.INFO):
        assert compiled(updated) == ALL
    assert "does not take its kernels of before" in caplog.text


def test_a_load_that_is_ended_leaves_what_it_compiled(tmp_path: Path) -> None:
    runtime = started(tmp_path)

    def end_at_8(n_items: int) -> None:
        if n_items == 8:
            raise KeyboardInterrupt

    runtime.target.tensorrt.api.compile = end_at_8
    with pytest.raises(KeyboardInterrupt):
        runtime.load(PATH, CONTENT)
    assert compiled(started(tmp_path)) == [n for n in ALL if n >= 8]


def die_of_kept_kernels(folder: Path) -> None:
    """In a process of its own."""
    pytest.MonkeyPatch().setattr(FakeKernels, "deserialize", lambda *_: os._exit(9))
    started(folder).load(PATH, CONTENT)


def test_kernels_that_a_process_died_of_are_compiled_again(tmp_path: Path) -> None:
    compiled(started(tmp_path))
    before = names(tmp_path)
    process = multiprocessing.get_context("spawn").Process(
        target=die_of_kept_kernels, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == 9
    assert names(tmp_path) != before
    assert compiled(started(tmp_path)) == ALL
    assert compiled(started(tmp_path)) == []
    EngineCache(tmp_path).prune(lambda _: False)
    assert names(tmp_path) == []


def test_a_load_that_fails_otherwise_costs_no_kernels(tmp_path: Path) -> None:
    compiled(started(tmp_path))
    before, full = names(tmp_path), started(tmp_path)
    full.target.tensorrt.api.failures["context"] = ["no room"]
    with pytest.raises(RuntimeError, match="makes no context"):
        full.load(PATH, CONTENT)
    assert names(tmp_path) == before
    assert compiled(started(tmp_path)) == []


def test_two_processes_may_load_at_once(tmp_path: Path) -> None:
    compiled(started(tmp_path))
    one, other = started(tmp_path), list[list[int]]()

    def load_another(self: FakeKernels, known: bytes) -> bool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FakeKernels, "deserialize", deserialize)
            other.append(compiled(started(tmp_path)))
        return deserialize(self, known)

    deserialize = FakeKernels.deserialize
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeKernels, "deserialize", load_another)
        assert compiled(one) == []
    assert other == [ALL]
    assert compiled(started(tmp_path)) == []


def test_a_folder_that_can_not_be_written_costs_the_kernels_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = started(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as full:
        full.setattr(Path, "replace", fail)
        assert compiled(runtime) == ALL
    assert "kernels of digits/mlp are compiled again by each load: " in caplog.text
    assert "Read-only file system" in caplog.text
    assert compiled(started(tmp_path)) == ALL


def test_the_native_library_keeps_none(tmp_path: Path) -> None:
    compiled(make_fake(tmp_path, CONTENT))
    assert list(tmp_path.glob("*.kernels")) == []
