"""A ladder is replaced whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ounce_exporters.export import replacement
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.export.replacement import fresh_folder
from ounce_exporters.ladder.recipe import Split
from ounce_schemas.cells import Cell
from ounce_schemas.documents import CARD_FILE, read_task
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.whole_file import UNFINISHED

TASK = TaskSpec(
    name="rooms",
    kind="classification",
    description="Made for a test.",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(2,)),),
    labels=("free", "busy"),
)
OTHER_TASK = TASK.model_copy(update={"labels": ("shut", "open")})
TEST = Split({"input": np.zeros((3, 2), np.float32)}, np.array([0, 1, 0]))


def put_model(models: Path, name: str) -> None:
    folder = models / "rooms" / name
    folder.mkdir()
    (folder / CARD_FILE).write_text(name)


def contents(models: Path) -> list[str]:
    return sorted(str(path.relative_to(models)) for path in models.rglob("*") if path.is_file())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A ladder with the models `old` and `light`, two files of a person's own, and one that a
    killed training left."""
    with new_ladder(tmp_path, TASK, TEST, keep_models=False) as scratch:
        put_model(scratch, "old")
        put_model(scratch, "light")
    (tmp_path / "rooms" / "policy.yaml").write_text("mine")
    (tmp_path / "rooms" / ".trained").touch()
    (tmp_path / "rooms" / f"plans.json.{'0' * 32}{UNFINISHED}").write_text("half")
    return tmp_path


def test_a_ladder_takes_the_place_of_another_whole(models: Path) -> None:
    with new_ladder(models, OTHER_TASK, TEST, keep_models=False) as scratch:
        put_model(scratch, "new")
        assert (models / "rooms" / "old" / CARD_FILE).is_file()
    assert contents(models) == [
        "rooms/.trained",
        "rooms/example-request.json",
        "rooms/new/card.json",
        "rooms/policy.yaml",
        "rooms/task.json",
        "rooms/test-split.npz",
    ]
    assert read_task(models / "rooms" / "task.json") == OTHER_TASK
    assert [path.name for path in models.iterdir()] == ["rooms"]


def test_a_ladder_can_start_with_the_models_of_the_old_one(models: Path) -> None:
    with new_ladder(models, TASK, TEST, keep_models=True) as scratch:
        put_model(scratch, "new")
    assert {path.parent.name for path in models.glob("rooms/*/card.json")} == {
        "light",
        "new",
        "old",
    }
    refused = r"holds models of another signature \(light, new, old\)"
    with (
        pytest.raises(DataError, match=refused),
        new_ladder(models, OTHER_TASK, TEST, keep_models=True),
    ):
        pass


@pytest.mark.parametrize("before", [None, True])
def test_models_of_other_gaps_are_kept(tmp_path: Path, before: bool | None) -> None:
    """Such as those of a version that did not look for gaps, or of rows that had none."""
    ladders = []
    for gaps in (before, False):
        spec = TensorSpec(
            name="input", datatype="FP32", shape=(1,), columns=("a",),
            cells=(Cell(column="a", read="number", gaps=gaps),),
        )  # fmt: skip
        ladders.append(TASK.model_copy(update={"inputs": (spec,)}))
    old, new = ladders
    test = Split({"input": np.zeros((3, 1), np.float32)}, np.array([0, 1, 0]))
    with new_ladder(tmp_path, old, test, keep_models=False) as scratch:
        put_model(scratch, "old")
    with new_ladder(tmp_path, new, test, keep_models=True) as scratch:
        put_model(scratch, "new")
    assert read_task(tmp_path / "rooms" / "task.json") == new
    assert {path.parent.name for path in tmp_path.glob("rooms/*/card.json")} == {"new", "old"}


