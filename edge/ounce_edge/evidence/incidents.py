"""Noticing what people should know: models that fail or slow down, floors that nothing meets,
overloads that last."""

import logging

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.event import EventKind

from ounce_edge.models.execution import Outcome
from ounce_edge.pipeline.reports import Happening
from ounce_edge.recommender.beliefs.plans import Plans
from ounce_edge.recommender.beliefs.view import View

logger = logging.getLogger(__name__)

MOST_FLOORS = 64
"""Floors come from outside: so many are watched, others only counted as misses."""


CALM_S = 1.0
"""An overload is over when it has not come back for so long."""


class Vigilance:
    """Watches one task's models and floors, and keeps the plans' beliefs up to date."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans
        self._highest_promised = max(plan.accuracy.low for plan in plans.plans)
        self._unreachable: set[float] = set()
        self._moved = plans.accuracy.moved
        self._overloaded_at_s: float | None = None
        """When an overload lasted last, where people think that it does."""

    def learn(self, plan: int, outcome: Outcome) -> list[Happening]:
        """Learn from a group's calls; tell of models that went out of service or came back."""
        plans, told = self._plans, list[Happening]()
        # A sample with too many of the answers that took one step, or none of those that needed
        # time which was lacking, would pass for a shift of the inputs: all of a group, or nothing.
        if not outcome.failures and not any(part.cut_short for part in outcome.answered):
            plans.accuracy.observe_answers(plan, outcome.result)
        if outcome.calls and len(plans[plan].steps) > 1:
            plans.observe_reach(plan, [call.n for call in outcome.calls])
        failed = {failure.model for failure in outcome.failures if failure.is_models_fault}
        for call in outcome.calls:
            if call.model in failed:
                continue
            model = plans.models[call.model]
            plans.observe_call(call.model, call.n, call.run_ms, call.ended_at_s)
            if plans.is_out_of_order(call.model, call.ended_at_s) and self.others_serve(call.model):
                text = (
                    f"takes {model.latency.slowdown:.1f} times as long as it usually does, and "
                    "other models do not"
                )
                told.append(self._suspend(call.model, call.ended_at_s, text))
            elif plans.restore(call.model, call.ended_at_s):
                told.append(
                    Happening(
                        EventKind.MODEL_RESTORED, model.name, f"model {model.name} answers again"
                    )
                )
        for failure in outcome.failures:
            if failure.is_models_fault:
                told.append(self._suspend(failure.model, failure.at_s, failure.text))
            else:
                logger.warning(
                    "model %s %s for %d inputs, and answers others",
                    plans.models[failure.model].name,
                    failure.text,
                    len(failure.items),
                )
        return told

    def others_serve(self, model: int) -> bool:
        """Whether a plan in service does without a model."""
        return any(
            not any(
                step.model == model or self._plans.models[step.model].suspension.on_trial
                for step in plan.steps
            )
            for plan in self._plans.plans
        )

    def look_at_floors(self, view: View, floors: NDArray[np.float64]) -> list[Happening]:
        """Tell of accuracy floors that some plan met once and none meets now, or one again."""
        highest, told = view.highest_floor, list[Happening]()
        if highest < self._highest_promised and floors.max() > highest:
            for floor in np.unique(floors[floors > highest]).tolist():
                new = floor <= self._highest_promised and floor not in self._unreachable
                if new and len(self._unreachable) < MOST_FLOORS:
                    self._unreachable.add(floor)
                    text = (
                        f"no plan meets accuracy {floor:g} any more; the best is believed to reach "
                        f"{highest:.4f}"
                    )
                    told.append(Happening(EventKind.FLOOR_UNREACHABLE, f"{floor:g}", text))
        for floor in [f for f in self._unreachable if f <= highest]:
            self._unreachable.remove(floor)
            text = f"accuracy {floor:g} is met again"
            told.append(Happening(EventKind.FLOOR_REACHABLE, f"{floor:g}", text))
        return told

    def look_at_accuracy(self) -> list[Happening]:
        """Tell of plans whose accuracy is believed to be other than validation data said."""
        beliefs, told = self._plans.accuracy, list[Happening]()
        if beliefs.moved is self._moved:
            return told
        for p in np.flatnonzero(beliefs.moved != self._moved).tolist():
            plan = self._plans[p]
            said = f"{plan.accuracy.value:.4f} of validation data"
            text = (
                f"plan {plan.name} is believed to reach accuracy {beliefs.value[p]:.4f} "
                f"({beliefs.low[p]:.4f} to {beliefs.high[p]:.4f}) instead of the {said}"
                if beliefs.moved[p]
                else f"plan {plan.name} is believed to reach the accuracy {said} again"
            )
            told.append(Happening(EventKind.ACCURACY_CHANGED, plan.name, text))
        self._moved = beliefs.moved
        return told

    def look_at_overload(self, lasts: bool, at_s: float) -> list[Happening]:
        """Tell of an overload that lasts, or is over.

        Args:
            lasts: as `Overload` says.
            at_s: now, on any steady clock.
        """
        before_s = self._overloaded_at_s
        if lasts:
            self._overloaded_at_s = at_s
            if before_s is None:
                text = "late requests pile up: more comes than can be answered as asked"
                return [Happening(EventKind.OVERLOAD, "requests", text)]
        elif before_s is not None and at_s - before_s >= CALM_S:
            self._overloaded_at_s = None
            text = "late requests pile up no more"
            return [Happening(EventKind.OVERLOAD_OVER, "requests", text)]
        return []

    def _suspend(self, model: int, at_s: float, text: str) -> Happening:
        name = self._plans.models[model].name
        self._plans.suspend(model, at_s)
        return Happening(EventKind.MODEL_SUSPENDED, name, f"model {name} {text}")
