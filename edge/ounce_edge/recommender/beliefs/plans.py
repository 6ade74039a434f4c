"""What can answer a message, and what is believed of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Objective

from ounce_edge.recommender.beliefs.accuracy import AccuracyBeliefs, AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief, excess_ms
from ounce_edge.recommender.beliefs.suspension import SLOW_FACTOR, SLOW_SECONDS, Suspension
from ounce_edge.recommender.beliefs.view import GRID, View

REFRESH_SECONDS = 1.0
"""How often old evidence is forgotten."""
REACH_ITEMS = 1000.0
"""About so many items make the belief of how many go on to a plan's further steps."""
_Z_99 = 2.3263478740408408
"""Quantile of the normal distribution that leaves 1% above."""
_LATELY_S = 1.0
_DRIFT = 0.03
"""A view is made anew when a figure that it was made with has moved by this share, but ..."""
_RENEW_SECONDS = 0.5
"""... at most this often, since at low rates nearly every call moves one so far; and ..."""
_VIEW_MS = 0.25
"""... at once when that changes the time of the call just made by more than this: about what a view
takes when caches are cold."""
_REACH_JUMP = 0.1
"""... or when a reach has moved by this share."""


@dataclass(frozen=True)
class Model:
    """One model that plans may run."""

    name: str
    size_bytes: int
    latency: LatencyBelief
    memory_bytes: int = 0
    watts: float = 1.0
    """Power drawn while it runs; joules are watts times CPU seconds."""
    suspension: Suspension = field(default_factory=Suspension)


@dataclass(frozen=True)
class Step:
    """One model of a plan."""

    model: int
    """Index into the task's models."""
    reach: float = 1.0
    """Share of items that get here."""
    threshold: float | None = None
    """Least confidence at which this step's answer is taken; None for the last step."""


@dataclass(frozen=True)
class Plan:
    """One way to answer: a model, or a cascade that goes on where a step is not confident."""

    name: str
    steps: Sequence[Step]
    accuracy: AccuracyPrior


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
    item_overhead_ms: float