def test_names_that_people_added_are_kept(tmp_path: Path) -> None:
    def task_of(**added: tuple[str | float, ...]) -> TaskSpec:
        spec = TensorSpec(
            name="input", datatype="FP32", shape=(2,), columns=("a", "b"),
            cells=(Cell(column="a", read="number", **added), Cell(column="b", read="number")),
        )  # fmt: skip
        return TASK.model_copy(update={"inputs": (spec,)})

    test = Split({"input": np.zeros((3, 2), np.float32)}, np.array([0, 1, 0]))
    named = task_of(aliases=("x.a",), missing=(-9999.0,)).model_copy(update={"id_names": ("seq",)})
    for written in (named, task_of()):
        with new_ladder(tmp_path, written, test, keep_models=False) as scratch:
            put_model(scratch, "a")
        assert read_task(tmp_path / "rooms" / "task.json") == named


def interrupt(scratch: Path) -> None:
    put_model(scratch, "new")
    raise KeyboardInterrupt


@pytest.mark.parametrize("keep_models", [True, False])
def test_an_interrupted_training_changes_nothing(models: Path, keep_models: bool) -> None:
    before = contents(models)
    with (
        pytest.raises(KeyboardInterrupt),
        new_ladder(models, TASK, TEST, keep_models=keep_models) as scratch,
    ):
        interrupt(scratch)
    assert contents(models) == before
    assert [path.name for path in models.iterdir()] == ["rooms"]


KILLED = """
import os, signal, sys
from pathlib import Path
from ounce_exporters.export.replacement import fresh_folder
with fresh_folder(Path(sys.argv[1])) as fresh:
    (fresh / "half").write_text("made")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_training_changes_nothing_and_the_next_one_clears_up(models: Path) -> None:
    before = contents(models)
    result = subprocess.run([sys.executable, "-c", KILLED, models / "rooms"], check=False)
    assert result.returncode == -signal.SIGKILL
    assert [path for path in contents(models) if not path.startswith(".")] == before
    assert (models / ".new-rooms").is_dir()
    with fresh_folder(models / "rooms") as fresh:
        (fresh / "whole").write_text("made")
    assert contents(models) == ["rooms/whole"]
    assert [path.name for path in models.iterdir()] == ["rooms"]


def test_where_names_can_not_be_exchanged_two_steps_do(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacement, "_exchange", lambda one, other: False)
    before = contents(models)
    rename = Path.rename

    def fail_to_place(path: Path, target: Path) -> Path:
        if target == models / "rooms":
            os._exit(9)
        return rename(path, target)

    child = os.fork()
    if child == 0:  # dies between the two steps
        monkeypatch.setattr(Path, "rename", fail_to_place)
        with fresh_folder(models / "rooms"):
            pass
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (models / "rooms").exists()
    with pytest.raises(ZeroDivisionError), fresh_folder(models / "rooms"):
        raise ZeroDivisionError
    assert contents(models) == before
    with fresh_folder(models / "rooms") as fresh:
        (fresh / "whole").write_text("made")
    assert contents(models) == ["rooms/whole"]


def test_a_linked_folder_is_replaced_where_it_is(models: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "rooms").symlink_to(models / "rooms")
    with new_ladder(links, TASK, TEST, keep_models=False) as scratch:
        put_model(scratch, "new")
    assert (links / "rooms").is_symlink()
    assert (models / "rooms" / "new").is_dir()


def test_two_trainings_of_one_task_do_not_mix(models: Path) -> None:
    with (
        fresh_folder(models / "rooms"),
        pytest.raises(ArtifactError, match=r"another training is writing it; wait for its end"),
        fresh_folder(models / "rooms"),
    ):
        pass


def test_a_signal_before_anything_is_in_it_leaves_no_folder(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(models)

    def end(descriptor: int, operation: int) -> None:
        raise SystemExit(143)

    monkeypatch.setattr(replacement.fcntl, "flock", end)
    with pytest.raises(SystemExit), fresh_folder(models / "rooms"):
        pass
    assert contents(models) == before
    assert [path.name for path in models.iterdir()] == ["rooms"]
