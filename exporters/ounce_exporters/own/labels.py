"""Which column of an own model's output is which label of the task."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_schemas.cells import as_text, parse_number
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec
from scipy.optimize import linear_sum_assignment

_CLEARLY = 0.2
"""Accuracy that another order must gain before the given one is taken for wrong."""

_JOINED = "probabilities of the labels"


def without_zipmaps(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, tuple[str, ...]]]:
    """The same model with tensors where it had lists of dictionaries, and the labels of their
    columns by output: where a ZipMap or a classifier operator names them."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    labels: dict[str, tuple[str, ...]] = {}
    zipmaps = {node.output[0]: node for node in graph.node if node.op_type == "ZipMap"}
    for output in graph.output:
        node = zipmaps.get(output.name)
        if node is not None:
            labels[output.name] = _class_labels(node)
            graph.node.remove(node)
            graph.node.append(_as_floats(node.input[0], output.name, _opset(model)))
            output.CopyFrom(
                helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [None, None])
            )
    named = [found for node in graph.node if (found := _class_labels(node))]
    if len(named) == 1:
        for output in graph.output:
            labels.setdefault(output.name, named[0])
    return result, labels


def with_columns_joined(
    model: onnx.ModelProto, labels: Sequence[str]
) -> tuple[onnx.ModelProto, dict[str, tuple[str, ...]]]:
    """The same model with one tensor of the tensors that skl2onnx writes for each label (`zipmap`
    is `columns`): `sLABEL`, or `iNUMBER`. And the labels of its columns by output.

    Args:
        model: the model.
        labels: of the task.
    """
    numbers = map(str, range(len(labels)))
    for known in ({f"s{x}": x for x in labels}, {f"i{x}": x for x in (*labels, *numbers)}):
        found = [
            port
            for port in model.graph.output
            if port.name in known and len(port.type.tensor_type.shape.dim) == 1
        ]
        if len(found) > 1:
            return _joined(model, found), {_JOINED: tuple(known[port.name] for port in found)}
    return model, {}


def _joined(model: onnx.ModelProto, columns: Sequence[onnx.ValueInfoProto]) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), f"{_JOINED}/shape"))
    parts = [f"{_JOINED}/{i}" for i in range(len(columns))]
    for column, part in zip(columns, parts, strict=True):
        graph.node.append(helper.make_node("Reshape", [column.name, f"{_JOINED}/shape"], [part]))
    graph.node.append(helper.make_node("Concat", parts, [_JOINED], axis=1))
    others = [port for port in model.graph.output if port not in columns]
    del graph.output[:]
    kind = columns[0].type.tensor_type.elem_type
    joined = helper.make_tensor_value_info(_JOINED, kind, [None, len(columns)])
    graph.output.extend([*others, joined])
    return result


def _as_floats(source: str, name: str, opset: int) -> onnx.NodeProto:
    if opset < 6:  # skl2onnx declares 1 where it needs no operator of the set; `Cast` was another
        return helper.make_node("Identity", [source], [name])
    return helper.make_node("Cast", [source], [name], to=TensorProto.FLOAT)


def _opset(model: onnx.ModelProto) -> int:
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)


def _class_labels(node: onnx.NodeProto) -> tuple[str, ...]:
    for attribute in node.attribute:
        if attribute.name.startswith("classlabels_"):
            return tuple(t.decode() for t in attribute.strings) or tuple(
                as_text(number) for number in attribute.ints
            )
    return ()


def column_labels(
    scores: NDArray[Any], outputs: Mapping[str, NDArray[Any]]
) -> tuple[str, ...] | None:
    """Labels of the columns as a label output shows them: it names the greatest of each item.

    None where there is no such output, or where a column is never the greatest.
    """
    for output in outputs.values():
        if output.dtype.kind not in "iubUO" or output.size != len(output):
            continue
        texts = np.array([as_text(value) for value in output.reshape(-1).tolist()], dtype=object)
        greatest = scores.argmax(axis=1)
        found = []
        for column in range(scores.shape[1]):
            here, counts = np.unique(texts[greatest == column].astype(str), return_counts=True)
            if len(here) == 0:
                return None
            found.append(str(here[counts.argmax()]))
        return tuple(found) if len(set(found)) == len(found) else None
    return None


def place_labels(task: TaskSpec, labels: Sequence[str]) -> tuple[int, ...]:
    """For each label of the task, its place in `labels`; -1 where it is absent.

    Labels are the same as texts, but for upper and lower case where that leaves no doubt, and as
    numbers: -1.0 is -1. Numbers
    from 0 count the task's labels where none of them is one, or all are there and one is none.

    Raises:
        ExportError: a label of the model is none of the task's.
    """
    for same in (str, str.lower, _as_number):
        own = [same(label) for label in labels]
        wanted = [same(label) for label in task.labels]
        if len(set(own)) == len(own) and set(own) <= set(wanted):
            return tuple(own.index(label) if label in own else -1 for label in wanted)
    numbers = {str(i): i for i in range(len(task.labels))}
    counted = set(labels) <= set(numbers) and not set(labels) & set(task.labels)
    if counted or set(labels) == set(numbers):
        return tuple(
            labels.index(str(i)) if str(i) in labels else -1 for i in range(len(task.labels))
        )
    unknown = [label for label in labels if label not in task.labels]
    raise ExportError(
        f"the model answers {', '.join(map(repr, unknown[:10]))}, which task {task.name!r} does "
        f"not know: its labels are {', '.join(map(repr, task.labels[:20]))}; where it has other "
        "names for them, give these in its order, each with --label"
    )


def _as_number(label: str) -> str:
    """A label as numbers are written, where it is one."""
    number = parse_number(label)
    return label if number is None else as_text(number) or label


def check_order(task: TaskSpec, logits: NDArray[np.float32], targets: NDArray[Any]) -> None:
    """Refuse columns whose order was assumed where another order fits the truth far better.

    Raises:
        ExportError: names the better order.
    """
    n = len(task.labels)
    counts = np.zeros((n, n))
    np.add.at(counts, (logits.argmax(axis=1), targets), 1)
    columns, labels = linear_sum_assignment(-counts)
    best = counts[columns, labels].sum() / len(targets)
    assumed = np.trace(counts) / len(targets)
    if best - assumed > _CLEARLY:
        order = " ".join(f"--label {task.labels[i]}" for i in labels)
        raise ExportError(
            f"the answers fit the labels far better in another order than the task's ({best:.3f} "
            f"right instead of {assumed:.3f}): say the model's order, here perhaps {order}"
        )
