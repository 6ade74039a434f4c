"""An own model as a ladder takes it: the task's inputs, one output, and the model as it came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from ounce_edge.models.checks import sample_inputs
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_exporters.export.graphs import (
    UNCALIBRATED,
    declare,
    inlined,
    with_prefix,
    without_unread,
)
from ounce_exporters.ladder.recipe import Inputs, Split
from ounce_exporters.own.answers import Session
from ounce_exporters.own.batches import why_unsteady, with_open_batch
from ounce_exporters.own.constants import with_constants
from ounce_exporters.own.feeds import Feed, find_feeds
from ounce_exporters.own.half_precision import with_floats
from ounce_exporters.own.labels import check_order, with_columns_joined, without_zipmaps
from ounce_exporters.own.letter_case import with_common_locale
from ounce_exporters.own.onnx_file import count_numbers
from ounce_exporters.own.readings import Reading, read_outputs

_INSIDE = "own/"
_TRIED = 8
"""Items that are answered alone, too."""
_SAMPLE_ITEMS = 2
"""As a worker tries a model."""
_UNKNOWN = "a text that no row has"
"""A worker tries the empty text alone, and that may be a gap that a model fills."""

Native = Callable[[Inputs], NDArray[Any]]
"""The answers of the chosen output, from the library that the model was made with."""


@dataclass(frozen=True)
class Foreign:
    """A model that was made elsewhere."""

    graph: onnx.ModelProto
    source: str
    """What it is, for the card."""
    native: Native | None = None
    """Its answers in its own library; None: the graph is the original."""
    family: Literal["classical", "neural"] | None = None
    """None: classical where it has operators of classical models."""
    labels: tuple[str, ...] = ()
    """In the order of its columns, where its library says them."""
    was_half: bool = False
    """Whether it was brought from float16 to float32."""


@dataclass(frozen=True)
class Outputs:
    """What a person says of a model's outputs; what is left unsaid is found out."""

    name: str | None = None
    """The output that answers."""
    labels: tuple[str, ...] = ()
    """Labels of the task in the order of its columns."""


