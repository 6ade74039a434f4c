"""Multipliers: how much of an output's change over the reference each input's change carries.

For each kind of node a rule makes the multipliers of its inputs of those of its output, so that the
products of multipliers and changes add up to the same. Sums keep theirs. Of a function of one
number the multiplier is its change over its argument's (A. Shrikumar, P. Greenside and A. Kundaje,
"Learning Important Features Through Propagating Activation Differences", ICML 2017: the rule
"rescale"). Of a product each factor carries its change by the other one's mean. Of a maximum the
change is between those of the places where it is and where it was: both carry a share of it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from onnx import NodeProto
from ounce_schemas.errors import ExportError

from ounce_exporters.explaining.convolution_multipliers import convolution, pooling
from ounce_exporters.explaining.tape import Tape
from ounce_exporters.export.names import attributes_of

Found = Iterator[tuple[str, str]]
"""Names of a node's inputs, and of their multipliers."""
Rule = Callable[[Tape, NodeProto, str], Found]
"""Of a tape, a node on it, and the multipliers of its output."""

_TINY = np.float32(1e-30)
"""Added to changes that others are divided by: what does not change carries nothing."""


def _fit(tape: Tape, multiplier: str, result: tuple[int, ...], operand: tuple[int, ...]) -> str:
    """Multipliers of an operand that was repeated to the shape of the result.

    Args:
        tape: takes the nodes.
        multiplier: of the result.
        result: its shape, without the items.
        operand: likewise.
    """
    if result == operand:
        return multiplier
    padded = (1,) * (len(result) - len(operand)) + operand
    axes = [i + 1 for i, (a, b) in enumerate(zip(result, padded, strict=True)) if a != b]
    if axes:
        multiplier = tape.add("ReduceSum", multiplier, np.array(axes, np.int64), keepdims=1)
    return multiplier if padded == operand else tape.reshape(multiplier, operand)


def _to(tape: Tape, node: NodeProto, place: int, multiplier: str) -> tuple[str, str]:
    """The input at a place, and its multipliers; fitted to its shape."""
    name = node.input[place]
    result, operand = (tape.usual[each].shape[1:] for each in (node.output[0], name))
    if len(operand) < len(result) and len(operand):
        raise ExportError(f"{node.op_type} of tensors of other ranks")
    return name, _fit(tape, multiplier, result, operand)


def _same(tape: Tape, node: NodeProto, m: str) -> Found:
    yield node.input[0], m


def _shaped(tape: Tape, node: NodeProto, m: str) -> Found:
    yield node.input[0], tape.reshape(m, tape.usual[node.input[0]].shape[1:])


def _transposed(tape: Tape, node: NodeProto, m: str) -> Found:
    perm = attributes_of(node)["perm"]
    if perm[0] != 0:
        raise ExportError("a transposition moves the items")
    yield node.input[0], tape.add("Transpose", m, perm=np.argsort(perm).tolist())


def _added(tape: Tape, node: NodeProto, m: str) -> Found:
    for place, name in enumerate(node.input):
        if name in tape.usual:
            own = tape.add("Neg", m) if place and node.op_type == "Sub" else m
            yield _to(tape, node, place, own)


def _negated(tape: Tape, node: NodeProto, m: str) -> Found:
    yield node.input[0], tape.add("Neg", m)


def _product(tape: Tape, node: NodeProto, m: str) -> Found:
    for place, name in enumerate(node.input):
        if name in tape.usual:
            other = node.input[1 - place]
            factor: Any = tape.fixed.get(other)
            if other in tape.usual:
                tape.is_linear, factor = False, tape.middle(other)
            yield _to(tape, node, place, tape.add("Mul", m, factor))


def _quotient(tape: Tape, node: NodeProto, m: str) -> Found:
    above, below = node.input
    if below not in tape.usual:
        yield _to(tape, node, 0, tape.add("Div", m, tape.fixed[below]))
        return
    one = np.float32(1)
    over = tape.add("Div", m, below)
    if above in tape.usual and not tape.usual[above].any():  # the divisor of 0 carries nothing
        yield _to(tape, node, 0, over)
        return
    tape.is_linear = False
    if above in tape.usual:
        mean = tape.add("Add", tape.add("Div", m, tape.usual[below]), over)
        yield _to(tape, node, 0, tape.add("Mul", mean, one / 2))
    factor = tape.middle(above) if above in tape.usual else tape.fixed[above]
    change = tape.add("Mul", over, -one / tape.usual[below])
    yield _to(tape, node, 1, tape.add("Mul", change, factor))


