"""A real model of digits that crashes, or never returns, on inputs that are marked."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from ounce_schemas.documents import MODEL_FILE

CRASHES, HANGS = 0, 7
"""Pixels: where one is `MARK`, an integer overflows (signal 8), or a loop does not end. No image of
digits has a mark there."""
MARK = 16.0


def image(fatal: int | None = None) -> bytes:
    """A request's body, with one of the marks."""
    pixels = np.zeros(64, "<f4")
    if fatal is not None:
        pixels[fatal] = MARK
    return pixels.tobytes()


def make_fatal(folder: Path) -> None:
    """Change a model of digits so that marked inputs are fatal; its other answers stay.

    Args:
        folder: of the model, with its card.
    """
    path, card = folder / MODEL_FILE, folder / "card.json"
    model = onnx.load(path)
    graph = model.graph
    own_input, output = graph.input[0].name, graph.output[0].name
    last = next(node for node in graph.node if output in node.output)
    last.output[list(last.output).index(output)] = "unmarked"
    numbers = {
        "mark": helper.make_tensor("fatal_mark", TensorProto.FLOAT, [], [MARK]),
        "one": helper.make_tensor("fatal_one", TensorProto.FLOAT, [], [1.0]),
        "minus_two": helper.make_tensor("fatal_minus_two", TensorProto.FLOAT, [], [-2.0]),
        "least": helper.make_tensor("fatal_least", TensorProto.INT32, [], [-(2**31)]),
        "scale": helper.make_tensor("fatal_scale", TensorProto.FLOAT, [], [-(2.0**-31)]),
        "endless": helper.make_tensor("fatal_endless", TensorProto.INT64, [], [10**15]),
    }
    graph.initializer.extend(numbers.values())
    node = helper.make_node
    graph.node.extend(
        [
            # The least integer, divided by 1 or -1: the latter has no answer.
            *_is_marked(graph, own_input, CRASHES),
            node("Mul", [f"fatal_{CRASHES}", "fatal_minus_two"], ["fatal_minus"]),
            node("Add", ["fatal_minus", "fatal_one"], ["fatal_side"]),
            node("Cast", ["fatal_side"], ["fatal_divisor"], to=TensorProto.INT32),
            node("Div", ["fatal_least", "fatal_divisor"], ["fatal_quotient"]),
            node("Cast", ["fatal_quotient"], ["fatal_large"], to=TensorProto.FLOAT),
            node("Mul", ["fatal_large", "fatal_scale"], ["fatal_a"]),
            # No turn of the loop, or more than anybody waits for.
            *_is_marked(graph, own_input, HANGS),
            node("Cast", [f"fatal_{HANGS}"], ["fatal_times"], to=TensorProto.INT64),
            node("Mul", ["fatal_times", "fatal_endless"], ["fatal_turns"]),
            node("Loop", ["fatal_turns", "", "fatal_one"], ["fatal_b"], body=_body()),
            node("Mul", ["unmarked", "fatal_a"], ["fatal_c"]),
            node("Mul", ["fatal_c", "fatal_b"], [output]),
        ]
    )
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    path.write_bytes(content)
    document = json.loads(card.read_text())
    document["sha256"] = hashlib.sha256(content).hexdigest()
    card.write_text(json.dumps(document))


def _is_marked(graph: onnx.GraphProto, own_input: str, pixel: int) -> list[onnx.NodeProto]:
    """Whether one of a call's images has this mark: 1.0 or 0.0."""
    number = helper.make_tensor(f"fatal_number_{pixel}", TensorProto.INT64, [1], [pixel])
    graph.initializer.append(number)
    node, of = helper.make_node, f"fatal_of_{pixel}"
    return [
        node("Gather", [own_input, number.name], [of], axis=1),
        node("ReduceMax", [of], [f"{of}_most"], keepdims=0),
        node("Div", [f"{of}_most", "fatal_mark"], [f"{of}_share"]),
        node("Floor", [f"{of}_share"], [f"fatal_{pixel}"]),
    ]


def _body() -> onnx.GraphProto:
    value = helper.make_tensor_value_info
    return helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_out"]),
            helper.make_node("Sqrt", ["carried"], ["carried_out"]),
        ],
        "endless",
        [
            value("turn", TensorProto.INT64, []),
            value("goes_on", TensorProto.BOOL, []),
            value("carried", TensorProto.FLOAT, []),
        ],
        [
            value("goes_on_out", TensorProto.BOOL, []),
            value("carried_out", TensorProto.FLOAT, []),
        ],
    )
