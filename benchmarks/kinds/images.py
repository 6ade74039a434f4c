"""Images of digits: accuracy from a linear model to networks, and a cascade of two of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions, Writing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import select

from benchmarks.kinds.multiply_adds import count_multiply_adds
from benchmarks.results import Cell, Table

_MODELS = ("logistic-regression", "small-cnn", "cnn")
_LIGHT, _BEST = "small-cnn", "cnn"
_SIDE = 28


def measure_images(folder: Path) -> Table:
    """One row a model, and the cascade of the small and the best network.

    The cascade's threshold is the least confidence at which it errs no more than the best one, on
    validation images that no model has learned from.

    Args:
        folder: holds `images/mnist_5k.csv.gz`, pixels and the digit in the last column.
    """
    options = TableOptions(writing=Writing(header=False), image=(_SIDE, _SIDE, None))
    path = folder / "images" / "mnist_5k.csv.gz"
    whole = load(path, str(_SIDE**2), "mnist", options, 0, lambda line: None)
    data = _apart(whole)
    truth = data.test.targets
    rows: list[list[Cell]] = []
    test: dict[str, NDArray[np.float64]] = {}
    validation: dict[str, NDArray[np.float64]] = {}
    costs: dict[str, float] = {}
    for recipe in recipes(data):
        if recipe.name not in _MODELS:
            continue
        model = recipe.fit(data, 0, lambda share: None)
        test[recipe.name] = _shares(model.predict(data.test.inputs))
        validation[recipe.name] = _shares(model.predict(data.validation.inputs))
        costs[recipe.name] = count_multiply_adds(model.to_onnx())
        rows.append(_row(recipe.name, test[recipe.name].argmax(axis=1), truth, costs[recipe.name]))
    threshold = _threshold(validation[_LIGHT], validation[_BEST], data.validation.targets)
    asks_on = test[_LIGHT].max(axis=1) < threshold
    answers = np.where(asks_on, test[_BEST].argmax(axis=1), test[_LIGHT].argmax(axis=1))
    cost = costs[_LIGHT] + asks_on.mean() * costs[_BEST]
    rows.append(_row(f"{_LIGHT}, then {_BEST} for {asks_on.mean():.0%}", answers, truth, cost))
    note = (
        f"{len(data.train)} images to learn from, {len(truth)} to test, one split. To reach: 98%, "
        f"and a cascade as accurate at a fifth of the compute (here {costs[_BEST] / cost:.1f} "
        "times less)."
    )
    return Table(["model", "accuracy", "multiply-adds an image"], rows, note)


def _apart(data: TaskData) -> TaskData:
    """The validation images teach nothing here: one fit of each model is judged."""
    assert data.folds is not None
    return replace(data, train=select(data.train, data.folds < 0), folds=None)


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    odds = np.exp(wide - wide.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def _threshold(
    light: NDArray[np.float64], best: NDArray[np.float64], truth: NDArray[np.int64]
) -> float:
    wanted = (best.argmax(axis=1) == truth).mean()
    for threshold in np.linspace(0.0, 1.0, 201):
        asks_on = light.max(axis=1) < threshold
        answers = np.where(asks_on, best.argmax(axis=1), light.argmax(axis=1))
        if (answers == truth).mean() >= wanted:
            return float(threshold)
    return 1.0


def _row(
    name: str, answers: NDArray[np.int64], truth: NDArray[np.int64], cost: float
) -> list[Cell]:
    return [name, f"{(answers == truth).mean():.2%}", f"{cost:,.0f}"]
