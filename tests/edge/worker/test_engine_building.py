"""Missing engines are built beside a worker, and put in service when they are there."""

import logging
import sys
from pathlib import Path

import pytest
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache, EngineKey
from ounce_edge.worker.engine_building import EngineBuilding
from ounce_edge.worker.model_watching import ModelWatching

KEY = EngineKey("0" * 64, "tensorrt 10.3.0", "NVIDIA L4", "8.9", "12.6", 32, 256, "none")
SHOW = (sys.executable, "-c", "import sys; print(*sys.argv[1:])")
FAIL = (sys.executable, "-c", "import sys; print('no GPU'); sys.exit(1)")
HANG = (sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)")


class Taken:
    """Stands for a reload; notes what it is asked for."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def take(self, task: str, models: Path) -> bool:
        self.tasks.append(task)
        return True


def test_each_folder_is_built_once(caplog: pytest.LogCaptureFixture) -> None:
    folders = {"b": Path("one"), "a": Path("one"), "c": Path("two")}
    with caplog.at_level(logging.INFO):
        building = EngineBuilding(folders, Path("cache"), SHOW)
        assert building.wait(60)
    assert [record.getMessage() for record in caplog.records] == [
        "engines: engines build a b --models one --cache cache",
        "engines: engines build c --models two --cache cache",
    ]
    building.close()


def test_a_build_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert EngineBuilding({"a": Path("one")}, Path("cache"), FAIL).wait(60)
    assert "engines: no GPU" in caplog.text
    assert "no engines of ['a']: exit code 1" in caplog.text


def test_closing_ends_a_build() -> None:
    building = EngineBuilding({"a": Path("one"), "b": Path("two")}, Path("cache"), HANG)
    building.close()
    assert building.wait(60)


def test_the_command_is_one_that_ounce_takes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails: there is no such task, and mostly no TensorRT."""
    with caplog.at_level(logging.INFO):
        assert EngineBuilding({"a": tmp_path}, tmp_path / "engines").wait(120)
    assert "engines: ounce: tensorrt" in caplog.text or "no task.json there" in caplog.text


def test_an_engine_that_comes_puts_its_models_in_service(tmp_path: Path) -> None:
    cache, reload = EngineCache(tmp_path / "engines"), Taken()
    watching = ModelWatching(tmp_path / "models", ["a", "b"], cache)
    watching.look(reload)  # type: ignore[arg-type]
    assert reload.tasks == []
    path = cache.write(KEY, "a/m", b"engine")
    watching.look(reload, released={"b"})  # type: ignore[arg-type]
    assert reload.tasks == ["a"]
    cache.read(KEY)  # using one changes nothing
    watching.look(reload)  # type: ignore[arg-type]
    path.unlink()
    watching.look(reload)  # type: ignore[arg-type]
    assert reload.tasks == ["a"]
    cache.write(KEY, "a/m", b"another")
    watching.look(reload)  # type: ignore[arg-type]
    assert reload.tasks == ["a", "a", "b"]
