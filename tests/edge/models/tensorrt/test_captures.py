"""No graph is captured while a model loads or goes, and no model does while a graph is captured.
CUDA and TensorRT are fakes: what waits for the whole device breaks a capture, and fails itself."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel

from tests.support.tensorrt.bench import Bench, pixels


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def graphless(bench: Bench) -> EngineModel:
    """A model whose graphs are of a block that is gone."""
    model = bench.load(1000)
    bench.load(9000)
    return model


def test_a_load_waits_for_a_capture(bench: Bench, graphless: EngineModel) -> None:
    wanted = graphless.run(pixels(5))
    loads: list[Future[EngineModel]] = []
    with ThreadPoolExecutor(1) as thread:

        def load_another() -> None:
            bench.trt.captures = lambda: None
            over = threading.Event()
            loads.append(thread.submit(bench.load, 1000))
            loads[0].add_done_callback(lambda _: over.set())
            over.wait(0.2)  # a load that does not wait fails in this time

        bench.trt.captures = load_another
        answer = graphless.run(pixels(3))
        [loading] = loads
        loaded = loading.result(60)
    for model in (graphless, loaded):
        np.testing.assert_array_equal(model.run(pixels(5)), wanted)
    np.testing.assert_array_equal(graphless.run(pixels(3)), answer)


def test_a_call_during_a_load_runs_without_a_capture(bench: Bench, graphless: EngineModel) -> None:
    calls: list[list[str]] = []
    with ThreadPoolExecutor(1) as thread:

        def call(n_items: int) -> None:
            before = len(bench.gpu.calls)
            thread.submit(graphless.run, pixels(3)).result(60)
            calls.append(bench.gpu.calls[before:])

        bench.trt.compile = call
        bench.load(1000)
    assert len(calls) == 5  # one for each size
    assert not any("cudaStreamBeginCapture" in made for made in calls)
    graphless.run(pixels(3))
    bench.gpu.calls.clear()
    graphless.run(pixels(3))
    assert bench.gpu.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]


def test_an_engine_that_goes_waits_for_a_capture(bench: Bench, graphless: EngineModel) -> None:
    other = bench.load(1000)
    wanted = graphless.run(pixels(5))
    with ThreadPoolExecutor(1) as thread:

        def unload_another() -> None:
            bench.trt.captures = lambda: None
            over = threading.Event()
            thread.submit(other.unload).add_done_callback(lambda _: over.set())
            over.wait(0.2)  # what does not wait breaks the capture in this time

        bench.trt.captures = unload_another
        graphless.run(pixels(3))
    bench.gpu.calls.clear()
    graphless.run(pixels(3))
    assert bench.gpu.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"]
    np.testing.assert_array_equal(graphless.run(pixels(5)), wanted)
