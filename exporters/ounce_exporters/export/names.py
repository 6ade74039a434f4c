"""Names in ONNX graphs, and in the graphs inside them that an `If`, a `Loop` or a `Scan` has; and
attributes by their names."""

from collections.abc import Iterator, Mapping
from typing import Any

import onnx
from onnx import NodeProto, helper


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """Attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def rename(graph: onnx.GraphProto, names: Mapping[str, str], prefix: str = "") -> None:
    """Give values new names, in place, wherever they are named.

    Args:
        graph: the graph.
        names: new names by the old ones.
        prefix: before the name of every other value, and of every node.
    """

    def new(name: str) -> str:
        return names.get(name, prefix + name) if name else ""

    for named in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        named.name = new(named.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = new(sparse.values.name)
        sparse.indices.name = new(sparse.indices.name)
    for note in graph.quantization_annotation:
        note.tensor_name = new(note.tensor_name)
        for parameter in note.quant_parameter_tensor_names:
            parameter.value = new(parameter.value)
    for node in graph.node:
        node.name = prefix + node.name if node.name else ""
        node.input[:] = list(map(new, node.input))
        node.output[:] = list(map(new, node.output))
        for inner in inner_graphs(node):
            rename(inner, names, prefix)


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that an operator has as attributes."""
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.HasField("g") else attribute.graphs


def read_in(graph: onnx.GraphProto) -> Iterator[str]:
    """Names of what a graph reads: its operators' inputs, and what it gives out."""
    yield from (port.name for port in graph.output)
    for node in graph.node:
        yield from read_by(node)


def read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Names of what an operator reads, also in the graphs inside it."""
    yield from node.input
    for inner in inner_graphs(node):
        yield from read_in(inner)
