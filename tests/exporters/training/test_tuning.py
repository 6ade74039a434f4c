"""Searching for a ladder: its front, its honesty, its end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.export.costs import count_cost
from ounce_exporters.ladder.building import BuiltLadder, build_ladder
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.tasks.folds import with_folds
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.recipes import families
from ounce_exporters.train_command.tuned_ladder import tune_ladder
from ounce_exporters.training.crossfit import train
from ounce_exporters.training.tuning import (
    Family,
    Range,
    Trial,
    front,
    hold_one_fold,
    search,
)
from ounce_schemas.command import main
from ounce_schemas.documents import read_card
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from rich.console import Console

LIGHT = ("logistic-regression", "decision-tree", "random-forest")


def moons(n: int = 240) -> TaskData:
    """Two classes that a line separates poorly; each row is in the data once."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)).astype(np.float32)
    y = (np.abs(x[:, 0]) > 0.6).astype(np.int64)
    spec = TaskSpec(
        name="t",
        kind="classification",
        description="",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(2,)),),
        labels=("in", "out"),
    )
    return with_folds(split_task(spec, "a test", {"input": x}, y, 0), 0)


def light(data: TaskData) -> list[Family]:
    return [family for family in families(data) if family.name in LIGHT]


def nothing(done: float, trial: Trial | None) -> None:
    pass


def trial(name: str, error: float, cost_ns: float) -> Trial:
    return Trial(
        Recipe(name, "classical", name, lambda *_: pytest.fail("not fitted")), error, cost_ns
    )


def test_the_front_is_what_nothing_beats() -> None:
    trials = [
        trial("dear", 0.1, 9.0),
        trial("cheap", 0.3, 1.0),
        trial("beaten", 0.3, 2.0),
        trial("middle", 0.2, 3.0),
        trial("no better than middle", 0.2, 4.0),
        trial("dominated", 0.15, 10.0),
    ]
    assert [t.recipe.name for t in front(trials)] == ["cheap", "middle", "dear"]


def test_a_seed_finds_the_same_again_and_tries_each_family_first() -> None:
    data = hold_one_fold(moons())
    seen: list[Trial] = []
    shares: list[float] = []

    def tell(done: float, trial: Trial | None) -> None:
        shares.append(done)
        if trial is not None:
            seen.append(trial)

    first = search(data, light(data), 8, 3, tell)
    assert [t.recipe.name for t in seen[:3]] == [f"{name}-{i}" for i, name in enumerate(LIGHT)]
    assert (len(seen), first.n_trials, first.ended_by) == (8, 8, None)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [r.name for r in first.recipes] == [t.recipe.name for t in front(seen)]
    again = search(data, light(data), 8, 3, nothing)
    assert [r.algorithm for r in again.recipes] == [r.algorithm for r in first.recipes]


def test_rows_that_judge_the_ladder_are_not_seen_by_the_search() -> None:
    data = hold_one_fold(moons())
    judges = {row.tobytes() for row in data.validation.inputs["input"]}
    assert len(judges) == len(data.validation) == pytest.approx(len(data.train) / 4, abs=1)
    looked_at: set[bytes] = set()

    def spying(**options: float) -> Callable[[TaskData, int, Progress], FittedModel]:
        real = next(f for f in light(data) if f.name == "decision-tree").make(**options)

        def fit(part: TaskData, seed: int, progress: Progress) -> FittedModel:
            model = real(part, seed, progress)
            looked_at.update(row.tobytes() for row in part.train.inputs["input"])
            return model

        return fit

    spy = Family("spy", "classical", "a tree", spying, {"depth": Range(3, 2, 9)})
    found = search(data, [spy], 2, 0, nothing)
    assert looked_at
    assert not looked_at & judges
    # The models that are shipped learn from them, too; their judges do not.
    looked_at.clear()
    train(found.recipes[0], data, 0, lambda share: None)
    assert judges <= looked_at


def test_rows_of_one_unit_never_teach_and_judge_the_same_trial() -> None:
    data = moons()
    units = np.arange(len(data.train)) % 7
    data = replace(data, folds=None, units=units)
    unit_of = dict(zip((r.tobytes() for r in data.train.inputs["input"]), units, strict=True))
    judged: list[set[int]] = []

    def spying(**options: float) -> Callable[[TaskData, int, Progress], FittedModel]:
        real = next(f for f in light(data) if f.name == "decision-tree").make(**options)

        def fit(part: TaskData, seed: int, progress: Progress) -> FittedModel:
            taught = {int(unit_of[row.tobytes()]) for row in part.train.inputs["input"]}
            judged.append(set(range(7)) - taught)
            return real(part, seed, progress)

        return fit

    search(data, [Family("spy", "classical", "a tree", spying, {})], 1, 0, nothing)
    assert len(judged) == 3
    assert sorted(unit for units in judged for unit in units) == list(range(7))


