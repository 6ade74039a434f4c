"""Models are kept within a budget: the coldest go first, and come back when they are wanted."""

import gc
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ManagedModel, ModelMemory
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.errors import ArtifactError

from tests.support.edge.ladders import DIGITS, write_ladder

INPUTS = {"input": np.zeros((1, 4), np.float32)}


class Shelf:
    """Models of some tasks, of so many bytes, on a clock that a test moves."""

    def __init__(self, top: Path, most_bytes: int) -> None:
        self.top, self.now_s, self.load_s = top, 0.0, 0.0
        self.resident_bytes = 0
        self.told: list[tuple[str, bool]] = []
        self.memory = ModelMemory(
            most_bytes,
            lambda m: self.told.append((m.name, m.is_loaded)),
            clock=lambda: self.now_s,
            resident=lambda: self.resident_bytes,
        )
        self.fakes: dict[str, FakeModel] = {}
        self.runtime = ManagedRuntime(self, self.memory)
        self.models: dict[str, ManagedModel] = {}

    name, threads = "fake", 1

    def load(self, path: Path, content: bytes) -> LoadedModel:
        self.now_s += self.load_s
        self.resident_bytes += 1_000 if self.load_s else 0
        return FakeRuntime(self.fakes).load(path, content)

    def put(self, name: str, n_bytes: int, task: str = "t") -> None:
        path = self.top / task / name / "model.onnx"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * n_bytes)
        self.fakes[name] = FakeModel(DIGITS)
        model = self.runtime.load(path, path.read_bytes())
        assert isinstance(model, ManagedModel)
        self.models[name] = model
        self.now_s += 1.0

    def run(self, name: str) -> None:
        self.models[name].run(INPUTS)
        self.now_s += 1.0

    @property
    def loaded(self) -> list[str]:
        return sorted(name for name, model in self.models.items() if model.is_loaded)


def crowded_shelf(tmp_path: Path) -> Shelf:
    """Of 40 bytes, for models of 10, 30 and 30: one of the large ones is not loaded."""
    shelf = Shelf(tmp_path, 40)
    for name, n_bytes in (("light", 10), ("a", 30), ("b", 30)):
        shelf.put(name, n_bytes)
    return shelf


def test_the_coldest_are_unloaded_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 100)
    for name in ("a", "b", "c"):
        shelf.put(name, 30)
    shelf.put("small", 10)
    shelf.run("a")
    shelf.put("d", 20)
    assert shelf.loaded == ["a", "c", "d", "small"]
    assert shelf.memory.used_bytes == 90
    shelf.put("e", 40)
    assert shelf.loaded == ["a", "d", "e", "small"]
    assert shelf.told == [("b", False), ("c", False)]


def test_the_smallest_of_each_task_stays(tmp_path: Path, caplog: Any) -> None:
    shelf = Shelf(tmp_path, 25)
    shelf.put("light", 10)
    shelf.put("other-light", 10, task="u")
    shelf.put("heavy", 50)
    assert shelf.loaded == ["heavy", "light", "other-light"]  # the one that is wanted stays, too
    assert "more than --max-model-mb" in caplog.text
    shelf.put("other-heavy", 50, task="u")
    assert shelf.loaded == ["light", "other-heavy", "other-light"]


def test_a_wanted_model_comes_back_and_the_coldest_makes_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 70)
    for name, n_bytes in (("light", 10), ("a", 30), ("b", 30), ("c", 30)):
        shelf.put(name, n_bytes)
    a = shelf.models["a"]
    assert (a.is_loaded, a.load_left_ms) == (False, 20.0)
    a.want()
    a.want()
    shelf.now_s += 0.005
    assert a.load_left_ms == 20.0
    shelf.now_s += 0.010
    assert a.load_left_ms == 10.0
    assert shelf.memory.load_next()
    assert (a.is_loaded, a.load_left_ms) == (True, 0.0)
    assert shelf.loaded == ["a", "c", "light"]
    assert not shelf.memory.load_next(0.01)  # it was wanted once
    a.want()
    assert not shelf.memory.load_next(0.01)
    assert shelf.told[-2:] == [("b", False), ("a", True)]


def test_a_call_on_a_model_that_is_not_loaded_loads_it(tmp_path: Path) -> None:
    shelf = crowded_shelf(tmp_path)
    assert shelf.loaded == ["b", "light"]
    shelf.run("a")
    assert shelf.loaded == ["a", "light"]


