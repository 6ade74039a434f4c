"""Judging a whole ladder by rows that none of its models has seen."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.card import ModelCard
from ounce_schemas.cells import as_text
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype
from sklearn.model_selection import train_test_split

from ounce_exporters.evaluation.figures import expected_calibration_error
from ounce_exporters.evaluation.groups import group_names
from ounce_exporters.evaluation.judgement import judge
from ounce_exporters.export.answers import write_answers
from ounce_exporters.export.cards import write_card
from ounce_exporters.export.example import example_request
from ounce_exporters.export.weighing import unweigh
from ounce_exporters.ladder.recipe import Groups, Inputs, Split, TaskData
from ounce_exporters.own.splits import Judges, Rows, no_items
from ounce_exporters.tasks.splits import LEAST_ROWS, digest
from ounce_exporters.tasks.table.options import Writing
from ounce_exporters.tasks.table.quantities import read_quantity
from ounce_exporters.tasks.table.reading import read_table
from ounce_exporters.tasks.table.rows import as_texts, read_values
from ounce_exporters.tasks.table.target import check_target

_SAME_TABLE = 0.5
"""Share of a ladder's test items that a file must hold to be the table it was trained from."""


def judges_of_file(judges: Judges, rows: Rows) -> tuple[Judges, list[str]]:
    """The rows of a file as judges of a ladder: half validate, half test.

    A file that holds the ladder's own test items is the table that it was trained from. Its models
    know the other rows. So the ladder's own splits judge on. A file that judged the ladder
    before does so once more where its figures are told apart by a column that is named.

    Raises:
        DataError: the file can't be read so, has too few rows with a label of the task, or the
            ladder's own splits judge and do not keep the groups that are asked for.
    """
    task, path = judges.data.spec, rows.path
    items, groups, lines = _read(judges, rows)
    if _share_of_known(task, judges.data.test, items) > _SAME_TABLE and not (
        rows.by is not None and _judged_before(judges, items)
    ):
        lines.append(f"{path.name} holds the ladder's own items: its own splits judge")
        _check_groups(judges, rows.by)
        return judges, lines
    n = len(items)
    if n < LEAST_ROWS:
        raise DataError(
            f"{path} has {counted(n, 'row')} that can judge: at least {LEAST_ROWS} are needed"
        )
    classifies = task.classifies
    counts = np.bincount(items.targets) if classifies else np.array([0])
    validation, test = train_test_split(
        np.arange(n),
        train_size=0.5,
        random_state=judges.seed,
        stratify=items.targets if classifies and counts[counts > 0].min() > 1 else None,
    )
    validation = np.sort(validation)
    data = TaskData(
        spec=task,
        source=f"judged with {path.name}",
        train=no_items(items),
        validation=_take(items, validation),
        test=_take(items, np.sort(test)),
        sha256=digest(items.inputs, items.targets),
        groups=None if groups is None else replace(groups, names=groups.names[validation]),
    )
    return Judges(data, judges.seed, judges.cards, are_new=True), lines


def judge_again(folder: Path, card: ModelCard, data: TaskData) -> ModelCard:
    """Judge a model that is there by other items, and write its card anew.

    Raises:
        ArtifactError: its file can't be run or written.
    """
    task = data.spec
    path = folder / MODEL_FILE
    try:
        model = OnnxCpuRuntime(threads=1).load(path, path.read_bytes())
    except OSError as e:
        raise ArtifactError(f"{path}: can't be read: {e.strerror or e}") from e
    answers, tested = model.run(data.validation.inputs), model.run(data.test.inputs)
    calibration = card.calibration
    if task.classifies:
        before = unweigh(tested, calibration.biases)
        error = expected_calibration_error(before, data.test.targets)
        calibration = calibration.model_copy(update={"ece_after": error})
    source = card.training.source.removesuffix(f"; {data.source}")
    fresh = card.model_copy(
        update={
            **judge(task, answers, tested, data),
            "calibration": calibration,
            "training": card.training.model_copy(
                update={
                    "sha256": data.sha256,
                    "source": f"{source}; {data.source}",
                    "n_validation": len(data.validation),
                    "n_test": len(data.test),
                    "n_folds": 0,
                }
            ),
        }
    )
    write_card(folder, fresh, task, example_request(task, data.test))
    write_answers(folder, answers)
    return fresh


