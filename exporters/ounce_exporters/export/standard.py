"""Graphs without operators of `ai.onnx.ml`, which GPUs know nothing of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from ounce_exporters.export.tensor_trees import (
    Constants,
    UnknownTreesError,
    read_trees,
    write_trees,
)

ML = "ai.onnx.ml"


class NoStandardFormError(ValueError):
    """An operator that has no form in standard operators here; the message names it."""


def standardize(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same answers in operators of the default domain: scalers and trees are rewritten.

    Raises:
        NoStandardFormError: another operator of `ai.onnx.ml` is in the graph.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    nodes: list[NodeProto] = []
    constants: Constants = {}
    for i, node in enumerate(model.graph.node):
        if node.domain != ML:
            nodes.append(node)
            continue
        write = _WRITERS.get(node.op_type)
        if write is None:
            raise NoStandardFormError(f"operator {node.op_type} has no standard form")
        more, used = write(node, f"standard_{i}")
        nodes += more
        constants |= used
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    used_names = {name for node in nodes for name in node.input}
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in constants.items()
        if name in used_names
    )
    kept = [opset for opset in result.opset_import if opset.domain != ML]
    del result.opset_import[:]
    result.opset_import.extend(kept)
    return result


def _scaler(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    given: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    offset, scale, centred = (f"{prefix}/{name}" for name in ("offset", "scale", "centred"))
    nodes = [
        helper.make_node("Sub", [node.input[0], offset], [centred]),
        helper.make_node("Mul", [centred, scale], [node.output[0]]),
    ]
    constants = {offset: given["offset"], scale: given["scale"]}
    return nodes, {name: np.array(value, np.float32) for name, value in constants.items()}


def _trees(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    try:
        trees = read_trees(node)
    except UnknownTreesError as e:
        raise NoStandardFormError(f"operator {node.op_type}: {e}") from e
    return write_trees(trees, node.input[0], node.output[0], prefix)


_WRITERS: dict[str, Callable[[NodeProto, str], tuple[list[NodeProto], Constants]]] = {
    "Scaler": _scaler,
    "TreeEnsembleRegressor": _trees,
}
