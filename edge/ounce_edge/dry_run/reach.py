"""Which targets the plans of some messages meet, as their cards promise."""

from typing import NamedTuple

from ounce_edge.recommender.beliefs.view import View


class Nearest(NamedTuple):
    """What can be had instead of two targets that no plan meets."""

    latency_ms: float | None
    """The tightest deadline with the same floor; None: no plan keeps that floor."""
    accuracy: float | None
    """The highest floor with the same deadline; None: no plan is that quick."""


def nearest(view: View, max_latency_ms: float, min_accuracy: float) -> Nearest | None:
    """Nearest targets that a plan meets for one message alone; None: one meets these."""
    accurate = [p for p in view.usable if view.accuracy_low[p] >= min_accuracy]
    quick = [p for p in view.usable if view.calls[p, 1].finish_ms <= max_latency_ms]
    if set(accurate) & set(quick):
        return None
    return Nearest(
        min((view.calls[p, 1].finish_ms for p in accurate), default=None),
        max((view.accuracy_low[p] for p in quick), default=None),
    )