def _function(tape: Tape, node: NodeProto, m: str) -> Found:
    name, result = node.input[0], node.output[0]
    if any(each in tape.usual for each in node.input[1:]):
        raise ExportError(f"{node.op_type} whose bounds depend on the item")
    tape.is_linear = False
    below = tape.add("Add", tape.change(name), _TINY)
    yield name, tape.add("Mul", m, tape.add("Div", tape.change(result), below))


def _root(tape: Tape, node: NodeProto, m: str) -> Found:
    result = node.output[0]
    tape.is_linear = False
    both = tape.add("Add", tape.add("Add", result, tape.usual[result]), _TINY)
    yield node.input[0], tape.add("Div", m, both)


def _length(tape: Tape, node: NodeProto, m: str) -> Found:
    """The root of a sum of squares."""
    name, result = node.input[0], node.output[0]
    tape.is_linear = False
    shape = tape.usual[name].shape
    kept = [1 if i in _axes(tape, node) else n for i, n in enumerate(shape)]
    both = tape.add("Add", tape.add("Add", result, tape.usual[result]), _TINY)
    share = tape.reshape(tape.add("Div", m, both), kept[1:])
    yield name, tape.add("Mul", share, tape.add("Add", name, tape.usual[name]))


def _matrix_product(tape: Tape, node: NodeProto, m: str) -> Found:
    left, right = node.input[:2]
    options = attributes_of(node)
    if options.get("transA") or options.get("alpha", 1.0) != 1.0 or left not in tape.usual:
        raise ExportError("a matrix product of an unusual form")
    if right in tape.usual:
        tape.is_linear = False
        turned = [0, 2, 1]
        if tape.usual[left].ndim != 3 or tape.usual[right].ndim != 3:
            raise ExportError("a matrix product of an unusual form")
        other = tape.add("Transpose", tape.middle(right), perm=turned)
        yield left, tape.add("MatMul", m, other)
        yield right, tape.add("MatMul", tape.add("Transpose", tape.middle(left), perm=turned), m)
        return
    weights = tape.fixed[right]
    back = weights if options.get("transB") else weights.swapaxes(-2, -1)
    yield left, tape.add("MatMul", m, back)


def _reduced(tape: Tape, node: NodeProto, m: str) -> Found:
    name = node.input[0]
    shape = tape.usual[name].shape
    axes = _axes(tape, node)
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    spread = [n if i in axes else 1 for i, n in enumerate(shape)]
    share = 1.0 / np.prod(spread) if node.op_type in ("ReduceMean", "GlobalAveragePool") else 1.0
    yield name, tape.add("Mul", tape.reshape(m, kept[1:]), np.full(spread, share, np.float32))


def _axes(tape: Tape, node: NodeProto) -> list[int]:
    rank = tape.usual[node.input[0]].ndim
    if node.op_type == "GlobalAveragePool":
        return list(range(2, rank))
    given = tape.fixed[node.input[1]].tolist() if len(node.input) > 1 else None
    axes = [axis % rank for axis in given or range(rank)]
    if 0 in axes:
        raise ExportError(f"{node.op_type} over the items")
    return axes