def test_a_class_of_one_unit_always_teaches_or_the_search_says_why_it_cannot() -> None:
    data = replace(moons(), folds=None)
    truth = data.train.targets
    of_one = np.where(truth == 1, 0, np.arange(len(truth)) % 6)
    assert search(replace(data, units=of_one), light(data), 1, 0, nothing).n_trials == 1
    with pytest.raises(ExportError, match="needs rows of each class in two units"):
        search(replace(data, units=truth), light(data), 1, 0, nothing)


def test_no_trial_begins_when_it_is_too_late_but_the_first() -> None:
    data = hold_one_fold(moons())
    tuned = search(data, light(data), 5, 0, nothing, lambda: "--time-limit")
    assert (tuned.n_trials, tuned.ended_by) == (1, "--time-limit")


def test_ctrl_c_keeps_what_is_there_and_failed_trials_are_passed_over() -> None:
    data = hold_one_fold(moons())
    n_fits = 0

    def fragile(**options: float) -> Callable[[TaskData, int, Progress], FittedModel]:
        real = next(f for f in light(data) if f.name == "decision-tree").make(**options)

        def fit(part: TaskData, seed: int, progress: Progress) -> FittedModel:
            nonlocal n_fits
            n_fits += 1
            if n_fits == 1:
                raise FloatingPointError("the loss is nan")
            if n_fits > 7:  # two trials of three folds are whole
                raise KeyboardInterrupt
            return real(part, seed, progress)

        return fit

    family = Family("fragile", "classical", "a tree", fragile, {"depth": Range(3, 2, 9)})
    tuned = search(data, [family], 50, 0, nothing)
    assert (tuned.n_trials, tuned.ended_by) == (2, "Ctrl-C during fragile-3")
    assert {recipe.name for recipe in tuned.recipes} <= {"fragile-1", "fragile-2"}
    n_fits = 0
    with pytest.raises(ExportError, match="no trial succeeded; the last one: fragile-0: Floating"):
        search(data, [family], 1, 0, nothing)
    n_fits = 7
    with pytest.raises(KeyboardInterrupt):
        search(data, [family], 1, 0, nothing)


def test_more_trees_and_more_weights_cost_more() -> None:
    data = moons()
    by_name = {family.name: family for family in families(data)}

    def cost(name: str, **options: float) -> float:
        recipe = by_name[name].recipe(0, options)
        return count_cost(recipe.fit(data, 0, lambda share: None).to_onnx())

    line = cost("logistic-regression")
    tree = cost("decision-tree", depth=3)
    forests = [cost("random-forest", n_trees=n) for n in (5, 10)]
    assert line < forests[0]
    assert tree < forests[0]
    assert forests[1] == pytest.approx(2 * forests[0], rel=0.2)
    vectors = [cost("kernel-svm", n_vectors=n) for n in (16, 64)]
    assert line < vectors[0] < vectors[1]


def test_the_command_tunes_a_ladder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = moons()
    table = pd.DataFrame(data.train.inputs["input"], columns=["a", "b"])
    table["y"] = np.where(data.train.targets, "out", "in")
    table.to_csv(tmp_path / "moons.csv", index=False)
    options = ["--data", tmp_path / "moons.csv", "--target", "y", "--models", tmp_path]
    options += ["--class-weights", "balanced"]
    kept: list[Recipe] = []

    def build(data: TaskData, recipes: Sequence[Recipe], *more: Any) -> BuiltLadder:
        kept.extend(recipes)
        return build_ladder(data, recipes, *more)

    monkeypatch.setattr("ounce_exporters.train_command.making.build_ladder", build)
    only = [f"--only={name}" for name in LIGHT]
    monkeypatch.setattr(
        "sys.argv", ["ounce", "train", *map(str, options), "--tune", "5", "--resume", *only]
    )
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr().out
    assert end.value.code in (0, None), out
    assert out.index("--resume searches anew") < out.index("Tuning: 5 trials; the ladder is ")
    cards = [read_card(path) for path in (tmp_path / "moons").glob("*/card.json")]
    assert 1 <= len(cards) <= 5
    assert kept
    assert all(recipe.balanced for recipe in kept)  # measures weigh by what models learned with
    for card in cards:
        assert card.model.rpartition("-")[0] in LIGHT
        assert card.training.n_folds == 1
        assert f"{card.model}: training" in out


def test_models_without_options_are_tried_once(capsys: pytest.CaptureFixture[str]) -> None:
    data = moons()
    plain = [replace(family, space={}) for family in light(data)]
    _, found = tune_ladder(data, plain, 50, 0, Console(width=200))
    out = capsys.readouterr().out
    assert "no options to search; each is tried once" in out
    assert f"{len(plain)} trials; the ladder is" in out
    assert 1 <= len(found) <= len(plain)
