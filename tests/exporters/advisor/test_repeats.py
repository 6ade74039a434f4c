"""All rows judge the last point of a race again and again, each time in other folds."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.advisor import race as racing
from ounce_exporters.advisor.budgeting import RacePlan, plan_race
from ounce_exporters.advisor.candidates import judged_accuracy
from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.race import Raced, race
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, Recipe, Split, TaskData
from ounce_schemas.task import TaskSpec, TensorSpec

N_ROWS = 200
FOLDS = 4
NAMES = ("decision-tree", "logistic-regression")


def data(n_rows: int = N_ROWS) -> TaskData:
    """Each row's only column is its own number."""
    spec = TaskSpec(
        name="t",
        kind="classification",
        description="t",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
        labels=("a", "b"),
    )
    numbers = np.arange(n_rows)
    rows = Split({"input": numbers[:, None].astype(np.float32)}, numbers % 2)
    return TaskData(spec, "none", rows, rows, rows, "0" * 64, folds=numbers // 2 % FOLDS)


@dataclass
class Remembering:
    """Answers 1 for a row that it has learned from, and the row's number."""

    learned: NDArray[np.float32]

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        asked = np.asarray(inputs["input"], np.float32)
        return np.hstack([np.isin(asked, self.learned), asked]).astype(np.float32)


@dataclass
class Fits:
    """What was fitted; fails or ends as it is told at the fit of a number."""

    ends: dict[int, BaseException] = field(default_factory=dict)
    n: int = 0
    learned: list[list[float]] = field(default_factory=list)
    """Rows of each fit."""

    def recipe(self, name: str) -> Recipe:
        def fit(known: TaskData, seed: int, progress: Progress) -> FittedModel:
            self.n += 1
            if self.n in self.ends:
                raise self.ends[self.n]
            self.learned.append(known.train.inputs["input"][:, 0].tolist())
            model: Any = Remembering(np.asarray(known.train.inputs["input"], np.float32))
            return model

        return Recipe(name, "classical", "", fit)


def ran(budget_s: float, fits: Fits) -> tuple[RacePlan, Raced]:
    plan = plan_race(data(), [fits.recipe(name) for name in NAMES], budget_s)
    return plan, race(data(), plan, 0, lambda runners: {}, lambda what, done: None)


@pytest.mark.parametrize(
    ("budget_s", "n_folds", "n_repeats"), [(1.8, 4, 4), (0.9, 2, 1), (0.4, 1, 0)]
)
def test_what_a_budget_leaves_lets_all_rows_judge_again(
    budget_s: float, n_folds: int, n_repeats: int
) -> None:
    fits = Fits()

    plan, raced = ran(budget_s, fits)

    assert (plan.budget.n_folds, plan.budget.n_repeats) == (n_folds, n_repeats)
    assert plan.budget.planned_s <= budget_s
    n_last = max(n_folds, n_repeats * FOLDS)
    assert fits.n == len(NAMES) * (n_folds * (len(plan.shares) - 1) + n_last)
    assert len(raced.places) == (N_ROWS if n_repeats else N_ROWS * n_folds // FOLDS)


def test_a_table_of_many_rows_is_judged_once() -> None:
    recipes = [Fits().recipe(name) for name in NAMES]

    assert plan_race(data(5_001), recipes, 60).budget.n_repeats == 0


def test_each_row_is_judged_by_models_that_have_not_learned_from_it() -> None:
    _, raced = ran(1.8, Fits())

    for runner in raced.runners:
        assert runner.outputs is not None
        assert len(runner.again) == 3
        for answers in (runner.outputs, *runner.again):
            assert not answers[:, 0].any()
            assert answers[:, 1].tolist() == raced.places.tolist()
            assert answers[:, 1].tolist() == raced.held_out.inputs["input"][:, 0].tolist()


def test_folds_differ_from_time_to_time_and_not_from_run_to_run() -> None:
    first, second = Fits(), Fits()

    ran(1.8, first)
    ran(1.8, second)

    assert first.learned == second.learned
    n_race = len(NAMES) * FOLDS * 4
    of_last = [frozenset(rows) for rows in first.learned[n_race - len(NAMES) * FOLDS :]]
    assert len(set(of_last)) == len(of_last) // len(NAMES)  # both kinds learn from the same rows


def test_what_ends_while_rows_judge_again_leaves_what_is_whole() -> None:
    n_race = len(NAMES) * FOLDS * 4

    _, raced = ran(1.8, Fits({n_race + 1 + len(NAMES) * FOLDS: KeyboardInterrupt()}))

    assert raced.interrupted
    assert [len(runner.again) for runner in raced.runners] == [1, 1]
    assert raced.n_repeats == 2


def test_progress_counts_no_rows_that_a_kind_of_model_leaves_out() -> None:
    """Else it would be told at its end, and Ctrl-C would not be told."""
    told: list[float] = []
    rows, names = data(8_000), ("gradient-boosting", "random-forest")
    recipes = [replace(Fits().recipe(name), most_rows=50) for name in names]
    plan = plan_race(rows, recipes, 60)

    race(rows, plan, 0, lambda runners: {}, lambda what, done: told.append(done))

    assert told == sorted(told)
    assert told[-1] < 1


def test_a_point_that_is_not_measured_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(racing, "score_by", interrupted)

    with pytest.raises(KeyboardInterrupt):
        ran(1.8, Fits())


def test_a_kind_of_model_that_fails_then_leaves_the_race() -> None:
    n_race = len(NAMES) * FOLDS * 4

    _, raced = ran(1.8, Fits({n_race + 1: ValueError("no such thing")}))

    failed, other = raced.runners
    assert failed.stopped == "failed: ValueError: no such thing"
    assert failed.outputs is None
    assert len(other.again) == 3


def exported(answers: NDArray[np.float32], n: int) -> Exported:
    recipe = Fits().recipe("t")
    return Exported(recipe, b"", 1.0, answers, again=(answers,) * (n - 1))


def test_the_same_answers_again_narrow_no_interval() -> None:
    rows = data()
    raced = Raced([], rows.validation, np.arange(N_ROWS), interrupted=False)
    right = rows.validation.targets[:, None] == np.arange(2)
    answers = np.where(np.arange(N_ROWS)[:, None] < 50, ~right, right).astype(np.float32)

    once = judged_accuracy(rows, raced, exported(answers, 1))
    often = judged_accuracy(rows, raced, exported(answers, 4))

    assert often.value == once.value == 0.75
    assert often.low <= once.low
    assert often.high >= once.high