def _greatest(tape: Tape, node: NodeProto, m: str) -> Found:
    """Where the maximum is at i, and at the reference was at j, its change is no greater than that
    at i and no less than that at j. So it is a mean of the two, with weights in [0, 1]."""
    name, result = node.input[0], node.output[0]
    tape.is_linear = False
    shape, axes = tape.usual[name].shape[1:], _axes(tape, node)
    lead = shape[: min(axes) - 1]
    if sorted(axes) != list(range(len(lead) + 1, len(shape) + 1)):
        raise ExportError("a maximum over dimensions that are not the last ones")
    n = int(np.prod(shape[len(lead) :]))
    places = np.arange(n)
    before = tape.usual[name].reshape(1, *lead, n).argmax(axis=-1)[..., None] == places
    was = before.astype(np.float32)
    flat = tape.reshape(name, (*lead, n))
    at = tape.add("ArgMax", flat, axis=-1, keepdims=1)
    is_ = tape.add("Cast", tape.add("Equal", at, places.astype(np.int64)), to=1)
    change = tape.add("Sub", flat, tape.usual[name].reshape(1, *lead, n))
    last = np.array([-1], np.int64)
    here, there = (
        tape.add("ReduceSum", tape.add("Mul", change, mask), last, keepdims=1)
        for mask in (is_, was)
    )
    whole = tape.reshape(tape.change(result), (*lead, 1))
    apart = tape.add("Max", tape.add("Sub", here, there), _TINY)
    share = tape.add("Div", tape.add("Sub", whole, there), apart)
    share = tape.add("Clip", share, np.float32(0), np.float32(1))
    rest = tape.add("Mul", tape.add("Sub", np.float32(1), share), was)
    both = tape.add("Add", tape.add("Mul", share, is_), rest)
    found = tape.add("Mul", tape.reshape(m, (*lead, 1)), both)
    yield name, tape.reshape(found, shape)


def _joined(tape: Tape, node: NodeProto, m: str) -> Found:
    rank = tape.usual[node.output[0]].ndim
    axis = attributes_of(node)["axis"] % rank
    start = 0
    for name in node.input:
        width = (tape.usual if name in tape.usual else tape.fixed)[name].shape[axis]
        if name in tape.usual:
            ends = (np.array([at], np.int64) for at in (start, start + width, axis))
            yield name, tape.add("Slice", m, *ends)
        start += width


def _picked(tape: Tape, node: NodeProto, m: str) -> Found:
    """One place along a dimension, or neighbours there."""
    name, chosen = node.input[0], np.asarray(tape.fixed.get(node.input[1]))
    if name not in tape.usual or chosen.ndim:
        raise ExportError("a choice of places of an unusual form")
    shape = tape.usual[name].shape
    axis = attributes_of(node).get("axis", 0) % len(shape)
    mask = np.arange(shape[axis]) == int(chosen) % shape[axis]
    wide = [shape[axis] if i == axis else 1 for i in range(len(shape))]
    kept = [1 if i == axis else n for i, n in enumerate(shape)]
    yield name, tape.add("Mul", tape.reshape(m, kept[1:]), mask.astype(np.float32).reshape(wide))


def _sliced(tape: Tape, node: NodeProto, m: str) -> Found:
    name = node.input[0]
    shape = tape.usual[name].shape
    starts, ends = (tape.fixed[each].tolist() for each in node.input[1:3])
    axes = tape.fixed[node.input[3]].tolist() if len(node.input) > 3 else range(len(starts))
    if len(node.input) > 4 and (tape.fixed[node.input[4]] != 1).any():
        raise ExportError("a slice with steps")
    before, after = [0] * len(shape), [0] * len(shape)
    for start, end, axis in zip(starts, ends, axes, strict=True):
        first, last, _ = slice(start, end).indices(shape[axis])
        before[axis % len(shape)], after[axis % len(shape)] = first, shape[axis] - last
    yield name, tape.add("Pad", m, np.array([*before, *after], np.int64))


_FUNCTIONS = (
    "Abs Clip Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Log Pow Reciprocal Relu Selu "
    "Sigmoid Softplus Tanh"
)
"""Of one number."""
RULES: dict[str, Rule] = {
    **dict.fromkeys(("Identity", "Dropout"), _same),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _shaped),
    **dict.fromkeys(_FUNCTIONS.split(), _function),
    **dict.fromkeys(("Add", "Sub"), _added),
    **dict.fromkeys(("ReduceMean", "ReduceSum", "GlobalAveragePool"), _reduced),
    **dict.fromkeys(("MatMul", "Gemm"), _matrix_product),
    "Transpose": _transposed,
    "Neg": _negated,
    "Mul": _product,
    "Div": _quotient,
    "Sqrt": _root,
    "Conv": convolution,
    "AveragePool": pooling,
    "ReduceL2": _length,
    "ReduceMax": _greatest,
    "Concat": _joined,
    "Gather": _picked,
    "Slice": _sliced,
}
"""By the kind of node."""
