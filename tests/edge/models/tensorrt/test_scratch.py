"""Engines share one block of scratch memory, and the GPU's clock times their calls. CUDA and
TensorRT are fakes: an engine writes over all of its scratch memory, which has to be there."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ounce_edge.models.runtimes.base import RuntimeDownError
from ounce_edge.models.runtimes.tensorrt import engine
from ounce_edge.models.runtimes.tensorrt.cuda import CudaError

from tests.support.networks import N_CLASSES, N_PIXELS
from tests.support.process.wait import wait_until
from tests.support.tensorrt.bench import Bench, pixels
from tests.support.tensorrt.fake_cuda import CudaCode
from tests.support.tensorrt.fake_gpu import TOTAL_BYTES, FakeGpu

BUFFERS_BYTES = 2 * 16 * (N_PIXELS + N_CLASSES) * 4
"""Of an engine for 16 items, pinned ones with them."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_block_is_as_large_as_the_largest_need(bench: Bench) -> None:
    small = bench.load(1000)
    n_blocks = len(bench.gpu.blocks)
    large = bench.load(9000)
    assert (bench.scratch.size_bytes, bench.block_bytes) == (9000, 9000)
    assert len(bench.gpu.blocks) == 2 * n_blocks - 1  # one scratch for both
    large.unload()
    assert bench.block_bytes == 1000
    small.unload()
    assert (bench.scratch.address, bench.gpu.blocks) == (0, {})


def test_graphs_follow_the_block(bench: Bench) -> None:
    first = bench.load(1000)
    wanted = first.run(pixels(3))
    for _ in range(3):
        np.testing.assert_array_equal(first.run(pixels(3)), wanted)
    second = bench.load(9000)
    answers = [model.run(pixels(3)) for _ in range(4) for model in (first, second)]
    second.unload()
    answers += [first.run(pixels(3)) for _ in range(4)]
    for answer in answers:
        np.testing.assert_array_equal(answer, wanted)
    made, gone = (
        bench.gpu.calls.count(name) for name in ("cudaGraphInstantiate", "cudaGraphExecDestroy")
    )
    assert (made, gone) == (12, 7)  # five of each load, and one behind each change
    bench.gpu.calls.clear()
    first.run(pixels(3))
    assert bench.gpu.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]


def test_an_engine_for_which_there_is_no_room_costs_the_others_nothing(bench: Bench) -> None:
    first = bench.load(1000)
    wanted = first.run(pixels(3))
    bench.gpu.failures["cudaMalloc"] = CudaCode["cudaErrorMemoryAllocation"]
    with pytest.raises(CudaError, match="cudaErrorMemoryAllocation"):
        bench.load(9000)
    bench.gpu.failures.clear()
    assert bench.block_bytes == 1000
    np.testing.assert_array_equal(first.run(pixels(3)), wanted)


def test_a_gpu_without_room_for_scratch_memory_of_a_loads_own_has_it_use_the_shared(
    bench: Bench,
) -> None:
    first = bench.load(9000)
    wanted = first.run(pixels(3))
    bench.leave(BUFFERS_BYTES + 8999)
    second = bench.load(9000)
    for model in (first, second, first):
        np.testing.assert_array_equal(model.run(pixels(3)), wanted)


def test_nothing_waits_long_for_a_load_that_uses_the_shared(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.load(9000)
    wanted = first.run(pixels(3))
    gone = bench.load(9000)
    n_blocks = len(bench.gpu.blocks)
    bench.leave(BUFFERS_BYTES + 8999)
    begun, released = threading.Event(), threading.Event()

    def compile_size(n_items: int) -> None:
        begun.set()
        assert released.wait(60)

    bench.trt.compile = compile_size
    monkeypatch.setattr(engine, "_PATIENCE_S", 0.05)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(bench.load, 9000)
        assert begun.wait(60)
        for act in (lambda: first.run(pixels(3)), lambda: first.gpu_times_ms(3, 1)):
            with pytest.raises(RuntimeDownError, match="the load of another model"):
                act()
        gone.unload()
        released.set()
        second = loading.result()
    with pytest.raises(RuntimeError, match="unloaded"):
        gone.run(pixels(3))
    wait_until(lambda: len(bench.gpu.blocks) == n_blocks, lambda: bench.gpu.blocks)
    for model in (first, second):
        np.testing.assert_array_equal(model.run(pixels(3)), wanted)


def test_a_gpu_without_room_for_both_blocks_has_the_new_one_take_the_olds_place(
    bench: Bench,
) -> None:
    first = bench.load(9000)
    wanted = first.run(pixels(3))
    bench.leave(BUFFERS_BYTES + 3000)
    second = bench.load(12_000)
    assert bench.block_bytes == 12_000
    for model in (first, second, first):
        np.testing.assert_array_equal(model.run(pixels(3)), wanted)
    second.unload()
    assert bench.block_bytes == 9000
    np.testing.assert_array_equal(first.run(pixels(3)), wanted)


def test_an_engine_for_which_there_is_no_room_at_all_costs_the_others_nothing(
    bench: Bench,
) -> None:
    first = bench.load(9000)
    wanted = first.run(pixels(3))
    bench.leave(BUFFERS_BYTES + 2999)
    with pytest.raises(CudaError, match="cudaErrorMemoryAllocation"):
        bench.load(12_000)
    assert bench.block_bytes == 9000
    np.testing.assert_array_equal(first.run(pixels(3)), wanted)


def test_a_block_that_another_process_took_meanwhile_comes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.load(9000)
    wanted = first.run(pixels(3))

    def lose(gpu: FakeGpu, address: int) -> None:
        gpu._free(address)
        bench.leave(0)

    bench.leave(BUFFERS_BYTES + 3000)
    monkeypatch.setattr(FakeGpu, "_cudaFree", lose)
    with pytest.raises(CudaError, match="cudaErrorMemoryAllocation"):
        bench.load(12_000)
    assert bench.scratch.address == 0
    with pytest.raises(CudaError, match="cudaErrorMemoryAllocation"):
        first.run(pixels(3))
    bench.gpu.total_bytes = TOTAL_BYTES
    np.testing.assert_array_equal(first.run(pixels(3)), wanted)


def test_an_engine_that_needs_none_has_an_address(bench: Bench) -> None:
    model = bench.load(0)
    assert np.isfinite(model.run(pixels(2))).all()
    assert bench.block_bytes == 256


def test_the_gpus_clock_times_the_calls_of_a_bucket(bench: Bench) -> None:
    model = bench.load(1000)
    bench.trt.sizes.clear()
    bench.gpu.calls.clear()
    assert model.gpu_times_ms(3, 5) == pytest.approx([1.4] * 5)  # 4 items: padded up
    assert bench.trt.sizes == [4] * 7
    calls = bench.gpu.calls
    assert calls.count("cudaEventDestroy") == calls.count("cudaEventCreate") == 2
    assert calls.count("cudaGraphLaunch") == 7
    bench.gpu.failures["cudaEventSynchronize"] = CudaCode["cudaErrorIllegalAddress"]
    with pytest.raises(CudaError, match="cudaErrorIllegalAddress"):
        model.gpu_times_ms(3, 5)
    bench.gpu.failures.clear()
    model.unload()
    with pytest.raises(RuntimeError, match="unloaded"):
        model.gpu_times_ms(3, 5)
