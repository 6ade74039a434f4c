"""Missing engines are built beside a worker, and put in service when they are there."""

import logging
import sys
from pathlib import Path

import pytest
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.worker.engine_building import EngineBuilding
from ounce_edge.worker.model_watching import ModelWatching
from ounce_edge.worker.reload import Reload
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind

from tests.edge.worker.test_model_following import Fleet
from tests.support.edge.ladders import DIGITS, ladder, served, write_model

SHOW = (sys.executable, "-c", "import sys; print(*sys.argv[1:])")
FAIL = (sys.executable, "-c", "import sys; print('no GPU'); sys.exit(1)")
HANG = (sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)")
WRITE = (
    sys.executable,
    "-c",
    """
import sys
from pathlib import Path
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache, EngineKey
_, _, _, task, _, models, _, cache, *_ = sys.argv
for path in sorted((Path(models) / task).glob("*/model.onnx")):
    key = EngineKey(path.parent.name, "tensorrt 10", "GPU", "8.9", "12.6", 32, 256, "none")
    EngineCache(Path(cache)).write(key, f"{task}/{path.parent.name}", b"engine")
""",
)
"""Builds engines of all models that a folder holds."""


class NeedsEngines(FakeRuntime):
    """A GPU that takes the models of which a cache holds an engine."""

    def __init__(self, engines: EngineCache) -> None:
        super().__init__({})
        self._engines = engines

    def load(self, path: Path, content: bytes) -> LoadedModel:
        if not any(engine.model == f"digits/{path.parent.name}" for engine in self._engines.list()):
            raise ArtifactError(f"{path}: has no engine")
        return FakeModel(DIGITS)


def test_the_engines_of_a_ladder_are_built_once(caplog: pytest.LogCaptureFixture) -> None:
    found = ladder(DIGITS, served(DIGITS, "a"))
    building = EngineBuilding(Path("cache"), Flavour.RTX, SHOW)
    with caplog.at_level(logging.INFO):
        for task in ("a", "c", "a"):
            building.add(task, Path("one"), found)
        assert building.wait(300)
    assert [record.getMessage() for record in caplog.records] == [
        f"engines: engines build {task} --models one --cache cache --tensorrt tensorrt-rtx"
        for task in ("a", "c")
    ]
    building.close()


def test_a_build_that_fails_is_told_and_costs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    found = ladder(DIGITS, served(DIGITS, "a"))
    with caplog.at_level(logging.INFO):
        building = EngineBuilding(Path("cache"), command=FAIL)
        building.add("a", Path("one"), found)
        building.add("b", Path("one"), found)
        assert building.wait(300)
    assert "engines: no GPU" in caplog.text
    assert "no engines of a: exit code 1" in caplog.text
    assert "no engines of b: exit code 1" in caplog.text
    building.close()


def test_closing_ends_a_build() -> None:
    building = EngineBuilding(Path("cache"), command=HANG)
    building.add("a", Path("one"), ladder(DIGITS, served(DIGITS, "a")))
    building.add("b", Path("one"), ladder(DIGITS, served(DIGITS, "a")))
    building.close()
    assert building.wait(300)


def test_the_command_is_one_that_ounce_takes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails: there is no such task, and mostly no TensorRT."""
    with caplog.at_level(logging.INFO):
        building = EngineBuilding(tmp_path / "engines")
        building.add("a", tmp_path, ladder(DIGITS, served(DIGITS, "a")))
        assert building.wait(300)
    assert "engines: ounce: tensorrt" in caplog.text or "no task.json there" in caplog.text
    building.close()


def test_a_release_that_comes_is_built_beside_and_then_offered_on_the_gpu(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    engines = EngineCache(tmp_path / "engines")
    reload = Reload(fleet.serving, CpuAndGpu(fleet.runtime, NeedsEngines(engines)), fleet.told)
    reload.folders["digits"] = fleet.models
    building = EngineBuilding(tmp_path / "engines", command=WRITE)
    reload.taken = building.add
    watching = ModelWatching(fleet.models, ["digits"], engines)

    def look() -> list[str]:
        fleet.events.clear()
        fleet.following.look(reload, fleet.told)
        watching.look_at_engines(reload)
        return [model.card.model for model in fleet.pipeline.ladder.models]

    assert look() == ["a", "b"]
    fleet.fakes["c"] = FakeModel(DIGITS)
    write_model(fleet.folder, DIGITS, "c", "model c")
    fleet.publish()
    fleet.following.look(reload, fleet.told)
    assert [m.card.model for m in fleet.pipeline.ladder.models] == ["a", "b", "c"]
    assert building.wait(300)
    assert look() == ["a", "b", "c", "a-gpu", "b-gpu", "c-gpu"]
    assert [kind for kind, _ in fleet.events] == [EventKind.MODELS_CHANGED]
    assert look() == ["a", "b", "c", "a-gpu", "b-gpu", "c-gpu"]
    assert fleet.events == []
    assert reload.folders["digits"].parent == fleet.place / "releases"
    building.close()
    fleet.serving.close()


def test_engines_of_other_models_change_nothing(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    engines = EngineCache(tmp_path / "engines")
    reload = Reload(fleet.serving, CpuAndGpu(fleet.runtime, NeedsEngines(engines)), fleet.told)
    reload.folders["digits"] = fleet.models
    watching = ModelWatching(fleet.models, ["digits"], engines)
    before = fleet.pipeline.edition
    building = EngineBuilding(tmp_path / "engines", command=WRITE)
    (tmp_path / "other" / "x").mkdir(parents=True)
    (tmp_path / "other" / "x" / "model.onnx").touch()
    building.add("other", tmp_path, fleet.pipeline.ladder)
    assert building.wait(300)
    assert engines.contents()
    watching.look_at_engines(reload)
    assert fleet.pipeline.edition is before
    building.close()
    fleet.serving.close()
