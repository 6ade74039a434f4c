"""Joining labels, which come late, with the answers that they are about. Pure memory."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.task import TaskSpec

_BLOCK = 8192
"""Answers that are indexed and forgotten together: their release takes well under 1 ms."""

_MOST_FRESH = 128
"""Groups that are folded together: where they are small, folding thousands would be felt."""

_encode_id = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class PlanTruth:
    """Labelled answers of one plan, in the order of their labels."""

    acceptable: NDArray[np.bool_]
    """By the task's rule: the class is right, or the error within the tolerance; shape (n,)."""
    truth: NDArray[Any]
    """Index of the true label, or the true value; shape (n,), intp or float64."""

    @property
    def good(self) -> int:
        """Acceptable answers."""
        return int(self.acceptable.sum())

    @property
    def bad(self) -> int:
        """Answers that are not."""
        return len(self.acceptable) - self.good


@dataclass(frozen=True)
class Joined:
    """What some labels say."""

    plans: Mapping[Hashable, PlanTruth]
    """By plan, those that have at least one labelled answer."""
    outcomes: Mapping[LabelOutcome, int]
    """What became of the labels: joined, unknown, repeated or invalid; empty of none."""

    def label_counts(self, n_labels: int) -> NDArray[np.int64]:
        """Classification: how often each label was the truth; shape (n_labels,)."""
        truths = [plan.truth for plan in self.plans.values()]
        indices = np.concatenate(truths) if truths else np.zeros(0, dtype=np.intp)
        return np.bincount(indices, minlength=n_labels)


class AnswerMemory:
    """The latest answers of one task, by id.

    To remember costs a reference per group of answers; the index over their ids is built only when
    labels come. One thread may use it.

    Args:
        task: says what a label may be, and when an answer is acceptable.
        capacity: about so many answers are remembered; the oldest make room, some thousands
            together.
    """

    def __init__(self, task: TaskSpec, capacity: int = 131_072) -> None:
        self._label_index = {label: i for i, label in enumerate(task.labels)}
        self._tolerance = task.tolerance
        self._capacity = capacity
        self._block = min(_BLOCK, max(1, capacity // 8))
        self._blocks: list[_Block] = [_Block()]
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def remember(
        self, json_ids: Sequence[Sequence[bytes]], plan: Hashable, predicted: NDArray[Any]
    ) -> None:
        """Take note of one group of answers, before they are published: their labels may follow at
        once. Neither argument may change afterwards.

        Args:
            json_ids: columns of n entries which together make up the ids as JSON text, quotes
                included.
            plan: what answered; equal for two groups that the same plan answered.
            predicted: label indices, or values; shape (n,).
        """
        if self._blocks[-1].n >= self._block:
            self._blocks.append(_Block())
        self._blocks[-1].add(json_ids, plan, predicted)
        self._n += len(predicted)
        while self._n > self._capacity and len(self._blocks) > 1:
            self._n -= self._blocks.pop(0).n

    def join(self, labels: Sequence[Label]) -> Joined:
        """Hold labels against the answers that they are about.

        An id that was answered twice is joined with its latest answer, once.
        """
        if not labels:
            return Joined({}, {})
        blocks = self._blocks[::-1]
        for block in blocks:
            block.complete_index()
        unknown = repeated = invalid = joined = 0
        found: dict[Hashable, tuple[list[float], list[float]]] = {}
        for label in labels:
            truth = self._truth(label)
            if truth is None:
                invalid += 1
                continue
            json_id = _encode_id(label.id)
            holder, has_label = _find(json_id, blocks)
            if holder is None:
                unknown += 1
            elif has_label:
                repeated += 1
            else:
                joined += 1
                plan, predicted = holder.label(json_id)
                predictions, truths = found.setdefault(plan, ([], []))
                predictions.append(predicted)
                truths.append(truth)
        return Joined(
            {plan: self._compare(*columns) for plan, columns in found.items()},
            {
                LabelOutcome.JOINED: joined,
                LabelOutcome.UNKNOWN: unknown,
                LabelOutcome.REPEATED: repeated,
                LabelOutcome.INVALID: invalid,
            },
        )

    def _truth(self, label: Label) -> float | None:
        """Index of the label, or the value; None where it is no truth of this task."""
        if label.id is None:
            return None
        if self._tolerance is None:
            if label.value is not None or label.label is None:
                return None
            return self._label_index.get(label.label)
        if label.label is not None or label.value is None or not math.isfinite(label.value):
            return None
        return label.value

    def _compare(self, predicted: Sequence[float], truth: Sequence[float]) -> PlanTruth:
        if self._tolerance is None:
            labels = np.array(truth, dtype=np.intp)
            return PlanTruth(np.array(predicted, dtype=np.intp) == labels, labels)
        values = np.array(truth, dtype=np.float64)
        return PlanTruth(np.abs(np.array(predicted) - values) <= self._tolerance, values)


@dataclass(slots=True)
class _Block:
    """Some thousands of answers in a row, column by column."""

    n: int = 0
    fresh: list[tuple[Sequence[Sequence[bytes]], Hashable, NDArray[Any]]] = field(
        default_factory=list
    )
    """Groups that are not in the columns yet."""
    ids: list[bytes] = field(default_factory=list)
    plans: list[Hashable] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    index: dict[bytes, int] = field(default_factory=dict)
    """Positions by id, of the first `n_indexed` answers; a later one with the same id replaces."""
    n_indexed: int = 0
    labelled: set[bytes] = field(default_factory=set)

    def add(
        self, json_ids: Sequence[Sequence[bytes]], plan: Hashable, predicted: NDArray[Any]
    ) -> None:
        """Add one group."""
        self.fresh.append((json_ids, plan, predicted))
        self.n += len(predicted)
        if len(self.fresh) >= _MOST_FRESH:
            self._fold()

    def label(self, json_id: bytes) -> tuple[Hashable, float]:
        """Plan and prediction of an answer, which has its label now."""
        self.labelled.add(json_id)
        position = self.index[json_id]
        return self.plans[position], self.predicted[position]

    def complete_index(self) -> None:
        """Index what is not indexed yet."""
        self._fold()
        if self.n_indexed < self.n:
            fresh = self.ids[self.n_indexed :]
            self.index.update(zip(fresh, range(self.n_indexed, self.n), strict=True))
            self.n_indexed = self.n

    def _fold(self) -> None:
        for columns, plan, predicted in self.fresh:
            self.ids += map(b"".join, zip(*columns, strict=True))
            self.plans += repeat(plan, len(predicted))
            self.predicted += predicted.tolist()
        self.fresh.clear()


def _find(json_id: bytes, blocks: Sequence[_Block]) -> tuple[_Block | None, bool]:
    """The first of the blocks that holds an id, and whether it has its label in any of them."""
    holder = None
    for block in blocks:
        if json_id in block.index:
            if json_id in block.labelled:
                return block, True
            holder = holder or block
    return holder, False
