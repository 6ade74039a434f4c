"""What TensorRT can't do, told through the process that runs it. CUDA and TensorRT are fakes."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime, Limits
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime
from ounce_schemas.errors import ArtifactError

from tests.support.networks import N_PIXELS, perceptron
from tests.support.tensorrt.fake_cuda import CudaCode
from tests.support.tensorrt.fake_runtime import PROFILE, make_fake

CONTENT = perceptron().SerializeToString()
PATH = Path("models/digits/mlp/model.onnx")


def make_compiling(folder: Path) -> TensorRtRuntime:
    """Dies of a size that is compiled where calls wait for it."""
    runtime = make_fake(folder, CONTENT, flavour=Flavour.RTX)

    def compile_size(n_items: int) -> None:
        if threading.current_thread() is threading.main_thread():
            os._exit(7)

    runtime.target.tensorrt.api.compile = compile_size
    return runtime


def test_no_call_compiles_also_after_the_process_is_started_again(tmp_path: Path) -> None:
    runtime = ApartRuntime(partial(make_compiling, tmp_path / "engines"))
    try:
        model = runtime.load(PATH, CONTENT)
        pid, sizes = runtime.pid, (*PROFILE.buckets, PROFILE.most + 1)
        for n in sizes:
            assert len(model.run({"input": np.zeros((n, N_PIXELS), np.float32)})) == n
        assert runtime.pid == pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ApartError, match="ended with signal 9"):
            model.run({"input": np.zeros((1, N_PIXELS), np.float32)})
        runtime.load(PATH, CONTENT).unload()  # waits for the new process
        for n in sizes:
            assert len(model.run({"input": np.zeros((n, N_PIXELS), np.float32)})) == n
        assert runtime._n_started == 2
    finally:
        runtime.close()


def make_failing(folder: Path, reason: str, *, is_broken: bool = False) -> TensorRtRuntime:
    runtime = make_fake(folder, CONTENT)
    trt = runtime.target.tensorrt.api
    trt.failures["engine"] = [reason]
    if is_broken:
        trt.gpu.failures["cudaMemGetInfo"] = CudaCode["cudaErrorIllegalAddress"]
    return runtime


@contextmanager
def apart(folder: Path, reason: str, *, is_broken: bool = False) -> Iterator[ApartRuntime]:
    made = partial(make_failing, folder / "engines", reason, is_broken=is_broken)
    runtime = ApartRuntime(made, Limits(300, 300, 300))
    try:
        yield runtime
    finally:
        runtime.close()


def test_a_model_that_finds_no_room_is_not_refused_and_costs_no_process(tmp_path: Path) -> None:
    with apart(tmp_path, "Error Code 1: Cuda Runtime (out of memory)") as runtime:
        pid = runtime.pid
        with pytest.raises(RuntimeError, match="cudaErrorMemoryAllocation: does not take") as e:
            runtime.load(PATH, CONTENT)
        assert not isinstance(e.value, ArtifactError | ApartError)
        assert runtime.pid == pid


def test_an_engine_that_is_not_taken_is_refused(tmp_path: Path) -> None:
    with (
        apart(tmp_path, "Error Code 1: Serialization (of another version)") as runtime,
        pytest.raises(ArtifactError, match=r"does not take the engine: .*another version"),
    ):
        runtime.load(PATH, CONTENT)


def test_a_gpu_that_is_found_broken_by_a_load_ends_its_process(tmp_path: Path) -> None:
    reason = "Error Code 1: Cuda Runtime (an illegal memory access was encountered)"
    with apart(tmp_path, reason, is_broken=True) as runtime:
        with pytest.raises(
            ApartError, match="can't go on: CudaError: cudaMemGetInfo: cudaErrorIll"
        ):
            runtime.load(PATH, CONTENT)
        assert runtime.pid is None
