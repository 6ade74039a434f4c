"""What an own model's output means: probabilities, logits, labels, or values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.cells import as_text
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import counted

from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.own.labels import column_labels, place_labels
from ounce_exporters.training.classical import LEAST_PROBABILITY

Form = Literal["probabilities", "logits", "probability", "logit", "labels", "value"]
_ROUNDING = 1e-5


@dataclass(frozen=True)
class Reading:
    """How one output becomes logits, or values of a quantity."""

    output: str
    form: Form
    """`probability` and `logit` are of the second label alone."""
    places: tuple[int, ...] = ()
    """For each label of the task, the column of the output; -1: the model never answers so."""
    values: tuple[Any, ...] = ()
    """Of `labels`: what the output holds for each label of the task; None: it never does."""
    offset: float = 0.0
    """Of `value`: what the task's models leave out, and this one does not."""
    n_columns: int | None = None
    """Of an output of another shape: so many numbers are an item's scores."""

    def scores(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1), with NumPy."""
        n = len(output)
        if self.form == "labels":
            flat = output.reshape(n)
            hits = np.stack([flat == value for value in self.values], axis=1)
            return _log(hits.astype(np.float32))
        if self.form == "value":
            return (output.astype(np.float64) - self.offset).astype(np.float32).reshape(n, -1)
        numbers = output.astype(np.float32).reshape(n, -1)
        if self.form == "logit":
            numbers = np.concatenate([np.zeros_like(numbers), numbers], axis=1)
        elif self.form == "probability":
            numbers = _log(np.concatenate([1 - numbers, numbers], axis=1))
        elif self.form == "probabilities":
            numbers = _log(numbers)
        never = np.full((n, 1), np.log(np.float32(LEAST_PROBABILITY)) - 10, np.float32)
        return np.concatenate([numbers, never], axis=1)[:, list(self.places)]

    def nodes(self, source: str) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """Operators that make `UNCALIBRATED` of the output `source`, and their constants."""
        nodes: list[onnx.NodeProto] = []
        constants: dict[str, NDArray[Any]] = {}
        last = source

        def constant(value: NDArray[Any]) -> str:
            name = f"reading/{len(constants)}"
            constants[name] = value
            return name

        def add(operator: str, *inputs: str, **attributes: Any) -> str:
            nonlocal last
            last = f"reading/{operator}/{len(nodes)}"
            nodes.append(helper.make_node(operator, list(inputs), [last], **attributes))
            return last

        def log() -> None:
            add("Clip", last, constant(np.array(LEAST_PROBABILITY, np.float32)))
            add("Log", last)

        if self.form == "labels":
            if not isinstance(next(v for v in self.values if v is not None), str):
                add("Cast", last, to=TensorProto.INT64)
            flat = add("Reshape", last, constant(np.array([-1, 1])))
            hits = []
            for value in self.values:
                # What the model never answers is compared with another answer, and taken away.
                some = next(v for v in self.values if v is not None)
                other = constant(_constant(some if value is None else value))
                add("Cast", add("Equal", flat, other), to=TensorProto.FLOAT)
                if value is None:
                    add("Mul", last, constant(np.array(0, np.float32)))
                hits.append(last)
            add("Concat", *hits, axis=1)
            log()
        else:
            if self.offset:
                add("Cast", last, to=TensorProto.DOUBLE)
                add("Sub", last, constant(np.array(self.offset)))
            add("Cast", last, to=TensorProto.FLOAT)
            if self.n_columns is not None:
                add("Reshape", last, constant(np.array([-1, self.n_columns])))
            single = self.form in ("value", "logit", "probability")
            if single:
                add("Reshape", last, constant(np.array([-1, 1])))
            if self.form == "logit":
                second = last
                add("Concat", add("Mul", second, constant(np.array(0, np.float32))), second, axis=1)
            elif self.form == "probability":
                second = last
                first = add("Sub", constant(np.array(1, np.float32)), second)
                add("Concat", first, second, axis=1)
            if self.form in ("probability", "probabilities"):
                log()
            if self.form != "value":
                self._place(add, constant, last)
        nodes.append(helper.make_node("Identity", [last], [UNCALIBRATED]))
        return nodes, constants

    def _place(self, add: Any, constant: Any, last: str) -> None:
        """Columns in the task's order; behind the last stands one for what never comes."""
        if self.places == tuple(range(len(self.places))):
            return
        never = np.log(np.float32(LEAST_PROBABILITY)) - np.float32(10)
        padded = add("Pad", last, constant(np.array([0, 0, 0, 1])), constant(np.array(never)))
        add("Gather", padded, constant(np.array(self.places)), axis=1)


