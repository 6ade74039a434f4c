"""What the answers of a group cost, and what the most accurate model would have cost instead."""

from typing import NamedTuple

from ounce_schemas.routing import Objective

from ounce_edge.models.execution import Answered, Outcome
from ounce_edge.pipeline.job import Job


class Costs(NamedTuple):
    """Of one item of a group."""

    run_ms: float
    """Compute of all steps that it went through."""
    always_best_ms: float
    """What the most accurate model would have taken, as believed at the same batch size."""
    gpu_ms: float
    """What of `run_ms` was spent on a GPU."""
    in_objective: float
    """In the policy's objective."""
    saved: float
    """Likewise, what the most accurate model would have cost more."""

    @classmethod
    def of(cls, job: Job, outcome: Outcome, answered: Answered) -> "Costs":
        """Costs of what one step of a plan answered."""
        run_ms, best_ms = outcome.cost(answered.n_steps), _always_best_ms(job, outcome)
        cost, best = run_ms, best_ms
        objective = job.route.routing.objective
        if objective is not Objective.CPU_TIME:
            cost, best = _in_objective(job, outcome, answered, objective, best_ms)
        return cls(run_ms, best_ms, _gpu_ms(job, outcome, answered), cost, best - cost)


def _always_best_ms(job: Job, outcome: Outcome) -> float:
    """What the most accurate model would have taken per item of a group.

    A call in service takes longer than the same call in a profile's tight loop: caches are cold.
    The excess is mostly a fixed time. Where the most accurate model was not run lately, the excess
    of the one that ran is added to its profile. So the saving is not flattered.
    """
    models, n = job.edition.plans.models, len(job.group.items)
    best = job.route.plans[job.view.ranking(n).always_best].steps[0].model
    first = outcome.calls[0].model
    if best == first:
        return outcome.cost(1)
    latency = models[best].latency
    excess_ms = latency.excess_ms(n)
    if excess_ms is None:
        excess_ms = max(models[first].latency.excess_ms(n) or 0.0, 0.0)
    return (latency.profile_of(n) + excess_ms) / n


def _gpu_ms(job: Job, outcome: Outcome, answered: Answered) -> float:
    models = job.edition.plans.models
    if not any(models[call.model].is_on_gpu for call in outcome.calls):
        return 0.0
    return outcome.cost(answered.n_steps, [float(model.is_on_gpu) for model in models])


def _in_objective(
    job: Job, outcome: Outcome, answered: Answered, objective: Objective, best_ms: float
) -> tuple[float, float]:
    """What an item cost, and would have cost with the most accurate model, in an objective other
    than CPU time."""
    view = job.view
    best = view.ranking(len(job.group.items)).always_best
    if objective is Objective.MEMORY:
        return view.calls[job.group.plan, 1].cost, view.calls[best, 1].cost
    per_ms = [model.cost_per_ms(objective) for model in job.edition.plans.models]
    best_model = job.route.plans[best].steps[0].model
    return outcome.cost(answered.n_steps, per_ms), best_ms * per_ms[best_model]
