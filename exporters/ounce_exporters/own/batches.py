"""How many items a call of an own model takes, and what ties their answers together."""

import numpy as np
import onnx
from onnx import numpy_helper

_OF_THE_CALL = {"DynamicQuantizeLinear"}
"""Operators that look at all items of a call."""
_KEPT = "shapes/of as many items/"
"""Before the name of a shape that is put in."""


def with_open_batch(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int | None]:
    """The model with an open batch dimension, and how many items it was made for.

    torch.onnx.export fixes the batch of its example unless told otherwise. Most graphs answer any
    number of items once their Reshapes keep the batch; whether one does shows when it runs.

    Returns:
        The same model and None where its batch is open, or inputs differ. Sizes that some exporters
        write for what they don't know (0, -1, or no shape at all) are open.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [tensor for tensor in result.graph.input if tensor.name not in constants]
    for tensor in inputs:
        if tensor.type.HasField("tensor_type"):  # to read another's would make it one
            _open_unknown(tensor.type.tensor_type)
    sizes = {size for tensor in inputs if (size := _batch(tensor)) is not None}
    if len(sizes) != 1:
        return result, None
    (size,) = sizes
    for tensor in (*result.graph.input, *result.graph.output):
        if tensor.name not in constants and _batch(tensor) == size:
            tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    del result.graph.value_info[:]
    _keep_batch(result.graph, size)
    return result, size


def _keep_batch(graph: onnx.GraphProto, size: int) -> None:
    """Let a Reshape of so many items keep as many as there are, which a 0 says."""
    shapes = {tensor.name: tensor for tensor in graph.initializer}
    of_items = {port.name for port in graph.input} - shapes.keys()
    for place, node in enumerate(graph.node):
        if node.op_type == "Constant":
            shapes |= {o: a.t for a in node.attribute if a.name == "value" for o in node.output}
        if of_items.isdisjoint(node.input):
            continue  # of weights: there are as many as there were
        of_items.update(node.output)
        if node.op_type != "Reshape" or len(node.input) != 2 or node.input[1] not in shapes:
            continue
        shape = numpy_helper.to_array(shapes[node.input[1]])
        if shape.size > 1 and shape[0] == size:
            kept = np.concatenate([[0], shape[1:]])
            graph.initializer.append(numpy_helper.from_array(kept, f"{_KEPT}{place}"))
            node.input[1] = graph.initializer[-1].name
            del node.attribute[:]  # allowzero, with which a 0 says that there are none


def _open_unknown(tensor: onnx.TypeProto.Tensor) -> None:
    if not tensor.HasField("shape"):
        for _ in range(2):
            tensor.shape.dim.add()
    for dimension in tensor.shape.dim:
        if dimension.HasField("dim_value") and dimension.dim_value <= 0:
            dimension.ClearField("dim_value")


def _batch(tensor: onnx.ValueInfoProto) -> int | None:
    shape = tensor.type.tensor_type.shape
    return (shape.dim[0].dim_value or None) if len(shape.dim) else None


def why_unsteady(model: onnx.ModelProto) -> str:
    """What to do where an item's answer depends on the others of its call."""
    if any(node.op_type in _OF_THE_CALL for node in model.graph.node):
        return (
            "its dynamic quantization takes the range of all items of a call: quantize it "
            "statically, or add the model as it was before"
        )
    return (
        "export the model for inference (torch: module.eval()), without dropout and without batch "
        "statistics"
    )
