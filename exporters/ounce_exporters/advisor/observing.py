"""What a worker's recorded decisions say of its ladder: what never answers, what nothing meets."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ounce_edge.evidence.decision_entry import DecisionEntry, LogHeader
from ounce_schemas.wording import counted, figure

_WORTH_IT = 0.01
"""Share of messages from which it is worth training something."""


@dataclass(frozen=True)
class Observed:
    """Counts over all recorded answers."""

    answers: dict[str, int]
    """By plan, also those that never answer."""
    idle_models: tuple[str, ...]
    """Models of which no plan that has them answered."""
    unmet: dict[float, int]
    """Messages by floor, where no plan was sure to keep it."""
    late: int
    """Messages whose floor some plan keeps, but none in time."""
    late_ms: float | None
    """Median time that was left to them."""
    past: int
    """Messages whose deadline had passed before they were decided."""
    sure: dict[str, float]
    """Accuracy that each plan was sure to reach at last, with the labels that had come."""

    @property
    def n(self) -> int:
        """Messages."""
        return sum(self.answers.values())


def observe(decisions: Iterable[tuple[LogHeader, DecisionEntry]]) -> Observed:
    """Count what was decided of messages that were answered.

    Args:
        decisions: of one task, the oldest first.
    """
    answers: Counter[str] = Counter()
    unmet: Counter[float] = Counter()
    late: list[float] = []
    past = 0
    working: set[str] = set()
    every_model: dict[str, None] = {}
    sure: dict[str, float] = {}
    for header, entry in decisions:
        tables = header.tables
        view = header.view(entry.route, entry.state)
        names = [name for name, _ in header.models] or _models_of(tables.names)
        every_model.update(dict.fromkeys(names))
        answers.update(dict.fromkeys(tables.names, 0))
        sure = dict(zip(tables.names, view.accuracy_low, strict=True))
        most = max((view.accuracy_low[p] for p in view.usable), default=0.0)
        floors, left_ms = entry.floors(), entry.remaining()
        answered = set(np.frombuffer(entry.answered, "<i4").tolist())
        for plan, choice, items in entry.schedule_groups():
            here = [item for item in items if item in answered]
            if not here:
                continue
            name = tables.names[plan]
            answers[name] += len(here)
            working.update(_models_of([name]))
            for item in here:
                if left_ms[item] <= 0:
                    past += 1
                elif floors[item] > most:
                    unmet[float(floors[item])] += 1
                elif choice.is_fallback:
                    late.append(float(left_ms[item]))
    return Observed(
        dict(answers),
        tuple(name for name in every_model if name not in working),
        dict(unmet),
        len(late),
        float(np.median(late)) if late else None,
        past,
        sure,
    )


def next_training(found: Observed) -> list[str]:
    """What to do next, a line each."""
    lines = [
        f"{name} never answers: take it out, or lower what it costs" for name in found.idle_models
    ]
    n = max(found.n, 1)
    n_unmet = sum(found.unmet.values())
    if n_unmet > _WORTH_IT * n:
        floor = max(found.unmet)
        best = max(found.sure, key=found.sure.__getitem__)
        lines.append(
            f"{n_unmet:,} of {counted(found.n, 'message')} asked for more than any plan is sure "
            "to reach (floors "
            f"up to {floor:g}; {best} is sure of {found.sure[best]:.4f}): train a more accurate "
            "model, with more rows, or with --tune"
        )
    if found.late > _WORTH_IT * n:
        left_ms = figure(found.late_ms or 0.0)
        lines.append(
            f"{found.late} of {found.n} messages have too little time for a plan that keeps their "
            f"floor (median {left_ms} ms left): train a lighter model: ounce advise "
            f"--max-latency-ms {left_ms.replace(',', '')}"
        )
    if found.past > _WORTH_IT * n:
        lines.append(
            f"{found.past} of {found.n} messages were past their deadline before the worker had "
            "them, which no model mends: see whether devices send late, a backlog waited, or "
            "clocks differ"
        )
    return lines or ["nothing to train: every model answers, floors and deadlines are met"]


def _models_of(plans: Sequence[str]) -> list[str]:
    """Models by the names of plans: those of a cascade stand between >, its thresholds after @."""
    return list(dict.fromkeys(model for plan in plans for model in plan.split("@")[0].split(">")))
