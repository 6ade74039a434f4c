"""The output that all graphs of explanations have."""

import numpy as np
import onnx
from onnx import TensorProto, helper
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.explaining.tape import Tape
from ounce_exporters.export.graphs import check

EXPLAINED = "explained"
"""Answer, base and contributions, side by side."""


def attach_explained(model: onnx.ModelProto, task: TaskSpec, n_parts: int) -> onnx.ModelProto:
    """Declare `explained` as the one output, and check the graph.

    Raises:
        ExportError: it is not valid ONNX.
    """
    width = task.output.size + 1 + n_parts
    del model.graph.output[:]
    model.graph.output.append(
        helper.make_tensor_value_info(EXPLAINED, TensorProto.FLOAT, ["batch", width])
    )
    check(model)
    return model


def pick_score(tape: Tape, answer: str, scores: ScoreMap) -> str:
    """Number of each item's score, shape (n,): that of the answered label; 0 where there is one
    score.

    Args:
        tape: takes the nodes.
        answer: name of the task's output.
        scores: what contributions add up to.
    """
    label = tape.add("ArgMax", answer, axis=1, keepdims=0)
    return label if scores.picks else tape.add("Mul", label, np.array([0], np.int64))
