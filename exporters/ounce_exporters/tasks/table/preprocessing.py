"""What comes before the models of a table: gaps, scales, texts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ounce_schemas.cells import DATE_PARTS
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ounce_exporters.tasks.table.columns import MOST_ONE_HOT
from ounce_exporters.tasks.table.encoders import DateFeatures, FillGaps, TargetMeans
from ounce_exporters.tasks.table.ordinals import TextPlaces
from ounce_exporters.tasks.table.scaling import Standardize


def preprocessing(task: TaskSpec, *, scale: bool) -> ColumnTransformer:
    """Numbers with gaps filled and marked; texts as one feature each, or by the target's mean.

    Rare and unknown texts have no feature, or the mean of all rows.
    """
    steps: list[tuple[str, Any, list[int]]] = []
    start = 0
    for tensor in task.inputs:
        columns = list(range(start, start + tensor.size))
        start += tensor.size
        if tensor.datatype == "BYTES":
            steps += _encoders(task, tensor, columns)
        else:
            steps += _number_steps(tensor, columns, scale=scale)
    return ColumnTransformer(steps)


def _number_steps(
    tensor: TensorSpec, columns: list[int], *, scale: bool
) -> Iterator[tuple[str, Any, list[int]]]:
    reads = [cell.read for cell in tensor.cells or ()] or ["number"] * tensor.size
    # Trees find their way among hours as they are; lines and networks don't.
    dates = [c for c, read in zip(columns, reads, strict=True) if scale and read in DATE_PARTS]
    plain = [c for c in columns if c not in dates]
    if plain:
        fill = FillGaps()
        yield tensor.name, make_pipeline(fill, Standardize()) if scale else fill, plain
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
    """Gaps as they are and texts as places, for trees that split by both; which ones are texts."""
    steps: list[tuple[str, Any, list[int]]] = []
    is_text: list[bool] = []
    for tensor in task.inputs:
        columns = list(range(len(is_text), len(is_text) + tensor.size))
        texts = tensor.datatype == "BYTES"
        is_text += [texts] * tensor.size
        known = [["", *(cell.texts or ())] for cell in tensor.cells] if tensor.cells else None
        steps.append((tensor.name, TextPlaces(known) if texts else "passthrough", columns))
    return ColumnTransformer(steps), is_text
