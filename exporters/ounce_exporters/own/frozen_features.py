"""From a task's inputs to the features of a frozen backbone: one graph, run as it is served."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_exporters.export.graphs import declare, with_prefix
from ounce_exporters.ladder.recipe import Inputs, Split, TaskData
from ounce_exporters.own.answers import Port, Session
from ounce_exporters.own.backbone import Backbone
from ounce_exporters.own.feeding import ELEMENTS, Feeding, Range, feed_image, feed_sequence
from ounce_exporters.own.feeds import find_feeds
from ounce_exporters.own.onnx_file import count_numbers
from ounce_exporters.training.crossfit import select

FEATURES = "features"
_INSIDE = "backbone/"
_MOST_FEATURES = 8_192
_TRIED = 8
"""Items that are answered alone, too."""


class FrozenFeatures:
    """What a backbone makes of a task's items, through ONNX Runtime. Implements `Extractor`.

    Args:
        backbone: what computes.
        data: its training rows say what stands for a missing value.
        pixels: what a backbone of images reads.

    Raises:
        ExportError: it does not fit the task's inputs, or its tensor is no use as features.
    """

    def __init__(self, backbone: Backbone, data: TaskData, pixels: Range) -> None:
        _check_task(data.spec, backbone)
        ports = Session(backbone.graph).inputs
        try:
            feeding = _feeding(ports, data, pixels)
        except ExportError as e:
            raise ExportError(f"{backbone.named}: {e}") from e
        self._graph = _assemble(backbone, data.spec, feeding)
        self._session = Session(self._graph)
        self.parameters = count_numbers(backbone.graph)
        items = select(data.train, np.arange(min(_TRIED, len(data.train))))
        _check(backbone, self.features(items.inputs), [self.features(one) for one in _each(items)])

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """Array of shape (n_items, n_features)."""
        n = len(next(iter(inputs.values())))
        found: NDArray[np.float32] = self._session.run(inputs, n)[FEATURES]
        return found

    def graph(self, between: TensorSpec) -> onnx.ModelProto:
        """From the task's inputs to `between`."""
        result = onnx.ModelProto()
        result.CopyFrom(self._graph)
        del result.graph.output[:]
        result.graph.output.append(declare(between))
        return result


def _check_task(task: TaskSpec, backbone: Backbone) -> None:
    if any(tensor.text_bytes for tensor in task.inputs):
        raise ExportError(
            f"{backbone.named}: task {task.name!r} reads sentences: a backbone is for images, "
            "sequences and tables"
        )


def _feeding(ports: Sequence[Port], data: TaskData, pixels: Range) -> Feeding:
    task, first = data.spec, data.spec.inputs[0]
    if task.image is None and first.channels is None:
        result = Feeding()
        filled = {t.name: result.fill(t, data.train.inputs[t.name]) for t in task.inputs}
        for feed in find_feeds(ports, task):
            feed.array(data.train.inputs)  # refuses fractions for an input of whole numbers
            nodes, constants = feed.nodes(_INSIDE + feed.port.name)
            for node in nodes:  # the feed reads what is filled, not what is sent
                node.input[:] = [filled.get(name, name) for name in node.input]
            result.take(nodes, constants)
        return result
    if len(ports) != 1:
        names = ", ".join(repr(port.name) for port in ports)
        raise ExportError(f"it has {counted(len(ports), 'input')} ({names}), and the task has one")
    (port,) = ports
    if port.kind not in ELEMENTS:
        raise ExportError(f"its input {port.name!r} is a {port.kind}: numbers can be sent")
    if not port.shape or port.shape[0] is not None:
        raise ExportError(
            f"its input {port.name!r} is made for {port.shape[0] if port.shape else 'no'} items a "
            "call: export it with an open batch dimension (torch: dynamic_shapes)"
        )
    if task.image is not None:
        return feed_image(port, task.image, pixels, _INSIDE + port.name)
    return feed_sequence(port, first, data.train.inputs[first.name], _INSIDE + port.name)


def _assemble(backbone: Backbone, task: TaskSpec, feeding: Feeding) -> onnx.ModelProto:
    try:
        result = with_prefix(backbone.graph, _INSIDE)
    except Exception as e:  # onnx raises many types
        raise ExportError(
            f"{backbone.named}: its operators can't be brought to a later set: export it with a "
            f"later opset; {' '.join(str(e).split())[:200]}"
        ) from e
    graph = result.graph
    made = graph.output[0].name
    behind = [
        helper.make_node("Cast", [made], [f"{FEATURES}/wide"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", [f"{FEATURES}/wide"], [FEATURES], axis=1),
    ]
    nodes = [*feeding.nodes, *graph.node, *behind]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in feeding.constants.items())
    del graph.input[:], graph.output[:]
    graph.input.extend(declare(tensor) for tensor in task.inputs)
    size = ["batch", None]
    graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, size))
    return result


def _each(items: Split) -> list[Inputs]:
    return [
        {name: array[i : i + 1] for name, array in items.inputs.items()} for i in range(len(items))
    ]


def _check(backbone: Backbone, found: NDArray[Any], alone: Sequence[NDArray[Any]]) -> None:
    """Features are finite and not too many, differ between items, and are an item's own."""
    if found.shape[1] > _MOST_FEATURES:
        raise ExportError(
            f"{backbone.named}: {found.shape[1]:,} features an item are too many, at most "
            f"{_MOST_FEATURES:,}: cut it behind a later operator, such as a pooling"
        )
    if not np.isfinite(found).all():
        raise ExportError(f"{backbone.named}: features of the task's items are not finite")
    if not np.allclose(np.concatenate(list(alone)), found, rtol=1e-2, atol=1e-3):
        raise ExportError(
            f"{backbone.named}: an item gets other features alone than among others: export it "
            "for inference (torch: module.eval())"
        )
    if np.allclose(found, found[:1], rtol=1e-6, atol=0.0):
        raise ExportError(
            f"{backbone.named}: all of the first {len(found)} items have the same features: they "
            "tell nothing; see what range of pixels (--pixels) or which tensor it needs"
        )
