"""A build that ends with nothing, by what TensorRT's log says. TensorRT is a fake."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ounce_edge.models.runtimes.tensorrt import building
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import BuildFailedError, build_engine
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.log import log_of
from ounce_schemas.errors import ArtifactError

from tests.support.tensorrt.fake_cuda import CudaCode, FakeCuda
from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

NO_ROOM = [
    "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
    "Error Code 10: Internal Error (Could not find any implementation for node {relu}.)",
]
UNKNOWN = NO_ROOM[1:]


PLENTY = (20 << 30, 24 << 30)
"""Bytes of the GPU that are free, and all."""


def build(
    monkeypatch: pytest.MonkeyPatch, attempts: Sequence[Sequence[str]], memory: Any = PLENTY
) -> None:
    """Build what fails once for each profile, with these lines in the log."""
    cuda = Cuda(FakeCuda(cudaMemGetInfo=memory))
    monkeypatch.setattr(building, "find_cuda", lambda: cuda)
    tensorrt = TensorRt(Flavour.NATIVE, "10.3.0", FakeTensorRt(FakeGpu()))
    told = iter(attempts)

    def fail(*_: object) -> None:
        log_of(tensorrt.api).lines.extend(next(told))

    builder = SimpleNamespace(build_serialized_network=fail)

    def nothing(*_: object) -> Any:
        return None

    monkeypatch.setattr(building, "parse", lambda *_: (builder, None, None))
    monkeypatch.setattr(building, "_configure", nothing)
    monkeypatch.setattr(building, "_add_profile", nothing)
    build_engine(tensorrt, b"model", BatchProfile(8, 64))


def test_a_gpu_without_room_is_no_models_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildFailedError, match=r"^tensorrt 10.3.0 can't build it: Error Code 10"):
        build(monkeypatch, [UNKNOWN, UNKNOWN, NO_ROOM])


def test_nor_is_one_that_has_less_left_than_an_engine_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """TensorRT only warns: "Device memory is insufficient to use tactic"."""
    with pytest.raises(BuildFailedError, match=r"\(Could not find any .*; the GPU has too little"):
        build(monkeypatch, 3 * [UNKNOWN], ((1 << 30) - 1, 24 << 30))


def test_where_no_gpu_is_asked_of_its_memory_the_reason_is_tensorrts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ArtifactError, match=r"Error Code 10.*\{relu\}.\)$"):
        build(monkeypatch, 3 * [UNKNOWN], CudaCode["cudaErrorInsufficientDriver"])


def test_what_no_profile_is_built_of_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match=r"^tensorrt 10.3.0 can't build it: Error Code 10") as e:
        build(monkeypatch, [NO_ROOM, NO_ROOM, UNKNOWN])
    assert not isinstance(e.value, BuildFailedError)
