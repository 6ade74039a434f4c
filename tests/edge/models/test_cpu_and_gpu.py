"""A ladder has each model that suits on the CPU and on the GPU; whatever the GPU does, the CPU
serves. The GPU is a fake."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.models.catalogue import CpuOnly, WhyCpu
from ounce_edge.models.cpu_and_gpu import CpuAndGpu, load_everywhere
from ounce_edge.models.runtimes.apart import ApartError
from ounce_edge.models.runtimes.base import EngineAbsentError, Inputs, LoadedModel, Runtime
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.errors import ArtifactError

from tests.support.edge.ladders import DIGITS, write_ladder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_ladder(tmp_path, DIGITS, "a", "b")
    return tmp_path


def cpu() -> Runtime:
    return FakeRuntime({"a": FakeModel(DIGITS), "b": FakeModel(DIGITS)})


def other(inputs: object) -> np.ndarray:  # type: ignore[type-arg]
    return np.tile(np.array([0.5, 0.5, 0.0], np.float32), (len(inputs["input"]), 1))  # type: ignore[index]


def test_a_model_with_an_engine_stands_beside_its_twin(models: Path) -> None:
    plain = load_everywhere(models, "digits", cpu())
    ladder = load_everywhere(
        models, "digits", CpuAndGpu(cpu(), FakeRuntime({"a": FakeModel(DIGITS)}))
    )
    assert [m.card.model for m in ladder.models] == ["a", "b", "a-gpu"]
    assert ladder.models[2].card.sha256 == ladder.models[0].card.sha256
    assert [(one.model, one.why) for one in ladder.cpu_only] == [("b", WhyCpu.REFUSED)]
    assert "no fake of that name" in ladder.cpu_only[0].text
    assert ladder.refused == []
    assert ladder.version != plain.version


def test_a_ladder_without_an_engine_is_that_of_the_cpu(models: Path) -> None:
    ladder = load_everywhere(models, "digits", CpuAndGpu(cpu(), FakeRuntime({})))
    assert [m.card.model for m in ladder.models] == ["a", "b"]
    assert len(ladder.cpu_only) == 2
    assert ladder.version == load_everywhere(models, "digits", cpu()).version


def test_a_model_that_answers_otherwise_on_the_gpu_is_refused(models: Path) -> None:
    gpu = FakeModel(DIGITS, other)
    ladder = load_everywhere(models, "digits", CpuAndGpu(cpu(), FakeRuntime({"a": gpu})))
    assert [m.card.model for m in ladder.models] == ["a", "b"]
    assert ladder.cpu_only[0].why is WhyCpu.DIFFERS
    assert "32 of 32 answers differ from the CPU's by more than 0.01" in ladder.cpu_only[0].text
    with pytest.raises(RuntimeError, match="unloaded"):
        gpu.run({"input": np.zeros((1, 4), np.float32)})


class Failing(FakeRuntime):
    """Loads nothing, for one reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__({})
        self._error = error

    def load(self, path: Path, content: bytes) -> LoadedModel:
        raise self._error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (EngineAbsentError("no engine"), WhyCpu.NO_ENGINE),
        (ArtifactError("operator Strange"), WhyCpu.REFUSED),
        (ApartError("it died"), WhyCpu.FAILED),
    ],
)
def test_why_a_model_is_not_on_the_gpu_is_told(models: Path, error: Exception, why: WhyCpu) -> None:
    ladder = load_everywhere(models, "digits", CpuAndGpu(cpu(), Failing(error)))
    assert list(ladder.cpu_only) == [CpuOnly(name, why, str(error)) for name in ("a", "b")]


def test_a_gpu_that_is_down_while_a_model_is_checked_is_told_as_that(models: Path) -> None:
    def is_down(inputs: Inputs) -> NDArray[np.float32]:
        raise ApartError("it died")

    gpu = FakeRuntime({name: FakeModel(DIGITS, is_down) for name in ("a", "b")})
    ladder = load_everywhere(models, "digits", CpuAndGpu(cpu(), gpu))
    assert list(ladder.cpu_only) == [CpuOnly(n, WhyCpu.FAILED, "it died") for n in ("a", "b")]


def test_what_is_loaded_stays_where_its_file_is_the_same(models: Path) -> None:
    gpu = FakeModel(DIGITS)
    both = CpuAndGpu(cpu(), FakeRuntime({"a": gpu}))
    first = load_everywhere(models, "digits", both)
    gpu.batch_sizes.clear()
    again = load_everywhere(models, "digits", both, serving=first)
    assert again.models[2].loaded is gpu
    assert gpu.batch_sizes == []
    assert again.version == first.version


def test_a_name_that_is_taken_is_not_given_twice(models: Path) -> None:
    write_ladder(models, DIGITS, "a", "a-gpu")
    fakes = {name: FakeModel(DIGITS) for name in ("a", "a-gpu", "b")}
    both = CpuAndGpu(FakeRuntime(fakes), FakeRuntime({"a": FakeModel(DIGITS)}))
    ladder = load_everywhere(models, "digits", both)
    assert [m.card.model for m in ladder.models] == ["a", "a-gpu", "b"]
    assert ladder.cpu_only[0].text == "a model of this name is on the ladder"
