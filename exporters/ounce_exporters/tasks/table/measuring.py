"""What a table's task promises, where it is another measure than plain accuracy."""

from dataclasses import replace

import numpy as np
from ounce_edge.recommender.beliefs.measures import wilson_of_few
from ounce_schemas.errors import DataError
from ounce_schemas.measure import Measure
from ounce_schemas.wording import counted

from ounce_exporters.export.weighing import fewest_items
from ounce_exporters.ladder.recipe import TaskData

_FEW = 100
"""With fewer rows that count, the bound of a promise is far below what is reached."""
_RARE = 0.1
"""A class with a smaller share of the rows than this part of an even share is rare."""
_FREQUENT = 0.9


def with_measure(data: TaskData, measure: Measure) -> tuple[TaskData, tuple[str, ...]]:
    """The same task with a measure, and lines about what it can't promise.

    Raises:
        DataError: the task has no such class, or no classes at all.
    """
    if measure.is_plain:
        return data, _advice(data)
    labels = data.spec.labels
    if not labels:
        raise DataError(f"--measure {measure.kind} is for classes: the target is a quantity")
    if measure.label not in (None, *labels):
        shown = ", ".join(map(repr, labels[:10])) + (" and others" if len(labels) > 10 else "")
        raise DataError(f"--measure: {measure.label!r} is no class of the target: it has {shown}")
    counts = np.bincount(data.validation.targets, minlength=len(labels))
    counts_by_label = dict(zip(labels, counts.tolist(), strict=True))
    judged = labels if measure.label is None else (measure.label,)
    absent = [label for label in judged if counts_by_label[label] == 0]
    if absent:
        raise DataError(
            f"--measure: no row of class {absent[0]!r} is left to validate with: nothing can be "
            "promised of it; give more rows or another split"
        )
    spec = data.spec.model_copy(update={"measure": measure})
    fewest = min(judged, key=counts_by_label.__getitem__)
    return replace(data, spec=spec), _limits(measure, fewest, counts_by_label)


def _limits(measure: Measure, fewest: str, counts: dict[str, int]) -> tuple[str, ...]:
    lines = []
    n = counts[fewest]
    if n < _FEW:
        most = wilson_of_few(1.0, n)[0]
        what = "a recall" if measure.kind == "recall" else "a share of right answers"
        lines.append(
            f"only {counted(n, 'row')} of class {fewest!r} for validation: of so few, {what} of "
            f"at most {most:.2f} can be promised, also where none is missed"
        )
    if measure.false_alarms is not None:
        others = sum(counts.values()) - counts[str(measure.label)]
        needed = fewest_items(measure.false_alarms)
        if others < needed:
            lines.append(
                f"{counted(others, 'row of another class is', 'rows of other classes are')} too "
                "few to show that false alarms stay at "
                f"{measure.false_alarms:g} or less ({needed} are needed): the models are set so "
                "that none of these rows is a false alarm"
            )
    return tuple(lines)


def _advice(data: TaskData) -> tuple[str, ...]:
    """Where a class is rare, accuracy hardly tells whether it is found."""
    labels = data.spec.labels
    if not labels or data.spec.kind in ("anomaly", "clusters"):
        return ()
    counts = np.bincount(data.train.targets, minlength=len(labels))
    share, rare = counts.max() / counts.sum(), labels[int(counts.argmin())]
    if share <= _FREQUENT and counts.min() * len(labels) / counts.sum() >= _RARE:
        return ()
    constant = (
        f"{share:.1%} of the rows are {labels[int(counts.argmax())]!r}: a constant guess is as "
        "accurate, so "
        if share > _FREQUENT
        else f"{counts.min() / counts.sum():.2%} of the rows are {rare!r}: "
    )
    return (
        f"{constant}accuracy says little of {rare!r}: ask for --measure 'recall:{rare}@0.01' (at "
        f"most 1% false alarms), 'f1:{rare}' or balanced-accuracy (--class-weights balanced "
        "favours rare classes while training)",
    )
