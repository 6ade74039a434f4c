"""Multiplications of a graph, counted from its shapes."""

from onnx import ModelProto, TensorProto, helper

from benchmarks.kinds.multiply_adds import count_multiply_adds


def graph_of(nodes: list, weights: dict[str, tuple[int, ...]], n_inputs: int) -> ModelProto:
    tensors = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, bytes(4 * shape[0] * shape[1]), raw=True)
        for name, shape in weights.items()
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", n_inputs])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    graph = helper.make_graph(nodes, "g", [given], [made], tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets)


def test_products_are_counted_behind_operators_whose_shapes_are_not_inferred() -> None:
    scaled = helper.make_node(
        "Scaler", ["x"], ["scaled"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0]
    )
    product = helper.make_node("MatMul", ["scaled", "w"], ["y"])
    assert count_multiply_adds(graph_of([scaled, product], {"w": (5, 3)}, 5)) == 15


def test_turned_weights_are_counted_by_the_other_side() -> None:
    product = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    assert count_multiply_adds(graph_of([product], {"w": (3, 5)}, 5)) == 15
