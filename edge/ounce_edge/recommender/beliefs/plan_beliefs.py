"""The plans of one task, and what is believed of them as calls, answers and labels come."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from ounce_schemas.routing import Objective

from ounce_edge.recommender.beliefs.accuracy import AccuracyBeliefs
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.measures import PLAIN, Strata
from ounce_edge.recommender.beliefs.overhead import OverheadBelief
from ounce_edge.recommender.beliefs.plans import Model, Plan
from ounce_edge.recommender.beliefs.suspension import SLOW_FACTOR, SLOW_MS, SLOW_SECONDS
from ounce_edge.recommender.beliefs.tables import BeliefState, Tables
from ounce_edge.recommender.beliefs.view import View

REFRESH_SECONDS = 1.0
"""How often old evidence is forgotten."""
REACH_ITEMS = 1000.0
"""About so many items make the belief of how many go on to a plan's further steps."""
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


class Plans:
    """The plans of one task that the policy permits, and the beliefs about them.

    Args:
        models: the models that any plan needs.
        plans: what may answer; at least every step's model is in `models`.
        objective: what the lightest plan has least of.
        strata: of the task's measure.
        explained_by: of models, the one that answers so too and explains its answers.

    Raises:
        ValueError: no plan at all.
    """

    def __init__(
        self,
        models: Sequence[Model],
        plans: Sequence[Plan],
        objective: Objective = Objective.CPU_TIME,
        strata: Strata = PLAIN,
        explained_by: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        if not plans:
            raise ValueError("a task needs at least one plan")
        self.models = tuple(models)
        self.plans = tuple(plans)
        self.accuracy = AccuracyBeliefs([plan.accuracy for plan in plans], strata)
        self.overhead = OverheadBelief()
        self.tables = Tables.of(self.models, self.plans, objective)
        found = [plan.explained(explained_by) for plan in self.plans]
        self.explaining = [i for i, plan in enumerate(found) if plan is not None]
        """Plans all of whose models explain their answers, ascending."""
        self.explained_plans = [e or p for e, p in zip(found, self.plans, strict=True)]
        """By plan: the same with models that explain, where all of them do."""
        self.explained_tables = Tables.of(self.models, self.explained_plans, objective)
        self._reach = np.ones((len(plans), max(len(plan.steps) for plan in plans)))
        self._load_ms: tuple[float, ...] = (0.0,) * len(self.models)
        self._view: tuple[BeliefState, View] | None = None
        self._is_stale = True
        """Whether the state has to be made anew at the next look."""
        self._made_at_s = -np.inf
        self._has_drifted = False
        self._seen: list[tuple[float, float, float]] = []
        """Figures of each model that the view was made with."""
        self._seen_reach = self._reach.copy()
        """Likewise."""
        self._refreshed_at_s = -np.inf
        self.state = self._state_at(-np.inf)
        """What the latest view is made of, for a log that its decisions can be made again from."""
        self._slow_since_s: dict[int, float] = {}

    def believe_loads(self, load_ms: Sequence[float]) -> None:
        """Per model, the time until it is loaded, milliseconds; 0 where it is."""
        if tuple(load_ms) != self._load_ms:
            self._load_ms = tuple(load_ms)
            self._is_stale = True

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, index: int) -> Plan:
        return self.plans[index]

    @property
    def posteriors(self) -> Sequence[tuple[float, float]]:
        """Per plan, parameters of the Beta distribution of its accuracy."""
        return [self.accuracy.posterior(p) for p in range(len(self.plans))]

    @property
    def worse_models(self) -> set[int]:
        """Models that labels speak against: those of plans whose labels contradict validation data
        for the worse, without those that do well alone. A cascade with a model that is worse alone
        says nothing of its others."""
        accuracy = self.accuracy
        refuted, vouched = (
            [{step.model for step in self.plans[p].steps} for p in np.flatnonzero(plans)]
            for plans in (accuracy.refuted, accuracy.vouched)
        )
        alone = {model for models in refuted if len(models) == 1 for model in models}
        others = {model for models in refuted if not models & alone for model in models}
        well = {model for models in vouched if len(models) == 1 for model in models}
        return alone | others - well

    def view(self, at_s: float) -> View:
        """What is believed now of all plans.

        Args:
            at_s: now, on the clock of `observe_call`, seconds.
        """
        state = self.renew_state(at_s)
        if self._view is None or self._view[0] is not state:
            self._view = state, self.tables.view(state)
        return self._view[1]

    def renew_state(self, at_s: float) -> BeliefState:
        """What is believed now; the same object while nothing that matters has changed.

        Args:
            at_s: now, on the clock of `observe_call`, seconds.
        """
        if at_s - self._refreshed_at_s >= REFRESH_SECONDS:
            self._refreshed_at_s = at_s
            for model in self.models:
                model.latency.refresh(at_s)
            self.accuracy.refresh(at_s)
            self._is_stale = True
        if self._has_drifted and at_s - self._made_at_s >= _RENEW_SECONDS:
            self._is_stale = True
        if self._is_stale:
            self.state = self._state_at(at_s)
            self._made_at_s, self._has_drifted, self._is_stale = at_s, False, False
            self._seen = [_figures(m.latency) for m in self.models]
            self._seen_reach[:] = self._reach
        return self.state

    def _state_at(self, at_s: float) -> BeliefState:
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
            group_overhead_ms=self.overhead.group_ms,
            item_overhead_ms=self.overhead.item_ms,
            load_ms=self._load_ms if any(self._load_ms) else (),
        )

    def inherit(self, before: "Plans", models: Mapping[int, int], plans: Mapping[int, int]) -> None:
        """Go on with what is believed of plans that these replace. Beliefs of latency are the
        models' own.

        Args:
            before: the other plans.
            models: of models that are there too, their index there by the one here.
            plans: of plans that run the same models, likewise.
        """
        self.accuracy.inherit(before.accuracy, plans)
        self.overhead = before.overhead
        for model, was in models.items():
            self.models[model].suspension.inherit(before.models[was].suspension)
        for plan, was in plans.items():
            n_steps = len(self.plans[plan].steps)
            self._reach[plan, :n_steps] = before._reach[was, :n_steps]
        self._is_stale = True

    def observe_call(self, model: int, n_items: int, elapsed_ms: float, at_s: float) -> None:
        """A call of a model went well: learn its time."""
        latency = self.models[model].latency
        if self.models[model].suspension.on_trial:  # this call is to decide, not those before
            latency.start_over()
        latency.observe(n_items, elapsed_ms, at_s)
        if not self._is_stale:
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
                self._is_stale = True

    def suspend(self, model: int, at_s: float) -> None:
        """Take the plans of a model out of service for a while."""
        self.models[model].suspension.fail(at_s)
        self._is_stale = True

    def restore(self, model: int, at_s: float) -> bool:
        """A call of a model went well; True if it had been suspended."""
        restored = self.models[model].suspension.succeed(at_s)
        if restored:
            self._is_stale = True
        return restored

    def is_out_of_order(self, model: int, at_s: float) -> bool:
        """Whether a model has become far slower while the machine has not, and stays so.

        Where no other model was seen lately, that can't be told from a slow machine. The model then
        counts as out of order. The others get to run, and their times tell.
        """
        latency = self.models[model].latency
        slowdown = latency.slowdown
        if slowdown < SLOW_FACTOR or latency.slower_by_ms < SLOW_MS:
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

    def _machine_slowdown(self, at_s: float) -> float:
        """How much slower than usual the models that ran lately are: of two, the less slow."""
        seen = sorted(
            m.latency.slowdown for m in self.models if m.latency.seen_since(at_s - _LATELY_S)
        )
        if not seen or (len(seen) == 1 and seen[0] >= SLOW_FACTOR):
            return 1.0
        return seen[(len(seen) - 1) // 2]


def _figures(latency: LatencyBelief) -> tuple[float, float, float]:
    return latency.level, latency.tail, 1.0 + latency.spread
