"""`--runtime` says what happens where there is no GPU. The process of the GPU is a fake."""

import logging

import pytest
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.models.runtimes.apart import ApartRuntime
from ounce_edge.worker.startup import make_gpu
from ounce_schemas.errors import RuntimeAbsentError

from tests.support.edge.bad_runtime import BadRuntime, make_absent


def test_the_cpu_alone_starts_no_process() -> None:
    assert make_gpu(RuntimeChoice.CPU, make_absent) is None


@pytest.mark.parametrize("choice", [RuntimeChoice.TENSORRT, RuntimeChoice.CUDA])
def test_a_gpu_that_is_asked_for_and_absent_ends_the_start(choice: RuntimeChoice) -> None:
    with pytest.raises(RuntimeAbsentError, match=r"^no such GPU$"):
        make_gpu(choice, make_absent)


def test_auto_goes_on_without_a_gpu_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert make_gpu(RuntimeChoice.AUTO, make_absent) is None
    assert "models run on the CPU alone: no such GPU" in caplog.text


def test_a_gpu_that_is_there_runs_in_a_process_of_its_own() -> None:
    gpu = make_gpu(RuntimeChoice.AUTO, BadRuntime)
    assert isinstance(gpu, ApartRuntime)
    assert gpu.name == "bad 1"
    gpu.close()
