"""Joining labels, which come late, with the answers that they are about. Pure memory."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.label import KEY_ERRORS, Label, LabelOutcome
from ounce_schemas.task import TaskSpec

from ounce_edge.evidence.answer_block import POSITION, AnswerBlock, AnswerGroup
from ounce_edge.evidence.names import bounded_name
from ounce_edge.models.planning import strata_of

_BLOCK = 8192
"""Answers that are indexed and forgotten together: their release takes well under 1 ms."""
_MOST_ORIGINS = 64
"""An id of more senders than these is told apart by its source only."""

_encode_id = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class PlanTruth:
    """Labelled answers of one plan, in the order of their labels; n of them."""

    acceptable: NDArray[np.bool_]
    """By the task's rule: the class is right, or the error within the tolerance; shape (n,)."""
    strata: NDArray[np.intp]
    """Stratum of the task's measure that each counts for, -1 where it counts for none; shape
    (n,)."""

    def counts(self) -> Iterable[tuple[int, int, int]]:
        """Each stratum that has any: its index, its acceptable answers, and those that are not."""
        for stratum in np.unique(self.strata[self.strata >= 0]).tolist():
            here = self.acceptable[self.strata == stratum]
            yield stratum, int(here.sum()), int((~here).sum())


@dataclass(frozen=True)
class Joined:
    """What some labels say."""

    plans: Mapping[Hashable, PlanTruth]
    """By plan, those that have at least one labelled answer."""
    outcomes: Mapping[LabelOutcome, int]
    """What became of the labels, by those that are `is_of_memory`; empty of none."""


class AnswerMemory:
    """The latest answers of one task, by id and sender.

    To remember costs little per group of answers; the index over their ids is built only when
    labels come. Names longer than `names.MOST_BYTES` are kept as digests. One thread may use it.

    Args:
        task: says what a label may be, and when an answer is acceptable.
        capacity: about so many answers are remembered; the oldest make room, some thousands
            together.
    """

    def __init__(self, task: TaskSpec, capacity: int = 131_072) -> None:
        self._label_index = {label: i for i, label in enumerate(task.labels)}
        self._tolerance = task.tolerance
        self._strata = strata_of(task)
        self._capacity = capacity
        self._block = min(_BLOCK, max(1, capacity // 8))
        self._blocks: list[AnswerBlock] = [AnswerBlock()]
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def remember(self, group: AnswerGroup) -> None:
        """Take note of one group of answers, before they are published: their labels may follow at
        once. Nothing of it may change afterwards."""
        if self._blocks[-1].n >= self._block:
            self._blocks.append(AnswerBlock())
        self._blocks[-1].add(group.bounded())
        self._n += len(group.predicted)
        while self._n > self._capacity and len(self._blocks) > 1:
            self._n -= self._blocks.pop(0).n

    def join(self, labels: Sequence[Label]) -> Joined:
        """Hold labels against the answers that they are about.

        A label names its request by the id and the source. Without a source, the key of the
        request's record takes its place. Without both, the id alone counts, if one sender's
        requests have it. An answer that was given twice is joined once, as it was given last.
        """
        if not labels:
            return Joined({}, {})
        blocks = self._blocks[::-1]
        for block in blocks:
            block.complete_index()
        kinds = (outcome for outcome in LabelOutcome if outcome.is_of_memory)
        outcomes = dict.fromkeys(kinds, 0)
        found: dict[Hashable, tuple[list[float], list[float]]] = {}
        for label in labels:
            truth = self._truth(label)
            if truth is None or label.id is None:
                outcomes[LabelOutcome.INVALID] += 1
                continue
            json_id = bounded_name(_encode_id(label.id))
            holders = _holders(label, json_id, blocks)
            if len(holders) != 1:
                outcomes[_why_not_one(holders, json_id, blocks)] += 1
                continue
            [(origin, block)] = holders.items()
            if any((json_id, origin) in each.labelled for each in blocks):
                outcomes[LabelOutcome.REPEATED] += 1
                continue
            outcomes[LabelOutcome.JOINED] += 1
            plan, predicted = block.label(json_id, origin)
            predictions, truths = found.setdefault(plan, ([], []))
            predictions.append(predicted)
            truths.append(truth)
        return Joined({plan: self._compare(*columns) for plan, columns in found.items()}, outcomes)

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
            labels, answers = np.array(truth, dtype=np.intp), np.array(predicted, dtype=np.intp)
            return PlanTruth(answers == labels, self._strata.of(answers, labels))
        values, answers = np.array(truth, dtype=np.float64), np.array(predicted)
        near = np.abs(answers - values) <= self._tolerance
        return PlanTruth(near, self._strata.of(answers, values))


def _why_not_one(
    holders: Mapping[bytes, AnswerBlock], json_id: bytes, blocks: Sequence[AnswerBlock]
) -> LabelOutcome:
    if holders:
        return LabelOutcome.AMBIGUOUS
    is_known = any(block.origins_of(json_id) for block in blocks)
    return LabelOutcome.MISMATCHED if is_known else LabelOutcome.UNKNOWN


def _holders(
    label: Label, json_id: bytes, blocks: Sequence[AnswerBlock]
) -> Mapping[bytes, AnswerBlock]:
    """By origin, the first of the blocks that holds an answer which the label may be about."""
    source = None if not label.source else bounded_name(b"s" + label.source.encode())
    key = None if label.device is None else bounded_name(label.device.encode(errors=KEY_ERRORS))
    found: dict[bytes, AnswerBlock] = {}
    for block in blocks:
        for origin in block.origins_of(json_id):
            named = origin == POSITION or (
                origin == source
                if source is not None
                else key is None or key == block.key_of(json_id, origin)
            )
            if named:
                found.setdefault(origin, block)
            if len(found) >= _MOST_ORIGINS:
                return found
    return found