@pytest.mark.parametrize(("spoil", "text"), [("change", "is another file"), ("remove", "again")])
def test_a_file_that_is_another_one_by_now_fails_the_call_not_the_loader(
    tmp_path: Path, spoil: str, text: str, caplog: Any
) -> None:
    shelf = crowded_shelf(tmp_path)
    path, a = tmp_path / "t" / "a" / "model.onnx", shelf.models["a"]
    content = path.read_bytes()
    path.write_bytes(b"other") if spoil == "change" else path.unlink()
    a.want()
    assert shelf.memory.load_next()
    assert "model t/a does not come back" in caplog.text
    assert a.load_left_ms == 0.0  # nothing waits for it
    with pytest.raises(ArtifactError, match=text):
        a.run(INPUTS)
    path.write_bytes(content)
    a.run(INPUTS)
    assert a.is_loaded


def test_a_model_that_stays_in_another_release_is_read_there(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_ladder(first, DIGITS, "a", "b")
    shutil.copytree(first, second)
    runtime = ManagedRuntime(
        FakeRuntime({"a": FakeModel(DIGITS), "b": FakeModel(DIGITS)}),
        ModelMemory(1000, resident=lambda: 0),
    )
    before = load_ladder(first, "digits", runtime)
    after = load_ladder(second, "digits", runtime, serving=before)
    shutil.rmtree(first)
    model = after.models[0].loaded
    assert model is before.models[0].loaded
    assert isinstance(model, ManagedModel)
    model.unload()
    assert after.models[0].resident_bytes == 0
    assert model.run(INPUTS).shape == (1, 3)


def test_a_load_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    shelf = crowded_shelf(tmp_path)
    shelf.models["a"].want()
    shelf.now_s += 10.1
    assert shelf.models["a"].load_left_ms == 0.0


def test_a_load_that_ends_while_one_looks_at_it_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = crowded_shelf(tmp_path)
    a = shelf.models["a"]
    a.want()

    def the_other_thread_goes_on() -> float:
        monkeypatch.undo()
        assert shelf.memory.load_next()
        return shelf.now_s

    monkeypatch.setattr(shelf.memory, "clock", the_other_thread_goes_on)
    assert a.load_left_ms == 20.0
    assert (a.is_loaded, a.load_left_ms) == (True, 0.0)


def test_a_model_that_a_call_loads_while_it_is_wanted_is_loaded_the_next_time_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = crowded_shelf(tmp_path)
    a = shelf.models["a"]

    def the_call_goes_on() -> float:
        monkeypatch.undo()
        a.load()
        return shelf.now_s

    monkeypatch.setattr(shelf.memory, "clock", the_call_goes_on)
    a.want()
    assert a.is_loaded
    assert shelf.memory.load_next()
    a.unload()
    a.want()
    assert shelf.memory.load_next(0.01)
    assert a.is_loaded


def test_a_load_that_takes_long_is_waited_for(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 40)
    shelf.load_s = 12.0
    for name, n_bytes in (("light", 10), ("a", 30), ("b", 30)):
        shelf.put(name, n_bytes)
    shelf.models["a"].want()
    shelf.now_s += 14.0
    assert shelf.models["a"].load_left_ms == 10_000.0  # of 24 s: twice what the first load took
    shelf.now_s += 10.1
    assert shelf.models["a"].load_left_ms == 0.0


def test_a_model_does_not_count_what_others_had_taken_before(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 4_000)
    shelf.load_s = 1.0
    for name in ("a", "b"):  # nobody could say what is taken before the first one
        shelf.put(name, 30)
    assert [model.size_bytes for model in shelf.models.values()] == [30, 1_000]


def test_models_that_nobody_has_take_no_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 100)
    shelf.put("a", 60)
    del shelf.models["a"], shelf.fakes["a"]
    gc.collect()
    assert shelf.memory.used_bytes == 0


def test_the_thread_loads_what_is_wanted_until_it_is_closed(tmp_path: Path) -> None:
    shelf = crowded_shelf(tmp_path)
    shelf.models["a"].want()
    shelf.memory.close()
    shelf.memory.start()
    thread = shelf.memory._thread
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    assert shelf.loaded == ["a", "light"]
