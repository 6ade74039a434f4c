"""Contributions of any model: its score with and without each part of the input.

The graph answers, in one call, the item and the item with each part replaced in turn. What the
score loses is the part's contribution. These differences rarely add up to what the item's score is
over the reference's: parts act together. The rest is shared out in proportion to their sizes.

Source: M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV
2014.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.explaining.joining import EXPLAINED, attach_explained
from ounce_exporters.explaining.parts import Part, graph_shape
from ounce_exporters.explaining.reference import Reference
from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.export.graphs import UNCALIBRATED, declare, with_prefix

_INSIDE, _OWN = "model/", "occlusion/"
_LEAST = 1e-30


def occlude(
    graph: onnx.ModelProto,
    task: TaskSpec,
    parts: Sequence[Part],
    reference: Reference,
    scores: ScoreMap,
    base: NDArray[np.float64],
) -> onnx.ModelProto:
    """A graph of the answer and its explanation.

    Args:
        graph: of the model: the task's inputs and output, with `uncalibrated` inside.
        task: of the model.
        parts: of its inputs.
        reference: replaces them.
        scores: what contributions add up to.
        base: scores of the reference, shape (n_scores,).
    """
    result = with_prefix(graph, _INSIDE)
    constants: dict[str, NDArray[Any]] = {}
    before: list[NodeProto] = []
    n = len(parts) + 1
    for tensor in task.inputs:
        shape = graph_shape(tensor)
        keep = np.ones((1, n, *shape), dtype=bool)
        for i, part in enumerate(parts):
            if part.tensor == tensor.name:
                keep[0, i + 1] = ~part.mask
        name, own = tensor.name, f"{_OWN}input/{tensor.name}"
        usual = reference[name]
        if tensor.text_bytes is not None:
            usual = np.zeros((1, *shape), np.uint8)
        constants |= {
            f"{own}/keep": keep,
            f"{own}/reference": usual.reshape(1, 1, *shape),
            f"{own}/axis": np.array([1], np.int64),
            f"{own}/shape": np.array([-1, *shape], np.int64),
        }
        before += [
            helper.make_node("Unsqueeze", [name, f"{own}/axis"], [f"{own}/one"]),
            *_left_alone(tensor, own),
            helper.make_node(
                "Where", [f"{own}/stays", f"{own}/one", f"{own}/reference"], [f"{own}/all"]
            ),
            helper.make_node("Reshape", [f"{own}/all", f"{own}/shape"], [_INSIDE + name]),
        ]
    behind, more = _behind(task, n, scores, base)
    inside = list(result.graph.node)
    del result.graph.node[:]
    result.graph.node.extend([*before, *inside, *behind])
    result.graph.initializer.extend(_held(name, value) for name, value in constants.items())
    result.graph.initializer.extend(_held(name, value) for name, value in more.items())
    del result.graph.input[:]
    result.graph.input.extend(declare(tensor) for tensor in task.inputs)
    del result.graph.value_info[:]
    return attach_explained(result, task, len(parts))


def _left_alone(tensor: TensorSpec, own: str) -> list[NodeProto]:
    """What is not replaced. Missing steps of a sequence are none: a shorter one would get longer,
    and steps that it does not have would contribute."""
    keep, stays = f"{own}/keep", f"{own}/stays"
    if tensor.channels is None or not tensor.allow_missing:
        return [helper.make_node("Identity", [keep], [stays])]
    return [
        helper.make_node("IsNaN", [f"{own}/one"], [f"{own}/missing"]),
        helper.make_node("Or", [keep, f"{own}/missing"], [stays]),
    ]


def _behind(
    task: TaskSpec, n: int, scores: ScoreMap, base: NDArray[np.float64]
) -> tuple[list[NodeProto], Mapping[str, NDArray[Any]]]:
    size = task.output.size
    constants: dict[str, NDArray[Any]] = {
        "answers_shape": np.array([-1, n, size], np.int64),
        "outputs_shape": np.array([-1, n, scores.n_outputs], np.int64),
        "first": np.array(0, np.int64),
        "rest": np.array([1, n - 1], np.int64),
        "axis": np.array([1], np.int64),
        "last_axis": np.array([2], np.int64),
        "weights": scores.weights.T.astype(np.float32),
        "offsets": scores.offsets.astype(np.float32)[:, None],
        "bases": base.astype(np.float32)[:, None],
        "least": np.array(_LEAST, np.float32),
        "zero_label": np.array([0], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Reshape", [_INSIDE + task.output.name, "answers_shape"], ["answers"]),
        node("Gather", ["answers", "first"], ["answer"], axis=1),
        node("Reshape", [_INSIDE + UNCALIBRATED, "outputs_shape"], ["outputs"]),
    ]
    if scores.picks:
        nodes.append(node("ArgMax", ["answer"], ["label"], axis=1, keepdims=0))
    else:  # a row of zeros for each item
        nodes += [
            node("ArgMax", ["answer"], ["any_label"], axis=1, keepdims=0),
            node("Mul", ["any_label", "zero_label"], ["label"]),
        ]
    nodes += [
        node("Gather", ["weights", "label"], ["own_weights"], axis=0),
        node("Unsqueeze", ["own_weights", "axis"], ["own_row"]),
        node("Mul", ["outputs", "own_row"], ["products"]),
        node("ReduceSum", ["products", "last_axis"], ["sums"], keepdims=0),
        node("Gather", ["offsets", "label"], ["own_offset"], axis=0),
        node("Add", ["sums", "own_offset"], ["scores"]),
        node("Gather", ["bases", "label"], ["base"], axis=0),
        node("Split", ["scores", "rest"], ["score", "without"], axis=1),
        node("Sub", ["score", "without"], ["losses"]),
        node("Sub", ["score", "base"], ["gain"]),
        node("ReduceSum", ["losses", "axis"], ["lost"], keepdims=1),
        node("Sub", ["gain", "lost"], ["left"]),
        node("Abs", ["losses"], ["bare_sizes"]),
        node("Add", ["bare_sizes", "least"], ["sizes"]),  # where all are 0: each the same
        node("ReduceSum", ["sizes", "axis"], ["size"], keepdims=1),
        node("Div", ["sizes", "size"], ["shares"]),
        node("Mul", ["left", "shares"], ["shared"]),
        node("Add", ["losses", "shared"], ["contributions"]),
        node("Concat", ["answer", "base", "contributions"], [EXPLAINED], axis=1),
    ]
    for each in nodes:  # so that no name is one of the task's inputs
        each.input[:] = map(_own, each.input)
        each.output[:] = map(_own, each.output)
    return nodes, {_own(name): value for name, value in constants.items()}


def _own(name: str) -> str:
    return name if name == EXPLAINED or name.startswith(_INSIDE) else f"{_OWN}{name}"


def _held(name: str, value: NDArray[Any]) -> onnx.TensorProto:
    if value.dtype == object:
        texts = [str(text).encode() for text in value.ravel()]
        return TensorProto(
            name=name, data_type=TensorProto.STRING, dims=value.shape, string_data=texts
        )
    return numpy_helper.from_array(value.copy(), name)
