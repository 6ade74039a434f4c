"""Running an own model as it is, before anything is wrapped around it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from ounce_schemas.wording import counted

_ROWS = 256
_REASON = 300
_WHERE = (
    re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : (Exception during initialization: )?"),
    re.compile(r"/onnxruntime_src/\S+:\d+ .*[)>] (?=[A-Z'])"),
)
"""A code, and a place in ONNX Runtime's own source, before the reason."""


@dataclass(frozen=True)
class Port:
    """An input or output as the file declares it."""

    name: str
    kind: str
    """ONNX Runtime's name of its type, such as `tensor(float)`."""
    shape: tuple[int | None, ...]
    """Batch first; None where a dimension is open."""


class Session:
    """ONNX Runtime on one thread, with every output.

    Raises:
        ExportError: the graph can't be run.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:  # ONNX Runtime raises a type of its own for each status code
            raise ExportError(f"ONNX Runtime can't run it: {_one_line(e)}") from e
        self.inputs = [_port(tensor) for tensor in self._session.get_inputs()]
        self.outputs = [_port(tensor) for tensor in self._session.get_outputs()]

    def run(self, feeds: Mapping[str, NDArray[Any]], n_items: int) -> dict[str, NDArray[Any]]:
        """Outputs by name, in calls of at most 256 items; only those of one answer an item.

        Raises:
            ExportError: it fails on these items, or no output has an answer for each item.
        """
        parts: list[dict[str, Any]] = []
        for start in range(0, n_items, _ROWS):
            part = {name: array[start : start + _ROWS] for name, array in feeds.items()}
            n = min(_ROWS, n_items - start)
            try:
                answers = self._session.run(None, part)
            except Exception as e:  # whatever it raises, the model can't answer
                raise ExportError(f"it fails on the task's items: {_one_line(e)}") from e
            parts.append(
                {
                    port.name: answer
                    for port, answer in zip(self.outputs, answers, strict=True)
                    if isinstance(answer, np.ndarray) and answer.ndim and len(answer) == n
                }
            )
        names = set(parts[0]).intersection(*parts)
        if not names:
            if n_items == 1:
                raise ExportError(
                    "no output keeps its first dimension where one item comes alone (torch: write "
                    "squeeze(-1), not squeeze())"
                )
            raise ExportError(f"no output has one answer for each of {counted(n_items, 'item')}")
        return {
            port.name: np.concatenate([part[port.name] for part in parts])
            for port in self.outputs
            if port.name in names
        }


def _port(tensor: Any) -> Port:
    shape = tuple(d if isinstance(d, int) else None for d in tensor.shape)
    return Port(tensor.name, tensor.type, shape)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    for where in _WHERE:
        text = where.sub("", text)
    return text[:_REASON]
