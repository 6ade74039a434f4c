"""A runtime in a process of its own keeps what a runtime promises. One process serves all tests."""

from collections.abc import Iterator

import pytest
from ounce_edge.models.runtimes.apart import ApartRuntime
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

from tests.contracts.runtimes.test_onnx_cpu import TestOnnxCpuRuntime as OfOnnxCpu


@pytest.fixture(scope="module")
def apart() -> Iterator[ApartRuntime]:
    runtime = ApartRuntime(OnnxCpuRuntime)
    yield runtime
    runtime.close()


class TestApartRuntime(OfOnnxCpu):
    """ONNX Runtime, apart."""

    @pytest.fixture(autouse=True)
    def _place(self, apart: ApartRuntime) -> None:
        self._runtime = apart

    def runtime(self) -> Runtime:
        return self._runtime


del OfOnnxCpu  # else its tests are collected here, too
