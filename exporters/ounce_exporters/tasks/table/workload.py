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
from ounce_exporters.tasks.work import fit_work_s, row_work_us

FIT_S = 12.0
"""Nominal seconds that one fit may take: a model of slow fits learns from a sample of the rows."""
EXPORT_S = 1.0
"""Of a table's model, to export, check and measure it."""
TRACED_S = 2.5
"""Of a model of images, sequences or texts: PyTorch traces what it reads of an item."""
_OF_TRIAL = re.compile(r"-\d+$")
"""Behind the family's name, where tuning found the model."""
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
    spec = data.spec
    reads_texts = any(tensor.text_bytes for tensor in spec.inputs)
    is_traced = spec.image is not None or spec.inputs[0].channels is not None or reads_texts
    export_s = TRACED_S if is_traced else EXPORT_S
    bounded = []
    for recipe in recipes:
        name = _OF_TRIAL.sub("", recipe.name)
        row_us = row_work_us(name, data)
        most_rows = max(MOST_FOLDED_ROWS, int(FIT_S * 1e6 / row_us))
        n_rows = min(len(data.train), most_rows)
        fit_s = fit_work_s(name, n_rows, data)
        if name in _BOUNDED:
            fit_s = min(fit_s, FIT_S)
        effort = export_s + n_fits * fit_s
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
