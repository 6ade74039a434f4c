"""Graphs without operators of `ai.onnx.ml`, which GPUs know nothing of."""

from collections.abc import Collection
from functools import partial

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from ounce_exporters.export.byte_texts import ByteTexts, UnknownTextsError, Write, is_text
from ounce_exporters.export.names import attributes_of
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
    """The same answers in operators of the default domain: imputers, scalers, normalizers, linear
    regressions and trees are rewritten, and what looks texts up: it reads them as bytes.

    Raises:
        NoStandardFormError: another operator of `ai.onnx.ml` is in the graph, or its texts can't be
            read as bytes.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    try:
        texts = ByteTexts(model)
    except UnknownTextsError as e:
        raise NoStandardFormError(str(e)) from e
    nodes = texts.declare(result.graph)
    constants: Constants = {}
    lists = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 1}
    columns = partial(_columns, lists=lists)
    writers: dict[str, Write] = {**_WRITERS, "ArrayFeatureExtractor": columns, **texts.writers}
    for i, node in enumerate(result.graph.node):
        if node.domain != ML:
            nodes.append(node)
            continue
        write = writers.get(node.op_type)
        if write is None:
            raise NoStandardFormError(f"operator {node.op_type} has no standard form")
        try:
            more, used = write(node, f"standard_{i}")
        except UnknownTextsError as e:
            raise NoStandardFormError(f"operator {node.op_type}: {e}") from e
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


def standardize_where_known(model: onnx.ModelProto) -> onnx.ModelProto:
    """As `standardize`; the model itself where one of its operators has no standard form, or where
    it reads texts, which processors look up more quickly."""
    if any(is_text(tensor) for tensor in model.graph.input):
        return model
    try:
        return standardize(model)
    except NoStandardFormError:
        return model


def _columns(
    node: NodeProto, prefix: str, lists: Collection[str]
) -> tuple[list[NodeProto], Constants]:
    places, shape = f"{prefix}/places", f"{prefix}/shape"
    is_row = node.input[0] in lists  # what is picked of a list, such as labels, is one row
    axis = 0 if is_row else 1  # bytes of texts stand behind the columns
    nodes = [
        helper.make_node("Reshape", [node.input[1], shape], [places]),
        helper.make_node("Gather", [node.input[0], places], [node.output[0]], axis=axis),
    ]
    return nodes, {shape: np.array([1, -1] if is_row else [-1])}


def _imputer(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    given = attributes_of(node)
    if not np.isnan(given.get("replaced_value_float", 0.0)) or "imputed_value_floats" not in given:
        raise NoStandardFormError(f"operator {node.op_type}: of other values than missing ones")
    gaps, filling = f"{prefix}/gaps", f"{prefix}/filling"
    nodes = [
        helper.make_node("IsNaN", [node.input[0]], [gaps]),
        helper.make_node("Where", [gaps, filling, node.input[0]], [node.output[0]]),
    ]
    return nodes, {filling: np.array(given["imputed_value_floats"], np.float32)}


def _scaler(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    given = attributes_of(node)
    offset, scale, centred = (f"{prefix}/{name}" for name in ("offset", "scale", "centred"))
    nodes = [
        helper.make_node("Sub", [node.input[0], offset], [centred]),
        helper.make_node("Mul", [centred, scale], [node.output[0]]),
    ]
    constants = {offset: given["offset"], scale: given["scale"]}
    return nodes, {name: np.array(value, np.float32) for name, value in constants.items()}


def _normalizer(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    given = attributes_of(node)
    kind = given.get("norm", b"MAX").decode()
    x, axes, zero, one = node.input[0], f"{prefix}/axes", f"{prefix}/zero", f"{prefix}/one"
    size, norm, none, by = (f"{prefix}/{name}" for name in ("size", "norm", "none", "by"))
    write: dict[str, list[NodeProto]] = {
        "MAX": [helper.make_node("ReduceMax", [x, axes], [norm])],
        "L1": [
            helper.make_node("Abs", [x], [size]),
            helper.make_node("ReduceSum", [size, axes], [norm]),
        ],
        "L2": [
            helper.make_node("Mul", [x, x], [f"{size}s"]),
            helper.make_node("ReduceSum", [f"{size}s", axes], [size]),
            helper.make_node("Sqrt", [size], [norm]),
        ],
    }
    nodes = [
        *write[kind],
        helper.make_node("Equal", [norm, zero], [none]),
        helper.make_node("Where", [none, one, norm], [by]),  # a row of zeros stays one
        helper.make_node("Div", [x, by], [node.output[0]]),
    ]
    constants = {zero: np.float32(0), one: np.float32(1)}
    return nodes, {axes: np.array([1]), **{name: np.array(v) for name, v in constants.items()}}


def _linear(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    given = attributes_of(node)
    if given.get("post_transform", b"NONE") != b"NONE":
        raise NoStandardFormError(
            f"operator {node.op_type}: post_transform {given['post_transform'].decode()}"
        )
    n = given.get("targets", 1)
    weights = np.array(given["coefficients"], np.float32).reshape(n, -1).T
    shift = np.array(given.get("intercepts", [0.0] * n), np.float32)
    names = f"{prefix}/weights", f"{prefix}/shift"
    nodes = [helper.make_node("Gemm", [node.input[0], *names], [node.output[0]])]
    return nodes, dict(zip(names, (np.ascontiguousarray(weights), shift), strict=True))


def _trees(node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
    try:
        trees = read_trees(node)
    except UnknownTreesError as e:
        raise NoStandardFormError(f"operator {node.op_type}: {e}") from e
    return write_trees(trees, node.input[0], node.output[0], prefix)


_WRITERS: dict[str, Write] = {
    "Imputer": _imputer,
    "LinearRegressor": _linear,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "TreeEnsembleRegressor": _trees,
}