def read_outputs(
    task: TaskSpec,
    outputs: Mapping[str, NDArray[Any]],
    known: Mapping[str, Sequence[str]],
    wanted: str | None = None,
    given: Sequence[str] = (),
) -> tuple[Reading, list[str]]:
    """Find the output that answers the task, and say what was assumed.

    Args:
        task: the task.
        outputs: of the model for some items.
        known: labels in the order of the columns, by output, where the file says them.
        wanted: name of the output, where the person says it.
        given: labels in the order of the columns, where the person says them.

    Raises:
        ExportError: none fits, or several do.
    """
    if wanted is not None and wanted not in outputs:
        raise ExportError(
            f"there is no output {wanted!r} with one answer an item: {_list(outputs)}"
        )
    found = {wanted: outputs[wanted]} if wanted is not None else dict(outputs)
    if task.kind == "regression":
        return _value(task, found, outputs)
    scores = {
        name: a.reshape(len(a), -1)
        for name, a in found.items()
        if a.dtype.kind == "f" and _are_columns(a, len(task.labels))
    }
    of_labels = {n: a for n, a in scores.items() if a.shape[1] == len(task.labels)}
    if scores:  # beside them may stand features
        chosen = _one(of_labels or scores, outputs)
        labels = tuple(given) or column_labels(chosen[1], outputs) or known.get(chosen[0], ())
        return _columns(task, chosen, labels, outputs)
    single = {n: a for n, a in found.items() if a.dtype.kind == "f" and a.size == len(a)}
    if single and len(task.labels) == 2:
        name, array = _one(single, outputs)
        form: Form = "probability" if _are_shares(array) else "logit"
        return Reading(name, form, (0, 1)), [
            f"output {name!r} is read as the {form} of {task.labels[1]!r}"
        ]
    named = {n: a for n, a in found.items() if a.dtype.kind in "iubUO" and a.size == len(a)}
    if named:
        name, array = _one(named, outputs)
        return _labels(task, name, array, given)
    raise ExportError(
        f"no output answers task {task.name!r}: wanted is a probability or score for each of its "
        f"{len(task.labels)} labels, or the label; found {_list(outputs)}"
    )


def _value(
    task: TaskSpec, found: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
) -> tuple[Reading, list[str]]:
    values = {n: a for n, a in found.items() if a.dtype.kind in "fiu" and a.size == len(a)}
    if not values:
        raise ExportError(f"no output holds one number an item; found {_list(outputs)}")
    name, array = _one(values, outputs)
    if task.offset is None:
        return Reading(name, "value"), []
    notes = [f"{as_text(task.offset)} is taken off output {name!r}: answers add it again"]
    if array.dtype == np.float32:
        notes.append(f"output {name!r} is float32, which blurs such values")
    return Reading(name, "value", offset=task.offset), notes


def _columns(
    task: TaskSpec,
    chosen: tuple[str, NDArray[Any]],
    labels: Sequence[str],
    outputs: Mapping[str, NDArray[Any]],
) -> tuple[Reading, list[str]]:
    name, array = chosen
    n_columns = None if outputs[name].ndim == 2 else array.shape[1]
    form: Form = "probabilities" if _are_shares(array) else "logits"
    notes = [f"output {name!r} is read as {form}"]
    if len(labels) != array.shape[1]:
        if array.shape[1] != len(task.labels):
            raise ExportError(
                f"output {name!r} has {counted(array.shape[1], 'column')}, and task {task.name!r} "
                f"has {len(task.labels)} labels: {', '.join(task.labels[:20])}"
            )
        notes[0] += f" of {', '.join(task.labels[:20])}, in the task's order"
        return Reading(name, form, tuple(range(len(task.labels))), n_columns=n_columns), notes
    places = place_labels(task, labels)
    missing = [label for label, place in zip(task.labels, places, strict=True) if place < 0]
    if missing:
        notes.append(f"the model never answers {', '.join(map(repr, missing))}")
    return Reading(name, form, places, n_columns=n_columns), notes


def _labels(
    task: TaskSpec, name: str, array: NDArray[Any], given: Sequence[str]
) -> tuple[Reading, list[str]]:
    values = array.reshape(-1).tolist()
    is_text = isinstance(values[0], str)
    seen = list(dict.fromkeys(value if is_text else int(value) for value in values))
    texts = [as_text(value) for value in seen]
    if given and not is_text and max(seen) < len(given):
        seen, texts = list(range(len(given))), list(given)
    elif set(texts) <= set(task.labels):  # also those that no item here got
        seen = [v if is_text else int(v) for v in task.labels if is_text or v.lstrip("-").isdigit()]
        texts = [as_text(value) for value in seen]
    elif not is_text and max(seen) < len(task.labels):
        seen = list(range(len(task.labels)))
        texts = [as_text(value) for value in seen]
    places = place_labels(task, texts)
    by_label = tuple(seen[place] if place >= 0 else None for place in places)
    return Reading(name, "labels", values=by_label), [
        f"output {name!r} is a label alone: every answer has the same confidence"
    ]


def _one(
    candidates: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]
) -> tuple[str, NDArray[Any]]:
    """The only candidate, or the only one that holds probabilities."""
    if len(candidates) > 1:
        shares = {n: a for n, a in candidates.items() if a.dtype.kind == "f" and _are_shares(a)}
        candidates = shares if len(shares) == 1 else candidates
    if len(candidates) > 1:
        raise ExportError(f"several outputs may be the answer: {_list(outputs)}; name it: --output")
    return next(iter(candidates.items()))


def _are_columns(array: NDArray[Any], n_labels: int) -> bool:
    """Whether an output may be scores; one of more dimensions, such as [n, 3, 1, 1], must fit."""
    if array.ndim == 2:
        return bool(array.shape[1] > 1)
    return bool(array.ndim > 2 and n_labels > 1 and array.size == len(array) * n_labels)


def _are_shares(array: NDArray[Any]) -> bool:
    return bool(array.min() >= -_ROUNDING and array.max() <= 1 + _ROUNDING)


def _log(shares: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(np.log(np.maximum(shares, np.float32(LEAST_PROBABILITY))), np.float32)


def _constant(value: Any) -> NDArray[Any]:
    return np.array([value], dtype=object if isinstance(value, str) else None)


def _list(outputs: Mapping[str, NDArray[Any]]) -> str:
    return ", ".join(f"{n!r} {a.dtype}{list(a.shape)}" for n, a in outputs.items())
