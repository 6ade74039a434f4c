"""Every artifact is checked against its card before it serves."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.catalogue import Ladder, load_ladder
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.cells import Cell
from ounce_schemas.documents import PLANS_FILE, TASK_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.plans import ClassProfile, LadderPlans, PlanProfile, Step
from ounce_schemas.task import TensorSpec

from tests.support.edge.ladders import DIGITS, NUMBERS, write_ladder, write_model


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A ladder of two models, `a` and `b`, whose files a fake runtime takes."""
    write_ladder(tmp_path, DIGITS, "a", "b")
    return tmp_path


def load(models: Path, **fakes: FakeModel) -> Ladder:
    return load_ladder(
        models, "digits", FakeRuntime({"a": FakeModel(DIGITS), "b": FakeModel(DIGITS), **fakes})
    )


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_sound_ladder_serves_whole(models: Path) -> None:
    (models / "digits" / ".half-written").mkdir()
    ladder = load(models)
    assert [m.card.model for m in ladder.models] == ["a", "b"]
    assert ladder.refused == []
    assert ladder.version == load(models).version


def test_the_version_is_that_of_what_serves(models: Path) -> None:
    whole = load(models).version
    (models / "digits" / "a" / "model.onnx").unlink()
    assert load(models).version != whole


def nan(inputs: Any) -> Any:
    return np.full((len(inputs["input"]), 3), np.nan, np.float32)


def narrow(inputs: Any) -> Any:
    return np.zeros((len(inputs["input"]), 2), np.float32)


def raises(inputs: Any) -> Any:
    raise RuntimeError("bad\n node")


@pytest.mark.parametrize(
    ("fake", "text"),
    [
        (FakeModel(NUMBERS), "its inputs are input FP32[n, 2], categories BYTES[n, 1], the card"),
        (FakeModel(DIGITS, nan), "6 values that are not finite"),
        (FakeModel(DIGITS, narrow), "shape (2, 2)"),
        (FakeModel(DIGITS, raises), "does not run: bad node"),
    ],
)
def test_a_model_that_is_not_what_its_card_says_is_refused(
    models: Path, fake: FakeModel, text: str
) -> None:
    ladder = load(models, a=fake)
    assert [m.card.model for m in ladder.models] == ["b"]
    [line] = ladder.refused
    assert line.startswith("a: ")
    assert text in line


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: (f / "model.onnx").write_bytes(b"other"), "is not the card's"),
        (lambda f: (f / "model.onnx").unlink(), "can't be read"),
        (lambda f: (f / "card.json").unlink(), "can't be read"),
        (lambda f: (f / "card.json").write_text("{"), "Invalid JSON"),
        (lambda f: (f / "card.json").write_bytes(b"\xff"), "can't be read"),
        (lambda f: change(f / "card.json", seed="x"), "seed: "),
        (lambda f: change(f / "card.json", model="b"), "is the card of digits/b"),
        (lambda f: change(f / "card.json", inputs=[]), "its signature is not the task's"),
    ],
)
def test_a_damaged_artifact_is_refused_and_the_others_serve(
    models: Path, damage: Any, text: str
) -> None:
    damage(models / "digits" / "a")
    ladder = load(models)
    assert [m.card.model for m in ladder.models] == ["b"]
    assert text in ladder.refused[0]


def test_nothing_left_to_serve_is_an_error(models: Path) -> None:
    for name in ("a", "b"):
        (models / "digits" / name / "model.onnx").write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"no model can serve: a: .*; b: "):
        load(models)


def test_an_absent_or_wrong_task_is_an_error(models: Path) -> None:
    runtime = FakeRuntime({})
    with pytest.raises(ArtifactError, match="make the ladder with `ounce train bearing"):
        load_ladder(models, "bearing", runtime)
    change(models / "digits" / "task.json", name="other")
    with pytest.raises(ArtifactError, match="holds task 'other', not 'digits'"):
        load_ladder(models, "digits", runtime)


