"""Reference graphs: what a machine takes for them says how fast it runs models of that kind.

Each but the first takes many times what a call takes, whatever is in it. They are the same on every
machine; a change of one is another `format` of `DeviceCard`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.onnx_writing import write_model, write_node

_WIDTH, _LAYERS = 128, 4
_TREES, _DEPTH, _COLUMNS = 100, 6, 16
_CHANNELS, _SIDE = 8, 8


@dataclass(frozen=True)
class ReferenceGraph:
    """An ONNX file, and the shape of an item of its one input `x`."""

    content: bytes
    item_shape: tuple[int, ...]


def call_graph() -> ReferenceGraph:
    """Next to nothing: what a call takes, whatever is in it."""
    node = write_node("Neg", ["x"], "y")
    return ReferenceGraph(write_model([node], {}, (_COLUMNS,), (_COLUMNS,)), (_COLUMNS,))


def matrix_graph() -> ReferenceGraph:
    """A network of dense layers."""
    weights, nodes = {}, []
    at = "x"
    for layer in range(_LAYERS):
        weights[f"w{layer}"] = _random(layer, (_WIDTH, _WIDTH), _WIDTH)
        nodes += [
            write_node("MatMul", [at, f"w{layer}"], f"p{layer}"),
            write_node("Relu", [f"p{layer}"], "y" if layer == _LAYERS - 1 else f"r{layer}"),
        ]
        at = f"r{layer}"
    return ReferenceGraph(write_model(nodes, weights, (_WIDTH,), (_WIDTH,)), (_WIDTH,))


def trees_graph() -> ReferenceGraph:
    """Full trees with random columns and thresholds."""
    generator = np.random.default_rng(0)
    n_inner, n_nodes = 2**_DEPTH - 1, 2 ** (_DEPTH + 1) - 1
    inner = [node < n_inner for node in range(n_nodes)]
    n_all = _TREES * n_nodes
    leaves = range(n_inner, n_nodes)
    ensemble = write_node(
        "TreeEnsembleRegressor",
        ["x"],
        "y",
        {
            "n_targets": 1,
            "nodes_treeids": np.repeat(range(_TREES), n_nodes).tolist(),
            "nodes_nodeids": [*range(n_nodes)] * _TREES,
            "nodes_featureids": generator.integers(_COLUMNS, size=n_all).tolist(),
            "nodes_modes": ["BRANCH_LEQ" if is_inner else "LEAF" for is_inner in inner] * _TREES,
            "nodes_values": generator.normal(size=n_all).tolist(),
            "nodes_truenodeids": [2 * n + 1 if inner[n] else 0 for n in range(n_nodes)] * _TREES,
            "nodes_falsenodeids": [2 * n + 2 if inner[n] else 0 for n in range(n_nodes)] * _TREES,
            "target_treeids": np.repeat(range(_TREES), len(leaves)).tolist(),
            "target_nodeids": [*leaves] * _TREES,
            "target_ids": [0] * (_TREES * len(leaves)),
            "target_weights": generator.normal(size=_TREES * len(leaves)).tolist(),
        },
        domain="ai.onnx.ml",
    )
    return ReferenceGraph(write_model([ensemble], {}, (_COLUMNS,), (1,)), (_COLUMNS,))


def convolution_graph() -> ReferenceGraph:
    """Two layers of 3 x 3 filters on a small image."""
    shape = (_CHANNELS, _SIDE, _SIDE)
    filters = (_CHANNELS, _CHANNELS, 3, 3)
    weights = {name: _random(n, filters, 9 * _CHANNELS) for n, name in enumerate(("w0", "w1"))}
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        write_node("Conv", ["x", "w0"], "c0", pads),
        write_node("Relu", ["c0"], "r0"),
        write_node("Conv", ["r0", "w1"], "y", pads),
    ]
    return ReferenceGraph(write_model(nodes, weights, shape, shape), shape)


REFERENCE_GRAPHS: Mapping[str, Callable[[], ReferenceGraph]] = {
    "call_us": call_graph,
    "matrix_us": matrix_graph,
    "trees_us": trees_graph,
    "convolution_us": convolution_graph,
}
"""By the field of `ReferenceTimes`."""


def _random(seed: int, shape: Sequence[int], n_summed: int) -> NDArray[np.float32]:
    """Weights that keep the spread of what passes through."""
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return values / np.float32(np.sqrt(n_summed))
