"""Contributions in a network: what each part of the input carries of the change over a reference.

The graph answers once. Multipliers go from the score back to the input, as `multipliers` says; the
tensors at the reference are constants. A part's contribution is the sum of its elements' changes by
their multipliers. So contributions add up without a rest, and take about as long as two answers.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from ounce_schemas.errors import ExportError
from ounce_schemas.explanation import Method
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.joining import EXPLAINED, attach_explained, pick_score
from ounce_exporters.explaining.leaves import Leaves
from ounce_exporters.explaining.multipliers import RULES
from ounce_exporters.explaining.parts import Part
from ounce_exporters.explaining.reference import Reference
from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.explaining.tape import Tape, make_tape
from ounce_exporters.export.graphs import UNCALIBRATED, with_prefix
from ounce_exporters.ladder.recipe import Inputs

_INSIDE = "model/"


def rescale(
    graph: onnx.ModelProto,
    task: TaskSpec,
    parts: Sequence[Part],
    reference: Reference,
    scores: ScoreMap,
    learned: Inputs,
) -> tuple[onnx.ModelProto, Method]:
    """A graph of the answer and its explanation. It is exact where the model is a weighed sum.

    Contributions are those of the parts that are no texts, and behind them those of all bytes of
    the texts.

    Args:
        graph: of the model: the task's inputs and output, with `uncalibrated` inside.
        task: of the model.
        parts: of its inputs; of texts none is needed.
        reference: an item that nothing is known of.
        scores: what contributions add up to.
        learned: items that the model has learned from: they show which feature is whose.

    Raises:
        ExportError: no rule is known for a part of the graph.
    """
    if any(tensor.channels is not None and tensor.allow_missing for tensor in task.inputs):
        raise ExportError("missing steps stay missing, so that each sequence has its own reference")
    result = with_prefix(graph, _INSIDE, keep=(*graph.graph.input, *graph.graph.output))
    tape = make_tape(result, task, reference)
    outputs = _INSIDE + UNCALIBRATED
    label = pick_score(tape, task.output.name, scores)
    own = tape.add("Gather", scores.weights.T.astype(np.float32), label, axis=0)
    usual = tape.usual[outputs].astype(np.float64)[0]
    bases = (usual @ scores.weights + scores.offsets).astype(np.float32)[:, None]
    base = tape.add("Gather", bases, label, axis=0)
    leaves = Leaves(tape, result, task, parts, learned)
    for node, multiplier in _follow(tape, list(result.graph.node), outputs, own):
        leaves.add(node, multiplier)
    contributions = leaves.joined()
    tape.nodes.append(
        helper.make_node("Concat", [task.output.name, base, contributions], [EXPLAINED], axis=1)
    )
    result.graph.node.extend(tape.nodes)
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in tape.constants.items()
    )
    del result.graph.value_info[:]
    method: Method = "exact" if tape.is_linear else "rescale"
    return attach_explained(result, task, leaves.width), method


def _follow(
    tape: Tape, nodes: list[NodeProto], outputs: str, own: str
) -> list[tuple[NodeProto, str]]:
    """Nodes that are not followed further back, since no rule is for them, and their multipliers.
    An input that is reached stands for a node that gives it."""
    multipliers = {outputs: own}
    found: list[tuple[NodeProto, str]] = []
    for node in reversed(nodes):
        multiplier = multipliers.pop(node.output[0], None)
        if multiplier is None:
            continue
        rule = RULES.get(node.op_type)
        if rule is None or (node.op_type == "Gather" and node.input[1] in tape.usual):
            found.append((node, multiplier))
            continue
        read = node.input[:1] if node.op_type == "Reshape" else node.input
        if tape.loose.intersection([*read, *node.output]):
            raise ExportError(f"{node.op_type} reads a tensor that does not have the items first")
        for name, passed in rule(tape, node, multiplier):
            before = multipliers.get(name)
            multipliers[name] = passed if before is None else tape.add("Add", before, passed)
    for name, multiplier in multipliers.items():
        found.append((NodeProto(op_type="Identity", input=[name], output=[name]), multiplier))
    return found
