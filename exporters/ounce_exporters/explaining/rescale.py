"""Contributions in a network: what each part of the input carries of the change over a reference.

The graph answers once. Multipliers go from the score back to the input, as `multipliers` says; the
tensors at the reference are constants. A part's contribution is the sum of its elements' changes by
their multipliers. So contributions add up without a rest, and take about as long as two answers.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import NodeProto, compose, helper, numpy_helper
from ounce_schemas.errors import ExportError
from ounce_schemas.explanation import Method
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.byte_contributions import check_bytes, of_bytes
from ounce_exporters.explaining.joining import EXPLAINED, attach_explained, pick_score
from ounce_exporters.explaining.multipliers import RULES
from ounce_exporters.explaining.parts import Part, places_of
from ounce_exporters.explaining.reference import Reference
from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.explaining.tape import Tape, make_tape
from ounce_exporters.export.graphs import UNCALIBRATED

_INSIDE = "model/"
_SOURCES = ("Cast", "IsNaN", "Not", "Where", "Identity", "LayerNormalization")
"""What reads an input element by element, and is not followed backwards. Of a window that is first
brought to a mean of 0 and a spread of 1, contributions are of what is read then."""


def rescale(
    graph: onnx.ModelProto,
    task: TaskSpec,
    parts: Sequence[Part],
    reference: Reference,
    scores: ScoreMap,
) -> tuple[onnx.ModelProto, Method]:
    """A graph of the answer and its explanation. It is exact where the model is a weighed sum.

    Of a sentence contributions are of its bytes.

    Args:
        graph: of the model: the task's inputs and output, with `uncalibrated` inside.
        task: of the model.
        parts: of its inputs; none of them counts where the input is sentences.
        reference: an item that nothing is known of.
        scores: what contributions add up to.

    Raises:
        ExportError: no rule is known for a part of the graph.
    """
    if any(tensor.channels is not None and tensor.allow_missing for tensor in task.inputs):
        raise ExportError("missing steps stay missing, so that each sequence has its own reference")
    result = compose.add_prefix(graph, _INSIDE, rename_inputs=False, rename_outputs=False)
    tape = make_tape(result, task, reference)
    outputs = _INSIDE + UNCALIBRATED
    label = pick_score(tape, task.output.name, scores)
    own = tape.add("Gather", scores.weights.T.astype(np.float32), label, axis=0)
    usual = tape.usual[outputs].astype(np.float64)[0]
    bases = (usual @ scores.weights + scores.offsets).astype(np.float32)[:, None]
    base = tape.add("Gather", bases, label, axis=0)
    n_bytes = _count_bytes(task)
    leaves = _follow(tape, list(result.graph.node), outputs, own).items()
    found = [
        of_bytes(tape, leaf, multiplier, n_bytes)
        if n_bytes
        else _contributions(tape, result, task, parts, leaf, multiplier)
        for leaf, multiplier in leaves
    ]
    contributions = found[0] if len(found) == 1 else tape.add("Sum", *found)
    tape.nodes.append(
        helper.make_node("Concat", [task.output.name, base, contributions], [EXPLAINED], axis=1)
    )
    result.graph.node.extend(tape.nodes)
    result.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in tape.constants.items()
    )
    del result.graph.value_info[:]
    if n_bytes:
        check_bytes(result, task, [leaf for leaf, _ in leaves], n_bytes)
    method: Method = "exact" if tape.is_linear else "rescale"
    return attach_explained(result, task, n_bytes or len(parts)), method


def _count_bytes(task: TaskSpec) -> int:
    """Of the sentences that are the input; 0 where there are none.

    Raises:
        ExportError: there are other inputs beside them.
    """
    sizes = [tensor.size * (tensor.text_bytes or 0) for tensor in task.inputs]
    if any(sizes) and not all(sizes):
        raise ExportError("sentences stand beside other inputs")
    return sum(sizes)


def _follow(tape: Tape, nodes: list[NodeProto], outputs: str, own: str) -> dict[str, str]:
    """Multipliers of the tensors that are read from the inputs, by name."""
    inputs = set(tape.usual) - {name for node in nodes for name in node.output}
    multipliers, leaves = {outputs: own}, dict[str, str]()
    for node in reversed(nodes):
        multiplier = multipliers.pop(node.output[0], None)
        if multiplier is None:
            continue
        if node.op_type in _SOURCES or (node.op_type == "Gather" and node.input[1] in tape.usual):
            leaves[node.output[0]] = multiplier
            continue
        rule = RULES.get(node.op_type)
        if rule is None:
            raise ExportError(f"no rule carries contributions through {node.op_type}")
        for name, found in rule(tape, node, multiplier):
            before = multipliers.get(name)
            multipliers[name] = found if before is None else tape.add("Add", before, found)
    return leaves | {name: found for name, found in multipliers.items() if name in inputs}


def _contributions(
    tape: Tape,
    graph: onnx.ModelProto,
    task: TaskSpec,
    parts: Sequence[Part],
    leaf: str,
    multiplier: str,
) -> str:
    """Of all parts, through one tensor; shape (n, n_parts)."""
    name = _source(graph, task, leaf)
    places = places_of(parts, name)
    if tape.usual[leaf].size != places.size:
        raise ExportError(f"tensor {leaf} does not hold the elements of {name}")
    owners = places.ravel()
    into = np.zeros((len(owners), len(parts)), np.float32)
    into[np.arange(len(owners)), owners] = 1.0
    each = tape.add("Mul", multiplier, tape.change(leaf))
    return tape.add("MatMul", tape.reshape(each, (len(owners),)), into)


def _source(graph: onnx.ModelProto, task: TaskSpec, leaf: str) -> str:
    """The input that a tensor is read from element by element.

    Raises:
        ExportError: it is read in another way.
    """
    made_by = {name: node for node in graph.graph.node for name in node.output}
    inputs = {tensor.name for tensor in task.inputs}
    found, todo = set[str](), [leaf]
    while todo:
        name = todo.pop()
        if name in inputs:
            found.add(name)
        elif name in made_by:
            node = made_by[name]
            if node.op_type not in (*_SOURCES, "Expand", "Constant"):
                raise ExportError(f"{node.op_type} stands before what contributions are of")
            todo += [each for each in node.input if each]
    if len(found) != 1:
        raise ExportError("a tensor is read from several inputs")
    return found.pop()
