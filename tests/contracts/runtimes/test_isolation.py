"""A runtime whose models are isolated keeps what a runtime promises. One process serves all."""

from collections.abc import Iterator

import pytest
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.isolable import IsolableRuntime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

from tests.contracts.runtimes.test_onnx_cpu import TestOnnxCpuRuntime as OfOnnxCpu


@pytest.fixture(scope="module")
def isolation() -> Iterator[Isolation]:
    own = Isolation(OnnxCpuRuntime)
    own.begin()
    yield own
    assert (own.is_on, own.n_crashes) == (True, 0)
    own.end()


class TestIsolableRuntime(OfOnnxCpu):
    """ONNX Runtime, isolated."""

    @pytest.fixture(autouse=True)
    def _place(self, isolation: Isolation) -> None:
        self._runtime = IsolableRuntime(OnnxCpuRuntime(), isolation)

    def runtime(self) -> Runtime:
        return self._runtime


del OfOnnxCpu  # else its tests are collected here, too