class Plans:
    """The plans of one task that the policy permits, and the beliefs about them.

    Args:
        models: the models that any plan needs.
        plans: what may answer; at least every step's model is in `models`.
        objective: what the lightest plan has least of.

    Raises:
        ValueError: no plan at all.
    """

    def __init__(
        self,
        models: Sequence[Model],
        plans: Sequence[Plan],
        objective: Objective = Objective.CPU_TIME,
    ) -> None:
        if not plans:
            raise ValueError("a task needs at least one plan")
        self.models = tuple(models)
        self.plans = tuple(plans)
        self.objective = objective
        self.accuracy = AccuracyBeliefs([plan.accuracy for plan in plans])
        self.item_overhead_ms = 0.0
        self.tables = Tables.of(self.models, self.plans, objective)
        self._reach = np.ones((len(plans), max(len(plan.steps) for plan in plans)))
        self._view: View | None = None
        self._made_at_s = -np.inf
        self._has_drifted = False
        self._seen: list[tuple[float, float, float]] = []
        """Figures of each model that the view was made with."""
        self._seen_reach = self._reach.copy()
        """Likewise."""
        self._refreshed_at_s = -np.inf
        self.state = self._believe(-np.inf)
        """What the latest view was made of, for a log that its decisions can be made again from."""
        self._slow_since_s: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    def view(self, at_s: float) -> View:
        """What is believed now.

        Args:
            at_s: now, on the clock of `observe_call`, seconds.
        """
        if at_s - self._refreshed_at_s >= REFRESH_SECONDS:
            self._refreshed_at_s = at_s
            for model in self.models:
                model.latency.refresh(at_s)
            self.accuracy.refresh(at_s)
            self._view = None
        if self._has_drifted and at_s - self._made_at_s >= _RENEW_SECONDS:
            self._view = None
        if self._view is None:
            self.state = self._believe(at_s)
            self._view = self.tables.view(self.state)
            self._made_at_s, self._has_drifted = at_s, False
            self._seen = [_figures(m.latency) for m in self.models]
            self._seen_reach[:] = self._reach
        return self._view

    def _believe(self, at_s: float) -> BeliefState:
        factor = self._machine_slowdown(at_s)
        levels = []
        for model in self.models:
            latency = model.latency
            level = latency.level
            if factor > 1.0 and not latency.seen_since(at_s - _LATELY_S):
                level = max(level, latency.usual * factor)
            levels.append(level)
        suspended = [i for i, m in enumerate(self.models) if m.suspension.is_open(at_s)]
        return BeliefState(
            level=levels,
            tail=[m.latency.tail for m in self.models],
            spread=[m.latency.spread for m in self.models],
            accuracy=self.accuracy.value.tolist(),
            accuracy_low=self.accuracy.low.tolist(),
            accuracy_high=self.accuracy.high.tolist(),
            reach=self._reach.tolist(),
            suspended=suspended,
            item_overhead_ms=self.item_overhead_ms,
        )

    def observe_call(self, model: int, n_items: int, elapsed_ms: float, at_s: float) -> None:
        """A call of a model went well: learn its time."""
        latency = self.models[model].latency
        if self.models[model].suspension.on_trial:  # this call is to decide, not those before
            latency.start_over()
        latency.observe(n_items, elapsed_ms, at_s)
        if self._view is not None:
            jump = _VIEW_MS / max(elapsed_ms, 1e-6)
            for now, seen in zip(_figures(latency), self._seen[model], strict=True):
                self._drift(now, seen, jump)

    def observe_reach(self, plan: int, n_items: Sequence[int]) -> None:
        """A plan answered: so many items came to each of the steps that ran. Inputs that are harder
        than validation data send more of them on."""
        weight = min(n_items[0] / REACH_ITEMS, 0.5)
        for k, step in enumerate(self.plans[plan].steps[1:], start=1):
            here = n_items[k] if k < len(n_items) else 0
            share = here / n_items[0] / max(step.reach, 1e-6)
            before = float(self._reach[plan, k])
            now = before + weight * (share - before)
            now = min(max(now, 0.1), 1.0 / max(step.reach, 1e-6))
            self._reach[plan, k] = now
            self._drift(now, float(self._seen_reach[plan, k]), _REACH_JUMP)

    def _drift(self, now: float, seen: float, jump: float) -> None:
        """A figure that the view was made with has moved from `seen` to `now`; `jump` is the share
        from which on that can't wait."""
        moved = abs(now - seen)
        if moved > _DRIFT * seen:
            self._has_drifted = True
            if moved > jump * seen:
                self._view = None

    def observe_overhead(self, n_items: int, elapsed_ms: float) -> None:
        """Learn the time per message beside the model calls: a mean that forgets, of groups large
        enough to tell."""
        per_item_ms = elapsed_ms / n_items
        self.item_overhead_ms += (per_item_ms - self.item_overhead_ms) * min(0.1, n_items / 1000.0)

    def suspend(self, model: int, at_s: float) -> None:
        """Take the plans of a model out of service for a while."""
        self.models[model].suspension.fail(at_s)
        self._view = None

    def restore(self, model: int, at_s: float) -> bool:
        """A call of a model went well; True if it had been suspended."""
        restored = self.models[model].suspension.succeed(at_s)
        if restored:
            self._view = None
        return restored

    def is_out_of_order(self, model: int, at_s: float) -> bool:
        """Whether a model has become far slower while the machine has not, and stays so.

        With no other model seen lately that can't be told from a slow machine: it counts as out of
        order, the others get to run, and their times tell.
        """
        slowdown = self.models[model].latency.slowdown
        if slowdown < SLOW_FACTOR:
            self._slow_since_s.pop(model, None)
            return False
        if at_s - self._slow_since_s.setdefault(model, at_s) < SLOW_SECONDS:
            return False
        others = [
            max(m.latency.slowdown, m.latency.latest_slowdown)
            for i, m in enumerate(self.models)
            if i != model and m.latency.seen_since(at_s - _LATELY_S)
        ]
        return not others or min(others) < slowdown / 2.0

    def forget_slowness(self, model: int) -> None:
        """The machine turned out to be slow, not the model."""
        latency = self.models[model].latency
        latency.usual = latency.level

    def _machine_slowdown(self, at_s: float) -> float:
        """How much slower than usual the models that ran lately are: of two, the less slow."""
        seen = sorted(
            m.latency.slowdown for m in self.models if m.latency.seen_since(at_s - _LATELY_S)
        )
        if not seen or (len(seen) == 1 and seen[0] >= SLOW_FACTOR):
            return 1.0
        return seen[(len(seen) - 1) // 2]


@dataclass(frozen=True)
class Tables:
    """What never changes about the plans, laid out so that a view takes microseconds.

    A plan's time at batch n is the sum over its steps of the model's time at the items that reach
    it: their expected number for the cost, and the 99th percentile of that number for the deadline.
    A step that less than one item is expected to reach runs in that share of the calls.

    Lists have an entry per plan, then per step (as many as the longest plan has), then per batch
    size of `GRID`; plain numbers, so that a log can hold them.
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
        )

    def view(self, state: BeliefState) -> View:
        """The view at one moment."""
        model, expected_ms, most_ms, watts = self._arrays
        level, tail, spread = np.array((state.level, state.tail, state.spread))[:, model, None]
        level = level[:, None, :, 0] * np.array(state.reach)[:, None]
        overhead_ms = GRID * state.item_overhead_ms
        median = (level @ expected_ms)[:, 0]
        p99 = (level @ (most_ms + excess_ms(most_ms, tail, spread)))[:, 0] + overhead_ms
        median_ms = median.tolist()
        if self.objective is Objective.CPU_TIME:
            cost = median_ms
        elif self.objective is Objective.ENERGY:
            cost = (level * watts @ expected_ms)[:, 0].tolist()
        else:
            cost = [[each * float(n) for n in GRID] for each in self.memory_bytes]
        usable = self._all
        if state.suspended:
            out = set(state.suspended)
            usable = [p for p in usable if out.isdisjoint(self.model[p][: self.n_steps[p]])]
        return View(
            names=self.names,
            p99_ms=p99.tolist(),
            usual_ms=(median + overhead_ms).tolist(),
            cost=cost,
            median_ms=median_ms,
            accuracy=state.accuracy,
            accuracy_low=state.accuracy_low,
            accuracy_high=state.accuracy_high,
            size_bytes=self.size_bytes,
            is_single=self._is_single,
            usable=usable or self._all,  # something has to answer
        )

    @cached_property
    def _arrays(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        return (
            np.array(self.model, dtype=np.intp),
            np.array(self.expected_ms),
            np.array(self.most_ms),
            np.array(self.watts)[:, None] / 1e3,
        )

    @cached_property
    def _all(self) -> Sequence[int]:
        return list(range(len(self.names)))

    @cached_property
    def _is_single(self) -> Sequence[bool]:
        return [n == 1 for n in self.n_steps]


def _figures(latency: LatencyBelief) -> tuple[float, float, float]:
    return latency.level, latency.tail, 1.0 + latency.spread


def _memory_bytes(model: Model) -> int:
    """Resident memory; the file's size where the system does not tell."""
    return model.memory_bytes or model.size_bytes


def _most_items(reach: float) -> NDArray[np.float64]:
    """99th percentile of how many of a batch's items get to a step, per batch size of `GRID`."""
    spread = _Z_99 * np.sqrt(GRID * reach * (1.0 - reach))
    most = np.minimum(np.ceil(GRID * reach + spread), GRID)
    likely = 1.0 - (1.0 - reach) ** GRID > 0.01  # that any item gets there
    return np.where(likely, np.maximum(most, 1.0), 0.0)