def _read(judges: Judges, rows: Rows) -> tuple[Split, Groups | None, list[str]]:
    """Rows as a worker reads them, and their groups; those without a label of the task are left
    out."""
    task, path, target = judges.data.spec, rows.path, rows.target
    read = read_table(path, Writing(), target)
    frame, lines = read.frame, list(read.notices)
    check_target(frame, target)
    if rows.by is not None and rows.by not in frame:
        raise DataError(
            f"--by: there is no column {rows.by!r}: the table has {', '.join(frame.columns)}"
        )
    if any(tensor.cells is None for tensor in task.inputs):
        raise DataError(f"task {task.name!r} is not of a table: leave out --data")
    columns = {cell.column for tensor in task.inputs for cell in tensor.cells or ()}
    absent = [column for column in sorted(columns) if column not in frame]
    if absent:
        raise DataError(f"{path} lacks the columns {', '.join(map(repr, absent[:5]))}")
    inputs: dict[str, NDArray[Any]] = {}
    for tensor in task.inputs:
        values = []
        for cell in tensor.cells or ():
            column, unread = read_values(cell, frame[cell.column])
            if unread:
                lines.append(f"read as gaps: {counted(unread, 'cell')} of column {cell.column!r}")
            values.append(column)
        inputs[tensor.name] = np.stack(values, axis=1).reshape(len(frame), *tensor.shape)
    if task.classifies:
        places = {label: i for i, label in enumerate(task.labels)}
        texts = as_texts(frame[target])
        targets = np.array([places.get(as_text(text), -1) for text in texts], np.int64)
        kept = targets >= 0
    else:
        truth = frame[target]
        quantity = None if is_numeric_dtype(truth) else read_quantity(truth, None, sure=True)
        numbers = truth.to_numpy(np.float64) if quantity is None else quantity.values
        targets = (numbers - (task.offset or 0.0)).astype(np.float32)
        kept = np.isfinite(numbers)
    if not kept.all():
        n = int((~kept).sum())
        lines.append(
            f"{counted(n, 'row is left out: its', 'rows are left out: their')} {target!r} is no "
            "answer of the task"
        )
    before = judges.data.groups
    by = rows.by or (before.column if before is not None and before.column in frame else None)
    groups = None if by is None else Groups(by, group_names(frame[by])[kept])
    return _take(Split(inputs, targets), np.flatnonzero(kept)), groups, lines


def _judged_before(judges: Judges, items: Split) -> bool:
    """Whether these items judge the ladder already, and none was learned from: the same halves
    judge again."""
    data = judges.data
    return (
        len(data.validation) + len(data.test) == len(items)
        and not any(card.training.n_folds for card in judges.cards)
        and data.sha256 == digest(items.inputs, items.targets)
    )


def _check_groups(judges: Judges, by: str | None) -> None:
    """Refuse a column by which the ladder's own items are not told apart.

    Raises:
        DataError: says which column tells them apart.
    """
    groups = judges.data.groups
    if by is not None and (groups is None or groups.column != by):
        kept = "no groups" if groups is None else f"the groups of {groups.column!r}"
        raise DataError(
            f"--by {by}: the ladder's own splits judge, which keep {kept}: train the ladder with "
            f"--by {by}, or give other rows with --data"
        )


def _take(split: Split, rows: NDArray[np.int64]) -> Split:
    return Split({name: array[rows] for name, array in split.inputs.items()}, split.targets[rows])


def _share_of_known(task: TaskSpec, known: Split, items: Split) -> float:
    """Share of known items that are among others."""
    rows = set(_rows(task, items.inputs, items.targets))
    return float(np.mean([row in rows for row in _rows(task, known.inputs, known.targets)]))


def _rows(task: TaskSpec, inputs: Inputs, targets: NDArray[Any]) -> list[tuple[Any, ...]]:
    arrays = [inputs[tensor.name].reshape(len(targets), -1) for tensor in task.inputs]
    parts = [
        [tuple(row) if array.dtype == object else row.tobytes() for row in array]
        for array in arrays
    ]
    return list(zip(*parts, targets.tolist(), strict=True))
