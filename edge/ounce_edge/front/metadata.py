"""What the protocol tells of a task: its inputs and outputs, by its `task.json`."""

from typing import Any

from ounce_schemas.task import TaskSpec

from ounce_edge.wire.requests.parsing import OUTPUTS

_PLATFORM = "onnx_onnxv1"
_TEXTS = ("label",)
_IN_DOUBLE = ("value", "interval")
"""Where the task has an offset."""


def describe(task: TaskSpec) -> dict[str, Any]:
    """The protocol's metadata of a task; -1 is the number of rows.

    A task has no versions to ask for: Ounce chooses the model of each request.
    """
    widths = {"probabilities": [len(task.labels)], "interval": [2]}
    return {
        "name": task.name,
        "platform": _PLATFORM,
        "inputs": [
            {"name": one.name, "datatype": one.datatype, "shape": [-1, *one.shape]}
            for one in task.inputs
        ],
        "outputs": [
            {"name": name, "datatype": _datatype(name, task), "shape": [-1, *widths.get(name, [])]}
            for name in OUTPUTS[task.kind]
        ],
    }


def _datatype(name: str, task: TaskSpec) -> str:
    if name in _TEXTS:
        return "BYTES"
    return "FP64" if task.offset and name in _IN_DOUBLE else "FP32"
