"""Cross-fitting: no item is judged by a model that has learned from it, and the last learns all."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, Recipe, Split, TaskData
from ounce_exporters.training.crossfit import NEVER_HELD_OUT, train
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.exporters.memory import Memory

SPEC = TaskSpec(
    name="rows",
    kind="classification",
    description="Rows by number",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=("no", "yes"),
)


def remember(data: TaskData, seed: int, progress: Progress) -> FittedModel:
    progress(0.5)
    progress(1.0)
    return Memory(frozenset(data.train.inputs["input"][:, 0].tolist()))


RECIPE = Recipe("memory", "classical", "remembers rows", remember)


def rows(first: int, n: int) -> Split:
    numbers = np.arange(first, first + n, dtype=np.float32)
    return Split({"input": numbers[:, None]}, (numbers % 2).astype(np.int64))


def data(folds: list[int] | None) -> TaskData:
    train_rows = rows(0, 6)
    validation = rows(100, 3)
    if folds is not None:
        held_out = np.array(folds) != NEVER_HELD_OUT
        validation = Split(
            {"input": train_rows.inputs["input"][held_out]}, train_rows.targets[held_out]
        )
    made = TaskData(SPEC, "none", train_rows, validation, rows(200, 2), "0" * 64)
    return replace(made, folds=None if folds is None else np.array(folds))


@pytest.mark.parametrize(
    "folds", [None, [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 2, 2], [NEVER_HELD_OUT, 0, 0, -1, -1, 0]]
)
def test_no_item_is_judged_by_what_knows_it_and_the_last_model_knows_all(
    folds: list[int] | None,
) -> None:
    of_task = data(folds)
    shares: list[float] = []
    trained = train(RECIPE, of_task, 0, shares.append)
    assert trained.validation_outputs.shape == (len(of_task.validation), 2)
    assert not trained.validation_outputs[:, 1].any()
    known = trained.model.predict(of_task.train.inputs)
    assert known[:, 1].all()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_answers_are_in_the_order_of_the_items() -> None:
    def number(of_task: TaskData, seed: int, progress: Progress) -> FittedModel:
        class Echo(Memory):
            def predict(self, inputs: Inputs) -> NDArray[np.float32]:
                return np.repeat(inputs["input"], 2, axis=1)

        return Echo(frozenset())

    of_task = data([2, 1, NEVER_HELD_OUT, 0, 1, 2])
    trained = train(replace(RECIPE, fit=number), of_task, 0, lambda share: None)
    expected = of_task.validation.inputs["input"][:, 0]
    assert trained.validation_outputs[:, 0].tolist() == expected.tolist() == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("folds", [None, [NEVER_HELD_OUT, 0, 0, -1, -1, 0]])
def test_a_recipe_that_learns_from_few_rows_gets_a_sample(folds: list[int] | None) -> None:
    seen: list[int] = []

    def count(of_task: TaskData, seed: int, progress: Progress) -> FittedModel:
        seen.append(len(of_task.train))
        assert of_task.folds is None or len(of_task.folds) == len(of_task.train)
        assert of_task.units is None or len(of_task.units) == len(of_task.train)
        return Memory(frozenset())

    of_units = replace(data(folds), units=np.arange(6))
    trained = train(replace(RECIPE, fit=count, most_rows=2), of_units, 0, lambda share: None)
    # Every class keeps the rows it has, up to a hundred: here all of them.
    assert (trained.n_sampled, seen[-1]) == (None, 6)
    many = rows(0, 1000)
    of_many = replace(data(None), train=many)
    trained = train(replace(RECIPE, fit=count, most_rows=400), of_many, 0, lambda share: None)
    assert trained.n_sampled == seen[-1] == 400
