"""What comes before the models of a table: gaps, scales, texts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ounce_schemas.cells import DATE_PARTS
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ounce_exporters.tasks.table.categories import MOST_ONE_HOT
from ounce_exporters.tasks.table.encoders import DateFeatures, FillGaps, TargetMeans
from ounce_exporters.tasks.table.ordinals import TextPlaces
from ounce_exporters.tasks.table.scaling import Standardize


def preprocessing(task: TaskSpec, *, mark_gaps: bool = True) -> ColumnTransformer:
    """Numbers with gaps filled and marked, on one scale; texts as a feature each or target means.

    Rare and unknown texts have no feature, or the mean of all rows.

    Args:
        task: its inputs.
        mark_gaps: whether a gap is a feature of its own.
    """
    steps: list[tuple[str, Any, list[int]]] = []
    start = 0
    for tensor in task.inputs:
        columns = list(range(start, start + tensor.size))
        start += tensor.size
        if tensor.datatype == "BYTES":
            steps += _encoders(task, tensor, columns)
        else:
            steps += _number_steps(tensor, columns, mark_gaps)
    return ColumnTransformer(steps)


def _number_steps(
    tensor: TensorSpec, columns: list[int], mark_gaps: bool
) -> Iterator[tuple[str, Any, list[int]]]:
    reads = [cell.read for cell in tensor.cells or ()] or ["number"] * tensor.size
    # Hour 23 is beside hour 0, which a line does not know.
    dates = [c for c, read in zip(columns, reads, strict=True) if read in DATE_PARTS]
    plain = [c for c in columns if c not in dates]
    if plain:
        yield tensor.name, make_pipeline(FillGaps(mark=mark_gaps), Standardize()), plain
    if dates:
        yield f"{tensor.name} of dates", DateFeatures(), dates


def _encoders(
    task: TaskSpec, tensor: TensorSpec, columns: list[int]
) -> Iterator[tuple[str, Any, list[int]]]:
    known = [cell.texts or () for cell in tensor.cells or ()]
    many = [c for c, texts in zip(columns, known, strict=False) if len(texts) > MOST_ONE_HOT]
    few = [c for c in columns if c not in many]
    if few:
        categories: Any = "auto"
        if known:  # the empty text, a gap, is one of its own
            listed = (known[c - columns[0]] for c in few)
            categories = [np.array(["", *texts], dtype=object) for texts in listed]
        encoder = OneHotEncoder(
            categories=categories, handle_unknown="ignore", dtype=np.float32, sparse_output=False
        )
        yield tensor.name, encoder, few
    if many:
        yield f"{tensor.name} by target", TargetMeans(len(task.labels)), many


def with_gaps(task: TaskSpec) -> tuple[ColumnTransformer, list[bool]]:
    """Gaps as they are and texts as places, for trees; and which features are places of texts.

    Columns of very many texts are means of the target.
    """
    steps: list[tuple[str, Any, list[int]]] = []
    is_text: list[bool] = []
    start = 0
    for tensor in task.inputs:
        columns = list(range(start, start + tensor.size))
        start += tensor.size
        if tensor.datatype != "BYTES":
            steps.append((tensor.name, "passthrough", columns))
            is_text += [False] * len(columns)
            continue
        known = [cell.texts or () for cell in tensor.cells or ()]
        many = [c for c, texts in zip(columns, known, strict=False) if len(texts) > MOST_ONE_HOT]
        few = [c for c in columns if c not in many]
        if few:
            listed = [["", *known[c - columns[0]]] for c in few] if known else None
            steps.append((tensor.name, TextPlaces(listed), few))
            is_text += [True] * len(few)
        if many:
            steps.append((f"{tensor.name} by target", TargetMeans(len(task.labels)), many))
            n_classes = len(task.labels)
            is_text += [False] * len(many) * (n_classes if n_classes > 2 else 1)
    return ColumnTransformer(steps), is_text
