"""The output that all graphs of explanations have."""

import onnx
from onnx import TensorProto, helper
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec

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
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError(f"the graph is not valid ONNX: {' '.join(str(e).split())}") from e
    return model
