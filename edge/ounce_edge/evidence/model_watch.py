"""Noticing that models fail or slow down, and that plans achieve other than was believed."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from ounce_schemas.event import EventKind

from ounce_edge.evidence.incidents import Incident
from ounce_edge.models.execution import Outcome
from ounce_edge.models.halving import FAILED_ALONE
from ounce_edge.recommender.beliefs.plan_beliefs import Plans

logger = logging.getLogger(__name__)

ACCURACY_EVERY_S = 60.0
"""Accuracies that changed are told at most so often: while inputs or labels shift, a belief goes to
and fro between both sides of what was promised."""
_MOST_NAMED = 5
"""Plans that one event tells of in full."""


class ModelWatch:
    """Watches one edition's models and plans, and keeps what is believed of them up to date.

    Args:
        plans: of the edition.
        task: its name.
        released: of each model, the name and the version that releases have it by. One file on the
            CPU and on the GPU has one name there.
    """

    def __init__(self, plans: Plans, task: str, released: Sequence[tuple[str, str]]) -> None:
        self._plans, self._task, self._released = plans, task, released
        self._looked_at = plans.accuracy.refuted
        """What was looked at last for models that are worse."""
        self._told_worse = set[int]()
        """Models that people were told of."""
        self._told = plans.accuracy.moved
        """Whose accuracy people think has changed."""
        self._told_at_s = -math.inf
        self._failed_in_a_row: dict[int, int] = {}
        """By model, inputs that it failed on since it answered one, where there are any."""

    def inherit(
        self, before: "ModelWatch", models: Mapping[int, int], plans: Mapping[int, int]
    ) -> None:
        """Go on where another watch ends: what it had no time to tell is told here.

        Args:
            before: the other watch.
            models: of models that are there too, their index there by the one here.
            plans: of plans that run the same models, likewise.
        """
        self._told_worse = {m for m, was in models.items() if was in before._told_worse}
        self._told, self._told_at_s = self._plans.accuracy.moved.copy(), before._told_at_s
        for plan, was in plans.items():
            if self._plans[plan].accuracy == before._plans[was].accuracy:
                self._told[plan] = before._told[was]

    def blame(self, outcome: Outcome) -> None:
        """Inputs that a model fails on come one by one, and it answers none between: then the model
        is at fault, although it answers its own sample. Says so in the outcome's failures."""
        if not outcome.failures and not self._failed_in_a_row:
            return
        n_answered = max((answered.n_steps for answered in outcome.answered), default=0)
        for call in outcome.calls:
            if call.step < n_answered:
                self._failed_in_a_row.pop(call.model, None)
        for i, failure in enumerate(outcome.failures):
            if failure.is_models_fault:
                continue
            n_failed = self._failed_in_a_row.get(failure.model, 0) + len(failure.items)
            if any(answered.model == failure.model for answered in outcome.answered):
                n_failed = 0
            if n_failed:
                self._failed_in_a_row[failure.model] = n_failed
            if n_failed >= FAILED_ALONE:
                outcome.failures[i] = replace(failure, is_models_fault=True)

    def learn_outcome(
        self, plan: int, outcome: Outcome, permitted: Sequence[int] | None = None
    ) -> list[Incident]:
        """Learn from a group's calls; gives models that went out of service or came back.

        Args:
            plan: that answered.
            outcome: of the calls.
            permitted: plans that may answer such messages; None: all.
        """
        plans, incidents = self._plans, list[Incident]()
        # All of a group, or nothing. A sample with too many answers of one step, or without those
        # that there was no time for, would pass for a shift of the inputs.
        is_whole = not outcome.failures and not len(outcome.put_off)
        if is_whole and not any(part.cut_short for part in outcome.answered):
            plans.accuracy.observe_answers(plan, outcome.result)
        if outcome.calls and len(plans[plan].steps) > 1:
            plans.observe_reach(plan, outcome.n_of_steps())
        failed = {failure.model for failure in outcome.failures if failure.is_models_fault}
        for call in outcome.calls:
            if call.model in failed:
                continue
            model = plans.models[call.model]
            plans.observe_call(call.model, call.n, call.run_ms, call.ended_at_s)
            if plans.is_out_of_order(call.model, call.ended_at_s) and self.others_serve(
                call.model, permitted
            ):
                text = (
                    f"takes {model.latency.slowdown:.1f} times as long as it usually does, and "
                    "other models do not"
                )
                incidents.append(self._suspend(call.model, call.ended_at_s, text))
            elif plans.restore(call.model, call.ended_at_s):
                incidents.append(
                    Incident(
                        EventKind.MODEL_RESTORED, model.name, f"model {model.name} answers again"
                    )
                )
        for failure in outcome.failures:
            if failure.is_models_fault:
                incidents.append(self._suspend(failure.model, failure.at_s, failure.text))
            else:
                logger.warning(
                    "model %s %s for %d inputs, and answers others",
                    plans.models[failure.model].name,
                    failure.text,
                    len(failure.items),
                )
        return incidents

    def others_serve(self, model: int, permitted: Sequence[int] | None = None) -> bool:
        """Whether a plan in service, of those that are permitted, does without a model."""
        plans = self._plans.plans
        some = plans if permitted is None else [plans[p] for p in permitted]
        return any(
            not any(
                step.model == model or self._plans.models[step.model].suspension.on_trial
                for step in plan.steps
            )
            for plan in some
        )

    def look_at_accuracy(self, at_s: float) -> list[Incident]:
        """Tell of plans whose accuracy is believed to be other than validation data said, or no
        longer: of all at once, and of what has changed since only after a while.

        Args:
            at_s: now, on any steady clock.
        """
        moved = self._plans.accuracy.moved
        if moved is self._told or at_s - self._told_at_s < ACCURACY_EVERY_S:
            return []
        changed = np.flatnonzero(moved != self._told).tolist()
        self._told = moved
        if not changed:
            return []
        self._told_at_s = at_s
        subject = self._plans[changed[0]].name if len(changed) == 1 else "plans"
        more = f"; and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
        text = "; ".join(map(self._accuracy_text, changed[:_MOST_NAMED])) + more
        return [Incident(EventKind.ACCURACY_CHANGED, subject, text)]

    def look_at_worse(self) -> list[Incident]:
        """Tell of models whose labels contradict their cards for the worse, of each once."""
        if self._plans.accuracy.refuted is self._looked_at:
            return []
        self._looked_at = self._plans.accuracy.refuted
        incidents = []
        for m in sorted(self._plans.worse_models - self._told_worse):
            name, _ = self._released[m]
            if all(self._released[told] != self._released[m] for told in self._told_worse):
                incidents.append(Incident(EventKind.MODEL_WORSE, name, self._worse_text(m)))
            self._told_worse.add(m)
        return incidents

    def _worse_text(self, model: int) -> str:
        plans, (name, version) = self._plans, self._released[model]
        refuted = np.flatnonzero(plans.accuracy.refuted).tolist()
        p = min(
            (p for p in refuted if any(step.model == model for step in plans[p].steps)),
            key=lambda p: len(plans[p].steps),
        )
        return (
            f"labels contradict the card of model {name}, version {version}: "
            f"{self._believed_text(p)}; `ounce models retire {self._task} {name}` withdraws it, "
            f"`ounce models restore {self._task} RELEASE` brings back the release before"
        )

    def _accuracy_text(self, p: int) -> str:
        if self._plans.accuracy.moved[p]:
            return self._believed_text(p)
        return f"plan {self._plans[p].name} is believed to reach the accuracy {self._said(p)} again"

    def _believed_text(self, p: int) -> str:
        beliefs = self._plans.accuracy
        return (
            f"plan {self._plans[p].name} is believed to reach accuracy {beliefs.value[p]:.4f} "
            f"({beliefs.low[p]:.4f} to {beliefs.high[p]:.4f}) instead of the {self._said(p)}"
        )

    def _said(self, p: int) -> str:
        return f"{self._plans[p].accuracy.value:.4f} of validation data"

    def _suspend(self, model: int, at_s: float, text: str) -> Incident:
        name = self._plans.models[model].name
        self._plans.suspend(model, at_s)
        return Incident(EventKind.MODEL_SUSPENDED, name, f"model {name} {text}")