class OwnModel:
    """Implements `FittedModel` for a graph that somebody else made."""

    def __init__(
        self, graph: onnx.ModelProto, parameters: int, predict: Native, source: str
    ) -> None:
        self._graph = graph
        self._predict = predict
        self.parameters = parameters
        self.source = source
        """What it is, for the card."""

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        return np.asarray(self._predict(inputs), np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """The wrapped graph with the one output `uncalibrated`."""
        return self._graph


def wrap(
    foreign: Foreign, task: TaskSpec, validation: Split, hints: Outputs
) -> tuple[OwnModel, list[str]]:
    """Make a model answer a task, and say what was assumed.

    Args:
        foreign: the model.
        task: to be answered.
        validation: items by which outputs are understood.
        hints: what the person says of the outputs.

    Raises:
        ExportError: it does not fit the task, fails on its items, or gives no steady answers.
    """
    if task.kind in ("anomaly", "clusters"):
        raise ExportError(
            f"task {task.name!r} is of kind {task.kind}: it takes the models that `ounce train` "
            "makes"
        )
    first = task.inputs[0]
    if task.image or first.channels or any(tensor.text_bytes for tensor in task.inputs):
        what = "images" if task.image else "sequences" if first.channels else "sentences"
        raise ExportError(
            f"task {task.name!r} reads {what}: it takes the models that `ounce train` makes"
        )
    model, native = foreign.graph, foreign.native
    plain, known = without_zipmaps(with_common_locale(inlined(model)))
    plain, joined = with_columns_joined(plain, task.labels)
    known |= joined
    plain, has_half = with_floats(plain)
    plain = with_constants(plain, task.constants or {})
    plain, fixed = with_open_batch(without_unread(plain))
    session = Session(plain)
    feeds = find_feeds(session.inputs, task)
    items = validation.inputs
    feeds, counted_false = _of_truths(session, feeds, items)
    try:
        outputs = _run(session, feeds, items)
    except ExportError as e:
        if fixed is None:
            raise
        raise ExportError(
            f"it is made for {counted(fixed, 'item')} a call, and fails with others: export the "
            f"model with an open batch dimension (torch: dynamic_shapes); {e}"
        ) from e
    labels = hints.labels or foreign.labels
    reading, notes = read_outputs(task, outputs, known, hints.name, labels)
    scores = reading.scores(outputs[reading.output])
    if fixed is not None:
        notes.append(f"it was made for {counted(fixed, 'item')} a call: it gets any number")
    _check_finite(items, reading, scores)
    _check_steady(session, feeds, items, reading, scores, why_unsteady(plain))
    if task.classifies and not hints.labels:
        check_order(task, scores, validation.targets)
    notes += _by_place(feeds) + counted_false
    source = foreign.source
    if has_half or foreign.was_half:
        notes.append("what it holds in float16 is computed in float32, as CPUs do")
        source += ", float16 computed in float32"

    def answers(inputs: Inputs) -> NDArray[np.float32]:
        if native is not None:
            return reading.scores(native(inputs))
        return reading.scores(_run(session, feeds, inputs)[reading.output])

    graph = _assemble(plain, task, feeds, reading)
    _check_as_a_worker(graph, task)
    return OwnModel(graph, count_numbers(model), answers, source), notes


def _of_truths(
    session: Session, feeds: Sequence[Feed], inputs: Inputs
) -> tuple[list[Feed], list[str]]:
    """Feeds that count what is neither True nor False as False, where the model knows no gaps."""
    columns = [feed.port.name for feed in feeds if feed.truth is not None]
    if not columns:
        return list(feeds), []
    one = {
        name: np.full_like(array[:1], "") if array.dtype == object else array[:1]
        for name, array in inputs.items()
    }
    try:
        outputs = _run(session, feeds, one)
        finite = all(np.isfinite(a).all() for a in outputs.values() if a.dtype.kind == "f")
    except ExportError:  # that of other inputs is told later
        finite = True
    if finite:
        return list(feeds), []
    names = ", ".join(map(repr, columns))
    return [feed.without_gaps() for feed in feeds], [
        f"what is neither True nor False in {names} counts as False"
    ]


def _run(session: Session, feeds: Sequence[Feed], inputs: Inputs) -> dict[str, NDArray[Any]]:
    n = len(next(iter(inputs.values())))
    return session.run({feed.port.name: feed.array(inputs) for feed in feeds}, n)


def _check_finite(inputs: Inputs, reading: Reading, scores: NDArray[np.float32]) -> None:
    bad = ~np.isfinite(scores).all(axis=1)
    if not bad.any():
        return
    gaps = np.zeros(len(scores), np.bool_)
    for array in inputs.values():
        if array.dtype.kind == "f":
            gaps |= np.isnan(array).reshape(len(array), -1).any(axis=1)
    advice = "; all of them have gaps: fill these in the model, as with an imputer"
    raise ExportError(
        f"{int(bad.sum())} of {len(scores)} items get an answer that is not finite from output "
        f"{reading.output!r}{advice if gaps[bad].all() else ''}"
    )


def _check_as_a_worker(graph: onnx.ModelProto, task: TaskSpec) -> None:
    """A worker takes no model that has no answer to what it tries each with, nor may a text that
    no row has fail it."""
    session = Session(graph)
    tried = dict(sample_inputs(task.inputs, _SAMPLE_ITEMS))
    unknown = {
        name: np.full_like(array, _UNKNOWN)
        for name, array in tried.items()
        if array.dtype == object
    }
    try:
        answers = [
            session.run(inputs, _SAMPLE_ITEMS)[UNCALIBRATED] for inputs in (tried, tried | unknown)
        ]
    except ExportError as e:
        why = str(e).rstrip(".")
    else:
        if np.isfinite(answers).all():
            return
        why = "it answers with what is not finite"
    raise ExportError(
        f"each model is tried with small numbers of both signs and unknown texts: {why}; let "
        "it take any value, as with a clip before a logarithm, or "
        "OneHotEncoder(handle_unknown='ignore')"
    )


def _check_steady(
    session: Session,
    feeds: Sequence[Feed],
    inputs: Inputs,
    reading: Reading,
    scores: NDArray[np.float32],
    advice: str,
) -> None:
    """An item's answer does not depend on the others or on luck."""
    for i in range(min(_TRIED, len(scores))):
        one = {name: array[i : i + 1] for name, array in inputs.items()}
        alone = reading.scores(_run(session, feeds, one)[reading.output])
        if not np.allclose(alone, scores[i : i + 1], rtol=1e-2, atol=1e-3):
            raise ExportError(f"an item gets another answer alone than among others: {advice}")


def _by_place(feeds: Sequence[Feed]) -> list[str]:
    lines = []
    for feed in feeds:
        name, tensor = feed.port.name, feed.tensor
        if len(feed.picked) > 1 and name != tensor.name:
            order = f" in the order {', '.join(tensor.columns)}" if tensor.columns else ""
            lines.append(f"input {name!r} gets {tensor.name!r}{order}")
    return lines


def _assemble(
    model: onnx.ModelProto, task: TaskSpec, feeds: Sequence[Feed], reading: Reading
) -> onnx.ModelProto:
    try:
        # What is renamed, so that no name of the model is one of the task's.
        result = with_prefix(model, _INSIDE)
    except Exception as e:  # onnx raises many types
        versions = ", ".join(f"{o.domain or 'ai.onnx'} {o.version}" for o in model.opset_import)
        raise ExportError(
            f"its operators ({versions}) can't be brought to a later set: export it with a later "
            f"opset; {' '.join(str(e).split())[:200]}"
        ) from e
    graph = result.graph
    inside = list(graph.node)
    before: list[onnx.NodeProto] = []
    for feed in feeds:
        nodes, constants = feed.nodes(_INSIDE + feed.port.name)
        before += nodes
        _hold(graph, constants)
    behind, constants = reading.nodes(_INSIDE + reading.output)
    _hold(graph, constants)
    del graph.node[:]
    graph.node.extend([*before, *inside, *behind])
    del graph.input[:]
    graph.input.extend(declare(tensor) for tensor in task.inputs)
    del graph.output[:]
    size = len(task.labels) or 1
    graph.output.append(
        onnx.helper.make_tensor_value_info(UNCALIBRATED, onnx.TensorProto.FLOAT, ["batch", size])
    )
    del graph.value_info[:]
    return result


def _hold(graph: onnx.GraphProto, constants: dict[str, NDArray[Any]]) -> None:
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
