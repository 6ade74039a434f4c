"""Missing engines are built beside a worker, and put in service when they are there."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import NotTriedError
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import OUT_OF_MEMORY, CudaError
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.worker.models.beginning import Source
from ounce_edge.worker.models.engine_building import EngineBuilding
from ounce_edge.worker.models.reload import Reload
from ounce_edge.worker.models.watching import ModelWatching
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind

from tests.edge.worker.models.test_following import Fleet
from tests.support.edge.ladders import DIGITS, ladder, served, write_ladder, write_model
from tests.support.process.wait import is_running, wait_until
from tests.support.tensorrt.rtx import rtx_or_skip

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
KILLED = """
import logging, os, signal, sys
from pathlib import Path
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.worker.models.engine_building import _OUNCE, EngineBuilding
from tests.support.edge.ladders import DIGITS, ladder, served

class Killer(logging.Handler):
    def emit(self, record):
        print(record.args[0], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

log = logging.getLogger("ounce_edge.worker.models.engine_building")
log.addHandler(Killer())
log.setLevel(logging.INFO)
command = ("sh", "-c", 'echo $$; exec "$0" "$@"', *_OUNCE)
building = EngineBuilding(Path(sys.argv[1], "engines"), Flavour.RTX, command)
building.add("digits", Path(sys.argv[1]), ladder(DIGITS, served(DIGITS, "a")))
building.wait(300)
"""
"""Is killed once a build has begun, whose process it tells."""


class NeedsEngines(FakeRuntime):
    """A GPU that takes the models of which a cache holds an engine."""

    def __init__(self, engines: EngineCache) -> None:
        super().__init__({})
        self._engines = engines

    def load(self, path: Path, content: bytes) -> LoadedModel:
        if not any(engine.model == f"digits/{path.parent.name}" for engine in self._engines.list()):
            raise ArtifactError(f"{path}: has no engine")
        return FakeModel(DIGITS)


class FullGpu(FakeRuntime):
    """A GPU that has no room, while it is full."""

    def __init__(self) -> None:
        super().__init__({})
        self.is_full = True
        self.loads = 0

    def load(self, path: Path, content: bytes) -> LoadedModel:
        self.loads += 1
        if self.is_full:
            raise CudaError("cudaMalloc", OUT_OF_MEMORY, "out of memory")
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


@pytest.mark.rtx
def test_a_build_ends_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    rtx_or_skip()
    card = tmp_path / "digits" / "net" / "card.json"
    card.parent.mkdir(parents=True)
    (tmp_path / "digits" / "task.json").touch()
    os.mkfifo(card)
    held = os.open(card, os.O_RDWR)  # so that whoever reads the card waits for ever
    places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    worker = subprocess.run(
        command, capture_output=True, text=True, env=places, check=False, timeout=120
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr
    pid = int(worker.stdout)
    try:
        wait_until(lambda: not is_running(pid), lambda: f"{pid} goes on")
    finally:
        os.close(held)


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
    reload.sources["digits"] = Source(fleet.models)
    building = EngineBuilding(tmp_path / "engines", command=WRITE)
    reload.taken = building.add
    watching = ModelWatching(fleet.models, ["digits"], engines)

    def look() -> list[str]:
        fleet.events.clear()
        fleet.following.look(reload)
        watching.look_again(reload)
        return [model.card.model for model in fleet.pipeline.ladder.models]

    assert look() == ["a", "b"]
    fleet.fakes["c"] = FakeModel(DIGITS)
    write_model(fleet.folder, DIGITS, "c", "model c")
    fleet.publish()
    fleet.following.look(reload)
    assert [m.card.model for m in fleet.pipeline.ladder.models] == ["a", "b", "c"]
    assert building.wait(300)
    assert look() == ["a", "b", "c", "a-gpu", "b-gpu", "c-gpu"]
    assert [kind for kind, _ in fleet.events] == [EventKind.MODELS_CHANGED]
    assert look() == ["a", "b", "c", "a-gpu", "b-gpu", "c-gpu"]
    assert fleet.events == []
    assert reload.sources["digits"].folder.parent == fleet.place / "releases"
    building.close()
    fleet.serving.close()


def test_what_serves_is_offered_on_the_gpu_while_a_release_waits_for_its_trial(
    tmp_path: Path,
) -> None:
    fleet = Fleet(tmp_path)
    gpu = FullGpu()
    fleet.runtime = CpuAndGpu(fleet.runtime, gpu)

    def trial(path: Path, *_: Any) -> None:
        raise NotTriedError(f"{path}: no room")

    reload = fleet.make_reload(trial)
    reload.sources["digits"] = Source(fleet.models)
    release = write_ladder(tmp_path / "other", DIGITS, "a")
    write_model(release, DIGITS, "a", "another a")
    assert not reload.take("digits", release.parent, "f" * 64)
    gpu.is_full = False
    reload.again("digits")
    names = [model.card.model for model in fleet.pipeline.ladder.models]
    assert names == ["a", "b", "a-gpu", "b-gpu"]
    assert reload.may_find_more("digits")
    fleet.serving.close()


def test_a_gpu_that_was_full_is_tried_again_later_and_later(tmp_path: Path) -> None:
    """The GPU is a fake."""
    fleet = Fleet(tmp_path)
    gpu = FullGpu()
    runtime = CpuAndGpu(fleet.runtime, gpu)
    reload = Reload(fleet.serving, runtime, fleet.told)
    reload.take("digits", fleet.models)
    now_s = 0.0
    watching = ModelWatching(fleet.models, ["digits"], clock=lambda: now_s)
    tried_at_s = []
    for second in range(0, 14_000, 20):
        now_s, before = float(second), gpu.loads
        watching.look_again(reload)
        if gpu.loads > before:
            tried_at_s.append(second)
    assert tried_at_s == [60, 180, 420, 900, 1860, 3780, 7380, 10980]
    assert reload.may_find_more("digits")
    gpu.is_full = False
    now_s = 14_580.0
    watching.look_again(reload)
    names = [model.card.model for model in fleet.pipeline.ladder.models]
    assert names == ["a", "b", "a-gpu", "b-gpu"]
    assert not reload.may_find_more("digits")
    loads, now_s = gpu.loads, 30_000.0
    watching.look_again(reload)
    assert gpu.loads == loads
    fleet.serving.close()


def test_engines_of_other_models_change_nothing(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    engines = EngineCache(tmp_path / "engines")
    reload = Reload(fleet.serving, CpuAndGpu(fleet.runtime, NeedsEngines(engines)), fleet.told)
    reload.sources["digits"] = Source(fleet.models)
    watching = ModelWatching(fleet.models, ["digits"], engines)
    before = fleet.pipeline.edition
    building = EngineBuilding(tmp_path / "engines", command=WRITE)
    (tmp_path / "other" / "x").mkdir(parents=True)
    (tmp_path / "other" / "x" / "model.onnx").touch()
    building.add("other", tmp_path, fleet.pipeline.ladder)
    assert building.wait(300)
    assert engines.contents()
    watching.look_again(reload)
    assert fleet.pipeline.edition is before
    building.close()
    fleet.serving.close()
