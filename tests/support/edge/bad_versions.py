"""Versions of a real model of digits that are worse than their cards say.

A bad version passes all that a worker checks when it takes a model: its digest and its canaries are
those of its own file.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper
from ounce_schemas.documents import CARD_FILE, EXPLANATION_FILE, MODEL_FILE

PIXEL, BRIGHT = 5, 12.0
"""A bad version does what it is made for where this pixel is brighter: in a fifth of the digits."""
_EDGE_PIXEL, _EDGE = 23, 0.0
"""Likewise, in one of some fifty digits."""
_N_LABELS = 10


def make_wrong(folder: Path) -> None:
    """A fifth of the answers name another digit, as confidently as before.

    Args:
        folder: of the model, with its card; likewise of the others.
    """
    _change(folder, _reversed)


def make_no_number(folder: Path) -> None:
    """A fifth of the answers are no numbers."""
    _change(folder, _no_number)


def make_crashing(folder: Path) -> None:
    """One input of some fifty ends the process: an integer overflows (signal 8)."""
    _change(folder, _crashing)


def make_slow(folder: Path, factor: float = 5.0) -> None:
    """A call of one item takes so many times as long."""
    before = _call_s(folder)
    content = (folder / MODEL_FILE).read_bytes()
    _change(folder, lambda graph, raw, out: _turning(graph, raw, out, 20_000))
    turn_s = (_call_s(folder) - before) / 20_000
    (folder / MODEL_FILE).write_bytes(content)
    turns = round(before * (factor - 1.0) / turn_s)
    _change(folder, lambda graph, raw, out: _turning(graph, raw, out, turns))


def make_narrow(folder: Path, most: int) -> None:
    """Calls of more items fail, as where memory is short."""
    _change(folder, lambda graph, raw, out: _narrow(graph, raw, out, most))


def make_explanation_crash(folder: Path) -> None:
    """Likewise one that is asked to explain its answer."""
    path, card = folder / EXPLANATION_FILE, folder / CARD_FILE
    content = _changed(path, _crashing)
    document = json.loads(card.read_text())
    document["explanation"]["sha256"] = hashlib.sha256(content).hexdigest()
    # Else the canaries, which are real digits, might be what ends it.
    document["canaries"] = None
    card.write_text(json.dumps(document))


def make_greedy(folder: Path) -> None:
    """Any call asks for more memory than a machine has."""
    _change(folder, _greedy, runs=False)


_Nodes = Callable[[onnx.GraphProto, str, str], list[onnx.NodeProto]]


def _change(folder: Path, nodes: _Nodes, *, runs: bool = True) -> None:
    card = folder / CARD_FILE
    content = _changed(folder / MODEL_FILE, nodes)
    document = json.loads(card.read_text())
    digest = hashlib.sha256(content).hexdigest()
    document |= {"sha256": digest, "version": digest[:12]}
    inputs = document["canaries"]["inputs"]
    document["canaries"] = _canaries(content, inputs) if runs else None
    document.pop("explanation", None)
    card.write_text(json.dumps(document))


def _changed(path: Path, nodes: _Nodes) -> bytes:
    model = onnx.load(path)
    graph = model.graph
    output = graph.output[0].name
    last = next(node for node in graph.node if output in node.output)
    last.output[list(last.output).index(output)] = "good"
    graph.node.extend(nodes(graph, "good", output))
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    path.write_bytes(content)
    return content


def _canaries(content: bytes, inputs: Mapping[str, list[float]]) -> dict[str, object]:
    """The same items without what the version is made for, and its answers to them."""
    [(name, values)] = inputs.items()
    rows = np.array(values, np.float32).reshape(-1, 64)
    rows[:, [PIXEL, _EDGE_PIXEL]] = 0.0
    [answers] = ort.InferenceSession(content).run(None, {name: rows})
    return {"inputs": {name: rows.ravel().tolist()}, "answers": np.asarray(answers).tolist()}


def _reversed(graph: onnx.GraphProto, good: str, output: str) -> list[onnx.NodeProto]:
    _constants(graph, order=np.arange(_N_LABELS)[::-1].copy())
    node = helper.make_node
    return [
        *_is_over(graph, PIXEL, BRIGHT),
        node("Gather", [good, "bad_order"], ["bad_other"], axis=1),
        node("Where", ["bad_is", "bad_other", good], [output]),
    ]


def _no_number(graph: onnx.GraphProto, good: str, output: str) -> list[onnx.NodeProto]:
    _constants(graph, nan=np.array(np.nan, np.float32))
    return [
        *_is_over(graph, PIXEL, BRIGHT),
        helper.make_node("Where", ["bad_is", "bad_nan", good], [output]),
    ]


def _crashing(graph: onnx.GraphProto, good: str, output: str) -> list[onnx.NodeProto]:
    """The least integer, divided by 1 or -1: the latter has no answer."""
    _constants(
        graph,
        least=np.array(-(2**31), np.int32),
        one=np.array(1, np.int32),
        minus_one=np.array(-1, np.int32),
        scale=np.array(-(2.0**-31), np.float32),
    )
    node = helper.make_node
    return [
        *_is_over(graph, _EDGE_PIXEL, _EDGE),
        node("Where", ["bad_is", "bad_minus_one", "bad_one"], ["bad_divisor"]),
        node("Div", ["bad_least", "bad_divisor"], ["bad_quotient"]),
        node("Cast", ["bad_quotient"], ["bad_large"], to=TensorProto.FLOAT),
        node("Mul", ["bad_large", "bad_scale"], ["bad_unit"]),
        node("Mul", [good, "bad_unit"], [output]),
    ]


def _turning(graph: onnx.GraphProto, good: str, output: str, turns: int) -> list[onnx.NodeProto]:
    """A loop of so many turns that end with the number 1."""
    _constants(graph, turns=np.array(turns), one=np.array(1.0, np.float32))
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Abs", ["number"], ["same"]),
        ],
        "turn",
        [
            value("turn", TensorProto.INT64, []),
            value("going", TensorProto.BOOL, []),
            value("number", TensorProto.FLOAT, []),
        ],
        [value("goes_on", TensorProto.BOOL, []), value("same", TensorProto.FLOAT, [])],
    )
    return [
        helper.make_node("Loop", ["bad_turns", "", "bad_one"], ["bad_unit"], body=body),
        helper.make_node("Mul", [good, "bad_unit"], [output]),
    ]


def _narrow(graph: onnx.GraphProto, good: str, output: str, most: int) -> list[onnx.NodeProto]:
    """A look into a list that has a number for each size of a call, up to the largest."""
    _constants(graph, ones=np.ones(most + 1, np.float32), first=np.array(0))
    node = helper.make_node
    return [
        node("Shape", [graph.input[0].name], ["bad_shape"]),
        node("Gather", ["bad_shape", "bad_first"], ["bad_size"]),
        node("Gather", ["bad_ones", "bad_size"], ["bad_unit"]),
        node("Mul", [good, "bad_unit"], [output]),
    ]


def _greedy(graph: onnx.GraphProto, good: str, output: str) -> list[onnx.NodeProto]:
    """The sum of 10^15 zeros is added."""
    _constants(graph, shape=np.array([10**15]), zero=np.array(0.0, np.float32))
    node = helper.make_node
    return [
        node("Expand", ["bad_zero", "bad_shape"], ["bad_zeros"]),
        node("ReduceSum", ["bad_zeros"], ["bad_sum"], keepdims=0),
        node("Add", [good, "bad_sum"], [output]),
    ]


def _is_over(graph: onnx.GraphProto, pixel: int, limit: float) -> list[onnx.NodeProto]:
    _constants(graph, pixel=np.array([pixel]), limit=np.array(limit, np.float32))
    return [
        helper.make_node("Gather", [graph.input[0].name, "bad_pixel"], ["bad_seen"], axis=1),
        helper.make_node("Greater", ["bad_seen", "bad_limit"], ["bad_is"]),
    ]


def _constants(graph: onnx.GraphProto, **values: np.ndarray) -> None:
    graph.initializer.extend(
        onnx.numpy_helper.from_array(value, f"bad_{name}") for name, value in values.items()
    )


def _call_s(folder: Path) -> float:
    """The least time of a call of one item."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(folder / MODEL_FILE, options)
    feed = {session.get_inputs()[0].name: np.zeros((1, 64), np.float32)}
    times = []
    for _ in range(50):
        began_s = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - began_s)
    return min(times)
