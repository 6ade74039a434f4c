"""Which operators the parser of native TensorRT 10.15 knows: `scripts/native_operators.py`
asked it."""

import json
from collections.abc import Iterator
from pathlib import Path

import onnx

KNOWN = frozenset(json.loads(Path(__file__).with_name("operators.json").read_text()))


def unknown_operators(model: onnx.ModelProto) -> set[str]:
    """Operators of a model, and of the graphs within, that it does not know."""
    return {node.op_type for node in _nodes(model.graph)} - KNOWN


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            yield from _nodes(attribute.g)
