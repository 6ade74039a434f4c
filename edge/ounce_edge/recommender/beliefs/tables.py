"""What a view is made from: tables that never change, and the beliefs of one moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Objective

from ounce_edge.recommender.beliefs.latency import excess_ms
from ounce_edge.recommender.beliefs.plans import Model, Plan
from ounce_edge.recommender.beliefs.view import GRID, View

_Z_99 = 2.3263478740408408
"""Quantile of the normal distribution that leaves 1% above."""


@dataclass(frozen=True)
class BeliefState:
    """The part of a view that changes; with the plans it gives the view again."""

    level: Sequence[float]
    """Per model: median time over the profile's."""
    tail: Sequence[float]
    """Per model: 99th percentile of the time over its median, by the profile."""
    spread: Sequence[float]
    """Per model: 99th percentile of the time of a call of 1 ms less its median, as seen."""
    accuracy: Sequence[float]
    accuracy_low: Sequence[float]
    accuracy_high: Sequence[float]
    reach: Sequence[Sequence[float]]
    """Per plan and step: items that reach it lately, over those that do on validation data."""
    suspended: Sequence[int]
    """Models that are out of the plans."""
    group_overhead_ms: float
    """Time of a group of messages beside its model calls, however few they are."""
    item_overhead_ms: float
    """Time of each of its messages beside that."""
    load_ms: Sequence[float] = ()
    """Per model: time until it is loaded, 0 where it is; empty where all are."""


@dataclass(frozen=True)
class Tables:
    """What never changes about the plans, laid out so that a view takes microseconds.

    A plan's time at batch n is the sum over its steps of the model's time at the items that reach
    it. The cost counts their expected number, the deadline its 99th percentile. A step that less
    than one item is expected to reach runs in that share of the calls.

    Lists have an entry per plan, then per step (as many as the longest plan has), then per batch
    size of `GRID`. They hold plain numbers, so that a log can hold them.
    """

    names: Sequence[str]
    objective: Objective
    n_steps: Sequence[int]
    model: Sequence[Sequence[int]]
    expected_ms: Sequence[Sequence[Sequence[float]]]
    most_ms: Sequence[Sequence[Sequence[float]]]
    watts: Sequence[Sequence[float]]
    size_bytes: Sequence[int]
    memory_bytes: Sequence[float]
    price_per_ms: Sequence[Sequence[float]]
    permitted: Sequence[int] | None = None
    """Plans that may answer; None: all of them."""

    @classmethod
    def of(cls, models: Sequence[Model], plans: Sequence[Plan], objective: Objective) -> Self:
        """Lay out plans of some models."""
        most_steps = max(len(plan.steps) for plan in plans)
        shape = (len(plans), most_steps, len(GRID))
        expected_ms, most_ms = np.zeros(shape), np.zeros(shape)
        model: NDArray[np.intp] = np.zeros(shape[:2], dtype=np.intp)
        for p, plan in enumerate(plans):
            for k, step in enumerate(plan.steps):
                latency = models[step.model].latency
                expected, most = step.reach * GRID, _most_items(step.reach)
                model[p, k] = step.model
                expected_ms[p, k] = latency.profile_ms(np.maximum(expected, 1.0))
                expected_ms[p, k] *= np.minimum(expected, 1.0)
                most_ms[p, k] = latency.profile_ms(most) * (most > 0)
        return cls(
            names=[plan.name for plan in plans],
            objective=objective,
            n_steps=[len(plan.steps) for plan in plans],
            model=model.tolist(),
            expected_ms=expected_ms.tolist(),
            most_ms=most_ms.tolist(),
            watts=np.array([m.watts for m in models])[model].tolist(),
            size_bytes=[sum(models[s.model].size_bytes for s in p.steps) for p in plans],
            memory_bytes=[
                float(sum(_memory_bytes(models[s.model]) for s in p.steps)) for p in plans
            ],
            price_per_ms=np.array([m.price_per_ms for m in models])[model].tolist(),
        )

    def view(self, state: BeliefState) -> View:
        """The view at one moment."""
        model, expected_ms, most_ms, per_ms = self._arrays
        level, tail, spread = np.array((state.level, state.tail, state.spread))[:, model, None]
        level = level[:, None, :, 0] * np.array(state.reach)[:, None]
        overhead_ms = state.group_overhead_ms + GRID * state.item_overhead_ms
        median = (level @ expected_ms)[:, 0]
        p99 = (level @ (most_ms + excess_ms(most_ms, tail, spread)))[:, 0] + overhead_ms
        usual = median + overhead_ms
        cold: frozenset[int] = frozenset()
        if any(state.load_ms):
            load_ms = [self._load_ms(p, state.load_ms) for p in self._all]
            cold = frozenset(p for p in self._all if load_ms[p])
            usual, p99 = usual + np.array(load_ms)[:, None], p99 + np.array(load_ms)[:, None]
        median_ms = median.tolist()
        if self.objective is Objective.CPU_TIME:
            cost = median_ms
        elif self.objective is not Objective.MEMORY:
            cost = (level * per_ms @ expected_ms)[:, 0].tolist()
        else:
            cost = [[each * float(n) for n in GRID] for each in self.memory_bytes]
        usable = permitted = self._all if self.permitted is None else self.permitted
        if state.suspended:
            out = set(state.suspended)
            usable = [p for p in usable if out.isdisjoint(self.model[p][: self.n_steps[p]])]
        return View(
            names=self.names,
            p99_ms=p99.tolist(),
            usual_ms=usual.tolist(),
            cost=cost,
            median_ms=median_ms,
            accuracy=state.accuracy,
            accuracy_low=state.accuracy_low,
            accuracy_high=state.accuracy_high,
            size_bytes=self.size_bytes,
            is_single=self._is_single,
            usable=usable or permitted,  # something has to answer
            permitted=permitted,
            cold=cold,
        )

    def _load_ms(self, plan: int, load_ms: Sequence[float]) -> float:
        """Time until all models of a plan are loaded: one after another."""
        return sum({m: load_ms[m] for m in self.model[plan][: self.n_steps[plan]]}.values())

    @cached_property
    def _arrays(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        joules = np.array(self.watts) / 1e3
        return (
            np.array(self.model, dtype=np.intp),
            np.array(self.expected_ms),
            np.array(self.most_ms),
            np.array(self.price_per_ms if self.objective is Objective.PRICE else joules)[:, None],
        )

    @cached_property
    def _all(self) -> Sequence[int]:
        return list(range(len(self.names)))

    @cached_property
    def _is_single(self) -> Sequence[bool]:
        return [n == 1 for n in self.n_steps]


def _memory_bytes(model: Model) -> int:
    """Resident memory; the file's size where the system does not tell."""
    return model.memory_bytes or model.size_bytes


def _most_items(reach: float) -> NDArray[np.float64]:
    """99th percentile of how many of a batch's items get to a step, per batch size of `GRID`."""
    spread = _Z_99 * np.sqrt(GRID * reach * (1.0 - reach))
    most = np.minimum(np.ceil(GRID * reach + spread), GRID)
    likely = 1.0 - (1.0 - reach) ** GRID > 0.01  # that any item gets there
    return np.where(likely, np.maximum(most, 1.0), 0.0)
