"""How much work a table's models are: known before they train, so that it can be bounded.

Counted in nominal microseconds, not taken from a clock: the same table leads to the same choice on
every machine, however busy it is.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from ounce_schemas.task import TaskSpec

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.folds import MOST_ROWS as MOST_FOLDED_ROWS
from ounce_exporters.training.boosting import relative_work

FIT_S = 12.0
"""Nominal seconds that one fit may take: a model of slow fits learns from a sample of the rows."""
EXPORT_S = 3.0
"""Of every model, to export, check and measure it."""
_TYPICAL_COLUMNS = 10
_ROW_US = {
    "ridge": 0.5,
    "elastic-net": 5.0,
    "linear-svm": 5.0,
    "logistic-regression": 1.5,
    "decision-tree": 9.0,
    "gradient-boosting": 12.0,
    "extra-trees": 60.0,
    "gradient-boosting-small": 2.0,
    "extra-trees-small": 7.0,
    "random-forest-small": 18.0,
    "mlp": 100.0,
    "mlp-small": 50.0,
    "glass-box": 120.0,
    "random-forest": 150.0,
    "kernel-svm": 400.0,
    "small-cnn": 8.0,
    "cnn": 40.0,
    "residual-cnn": 120.0,
}
"""One training row of ten columns in one fit, on one core of 2020; of two classes. The kernel SVM
counts for more than it takes: each row fills 6 kB of memory."""
_OTHER_ROW_US = 150.0
_OF_TRIAL = re.compile(r"-\d+$")
"""Behind the family's name, where tuning found the model."""
_BY_ROOT = ("mlp", "mlp-small", "random-forest", "random-forest-small", "extra-trees",
            "extra-trees-small", "kernel-svm")  # fmt: skip
"""Models whose work grows more slowly than the columns: about as their root."""
_BOUNDED = ("glass-box",)
"""Models that bound their own work: a wide table costs them rounds, not time."""
MOST_WIDTH = 7_500
"""Columns x classes of a glass box; two classes, or a quantity, count once. Of more, 20,000 rows
leave it no time for the rounds that boosting needs."""
MOST_GLASS_CLASSES = 50
"""Each cell of a map of two features holds a number for each class."""


def bound_work(recipes: Sequence[Recipe], data: TaskData) -> list[Recipe]:
    """The same recipes with their effort in nominal seconds and the most rows each learns from."""
    n_fits = 1 if data.folds is None else int(data.folds.max()) + 2
    bounded = []
    for recipe in recipes:
        name = _OF_TRIAL.sub("", recipe.name)
        row_us = row_work_us(name, data)
        most_rows = max(MOST_FOLDED_ROWS, int(FIT_S * 1e6 / row_us))
        n_rows = min(len(data.train), most_rows)
        fit_s = n_rows * row_us / 1e6
        if name in _BOUNDED:
            fit_s = min(fit_s, FIT_S)
        effort = EXPORT_S + n_fits * fit_s
        bounded.append(replace(recipe, effort=effort, most_rows=most_rows))
    return bounded


def why_no_glass_box(task: TaskSpec) -> str | None:
    """What to say where a table is too wide for one."""
    n_classes = len(task.labels)
    width = sum(t.size for t in task.inputs) * (n_classes if n_classes > 2 else 1)
    unsuited = (
        task.kind in ("anomaly", "clusters")
        or task.image is not None
        or task.inputs[0].channels is not None
        or any(tensor.text_bytes is not None for tensor in task.inputs)
    )
    if n_classes > MOST_GLASS_CLASSES and not unsuited:
        return (
            f"glass-box is left out: {n_classes} classes are more than {MOST_GLASS_CLASSES}, and "
            "its maps hold a number for each"
        )
    if unsuited or width <= MOST_WIDTH:
        return None
    return f"glass-box is left out: {width:,} columns x classes are more than {MOST_WIDTH:,}"


def row_work_us(name: str, data: TaskData) -> float:
    """Nominal microseconds of a training row in one fit of a kind of model."""
    n_columns = sum(tensor.size for tensor in data.spec.inputs)
    per_column = max(n_columns / _TYPICAL_COLUMNS, 0.5)
    if name in _BY_ROOT:
        per_column **= 0.5
    n_classes = len(data.spec.labels)
    per_class = 1.0
    if name == "logistic-regression" and n_classes > 2:
        per_class = n_classes
    elif name.startswith("gradient-boosting"):
        per_class = relative_work(n_classes)
    return _ROW_US.get(name, _OTHER_ROW_US) * per_column * per_class