def test_what_was_checked_is_what_is_loaded(models: Path) -> None:
    loaded: dict[str, bytes] = {}

    class Slow(FakeRuntime):
        """Whose files are replaced before it comes to load them."""

        def load(self, path: Path, content: bytes) -> LoadedModel:
            path.write_bytes(b"replaced meanwhile")
            loaded[path.parent.name] = content
            return super().load(path, content)

    runtime = Slow({"a": FakeModel(DIGITS), "b": FakeModel(DIGITS)})
    ladder = load_ladder(models, "digits", runtime)
    digests = {m.card.model: m.card.sha256 for m in ladder.models}
    assert {name: hashlib.sha256(found).hexdigest() for name, found in loaded.items()} == digests
    assert loaded == {"a": b"model a", "b": b"model b"}


def test_sample_inputs_are_of_the_signature() -> None:
    sample = sample_inputs(DIGITS.inputs, 5)["input"]
    assert sample.shape == (5, 4)
    assert sample.dtype == np.float32
    assert sample.min() >= 0
    assert sample.max() <= 16
    table = sample_inputs(NUMBERS.inputs, 3)
    assert table["input"].shape == (3, 2)
    assert table["categories"].tolist() == [[""]] * 3


def test_beside_what_serves_only_other_files_are_loaded(models: Path) -> None:
    before = load(models)
    folder = models / "digits"
    write_model(folder, DIGITS, "b", "another model b")
    write_model(folder, DIGITS, "a", "model a", accuracy=0.5)  # the same file with another card
    fakes = {"b": FakeModel(DIGITS)}  # `a` can't be loaded
    after = load_ladder(models, "digits", FakeRuntime(fakes), serving=before)
    assert after.refused == []
    assert after.models[0].loaded is before.models[0].loaded
    assert after.models[0].card.validation_accuracy.value == 0.5
    assert after.models[1].loaded is fakes["b"]
    assert after.version != before.version


def test_a_refused_model_leaves_the_one_of_its_name_in_service(models: Path) -> None:
    before = load(models)
    (models / "digits" / "a" / "model.onnx").write_bytes(b"half")
    (models / "digits" / "b" / "card.json").unlink()
    write_model(models / "digits", DIGITS, "c", "model c")
    after = load_ladder(models, "digits", FakeRuntime({}), serving=before)
    assert after.models == before.models
    assert [line.split(":")[0] for line in after.refused] == ["a", "b", "c"]
    assert after.version == before.version


def test_another_task_does_not_replace_what_serves(models: Path) -> None:
    before = load(models)
    change(models / "digits" / "task.json", labels=["one", "two"])
    with pytest.raises(ArtifactError, match="not those of the task that serves"):
        load_ladder(models, "digits", FakeRuntime({}), serving=before)


@pytest.mark.parametrize(
    "other", [{"aliases": ("b",), "missing": (-1.0,)}, {"gaps": True}], ids=["added", "learned"]
)
def test_other_names_and_gaps_make_no_other_signature(tmp_path: Path, other: Any) -> None:
    spec = TensorSpec(
        name="input", datatype="FP32", shape=(1,), columns=("a",),
        cells=(Cell(column="a", read="number"),),
    )  # fmt: skip
    task = DIGITS.model_copy(update={"inputs": (spec,)})
    write_ladder(tmp_path, task, "light")
    cell = Cell(column="a", read="number").model_copy(update=other)
    added = task.model_copy(update={"inputs": (spec.model_copy(update={"cells": (cell,)}),)})
    (tmp_path / task.name / TASK_FILE).write_text(added.model_dump_json())
    runtime = FakeRuntime({"light": FakeModel(added)})
    ladder = load_ladder(tmp_path, task.name, runtime)
    assert (ladder.task, ladder.refused) == (added, [])


def test_plans_of_a_model_that_was_taken_away_are_no_error(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    digests = {m.card.model: m.card.sha256 for m in load(models).models}
    classes = tuple(ClassProfile(label=x, n=1, accurate=1, confident=1) for x in DIGITS.labels)
    plans = tuple(
        PlanProfile(
            name=name,
            steps=(Step(model=name, sha256=digest, reach=1.0),),
            accuracy=AccuracyEstimate(value=0.9, low=0.8, high=1.0, n=100),
            confidence_threshold=0.5,
            classes=classes,
        )
        for name, digest in {**digests, "retired": "0" * 64}.items()
    )
    document = LadderPlans(task="digits", n_validation=100, plans=plans)
    (models / "digits" / PLANS_FILE).write_text(document.model_dump_json())
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert [plan.name for plan in load(models).plans] == ["a", "b"]
    assert [(r.levelname, "retired" in r.message) for r in caplog.records] == [("INFO", True)]
