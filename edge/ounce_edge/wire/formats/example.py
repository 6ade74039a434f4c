"""One body that a task would take: what a refusal shows."""

import json
from datetime import datetime
from typing import Any

from ounce_schemas.task import TaskSpec, TensorSpec

MOST_COLUMNS = 6
_MOST_VALUES = 8
_MOMENT = datetime(2026, 1, 31, 12)


def example_body(task: TaskSpec) -> str:
    """Flat JSON of a task with named columns, else an Open Inference Protocol body; one line."""
    if all(spec.columns for spec in task.inputs):
        row: dict[str, Any] = {}
        left_out = False
        for spec in task.inputs:
            for i, name in enumerate(spec.columns or ()):
                column, value = _column(spec, i, name)
                left_out |= column not in row and len(row) >= MOST_COLUMNS
                if column not in row and len(row) < MOST_COLUMNS:
                    row[column] = value
        text = json.dumps(row, ensure_ascii=False)
        return f"{text[:-1]}, ...}}" if left_out else text
    inputs = [
        {"name": s.name, "shape": [1, *s.shape], "datatype": s.datatype, "data": _data(s)}
        for s in task.inputs
    ]
    return json.dumps({"inputs": inputs}, ensure_ascii=False).replace('"..."', "...")


def _column(spec: TensorSpec, i: int, name: str) -> tuple[str, Any]:
    cell = spec.cells[i] if spec.cells else None
    if cell is None:
        return name, "text" if spec.datatype == "BYTES" else 1.5
    if cell.read == "text":
        return cell.column, (cell.texts or ("text",))[0]
    if cell.read == "sentence":
        return cell.column, "a text of several words"
    if cell.read == "number":
        return cell.column, (cell.offset or 0.0) + 1.5
    if cell.read == "seconds" and not cell.date_format:
        return cell.column, "1:30:00"
    return cell.column, _MOMENT.strftime(cell.date_format or "%Y-%m-%dT%H:%M:%S")


def _data(spec: TensorSpec) -> list[Any]:
    value: Any = "text" if spec.datatype == "BYTES" else spec.minimum or 0.0
    value = 0 if spec.datatype == "UINT8" else value
    n = min(spec.size, _MOST_VALUES)
    return [value] * n + ["..."] * (n < spec.size)
