"""The plans of a ladder, with first beliefs. `routes` says which of them a policy permits."""

from collections.abc import Callable, Sequence

from ounce_schemas.card import ModelCard
from ounce_schemas.plans import PlanProfile
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.routing import Objective
from ounce_schemas.task import TaskSpec

from ounce_edge.models.catalogue import Ladder, ServedModel
from ounce_edge.models.first_beliefs import FirstBelief, card_belief, scaled_belief
from ounce_edge.models.runtimes.base import GPU_KINDS
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.measures import Strata
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep


def make_plans(
    ladder: Ladder,
    policy: EffectivePolicy,
    first_belief: FirstBelief,
    watts: Callable[[ServedModel], float | None] = lambda model: None,
) -> tuple[Plans, Sequence[ServedModel]]:
    """Plans of all models, and the models in the plans' order.

    What is believed of them is of the ladder: another policy changes nothing of it.

    Behind the models stand those that also explain their answers.

    Args:
        ladder: a task's verified models and plans.
        policy: the rules of this task.
        first_belief: gives the first belief of a model's latency. None, of a graph that explains:
            its card's profile, scaled as that of its model.
        watts: power that a model draws while it runs; where it is not measured, the policy's.
    """
    plain = ladder.models
    explained = [m.explained for m in plain if m.explained is not None]
    power = _power_watts(plain, policy, watts)
    models = [
        Model(
            name=m.card.model,
            size_bytes=m.card.size_bytes,
            latency=first_belief(m) or card_belief(m.card),
            memory_bytes=m.memory_bytes,
            watts=power_watts,
            price_per_ms=policy.prices.per_ms(m.runtime in GPU_KINDS, power_watts),
            is_on_gpu=m.runtime in GPU_KINDS,
        )
        for m, power_watts in zip(plain, power, strict=True)
    ]
    models += [
        _explained_model(m, it, own, first_belief)
        for m, own in zip(plain, models, strict=True)
        if (it := m.explained) is not None
    ]
    places = [i for i, m in enumerate(plain) if m.explained is not None]
    explained_by = {i: len(plain) + k for k, i in enumerate(places)}
    made = Plans(models, _plans(ladder), policy.objective, strata_of(ladder.task), explained_by)
    return made, [*plain, *explained]


def _power_watts(
    models: Sequence[ServedModel],
    policy: EffectivePolicy,
    watts: Callable[[ServedModel], float | None],
) -> Sequence[float]:
    """Power of each model: measured where an objective of the policy counts joules, which takes a
    while, and where it can be."""
    counts_joules = {Objective.ENERGY, *([Objective.PRICE] if policy.prices.joule else [])}
    measures = any(
        p.objective in counts_joules for p in (policy, *(rule.policy for rule in policy.rules))
    )
    return [
        (measures and watts(m))
        or (policy.gpu_power_watts if m.runtime in GPU_KINDS else policy.power_watts)
        for m in models
    ]


def _explained_model(
    plain: ServedModel, explained: ServedModel, own: Model, first_belief: FirstBelief
) -> Model:
    """The model that also explains its answers, beside the one that does not."""
    return Model(
        name=f"{own.name} explained",
        size_bytes=explained.card.size_bytes,
        latency=first_belief(explained) or scaled_belief(explained.card, plain, own.latency),
        memory_bytes=explained.memory_bytes,
        watts=own.watts,
        price_per_ms=own.price_per_ms,
        is_on_gpu=own.is_on_gpu,
    )


def _plans(ladder: Ladder) -> Sequence[Plan]:
    """Each model by itself, then the cascades."""
    index = {m.card.model: i for i, m in enumerate(ladder.models)}
    singles = {p.steps[0].model: p for p in ladder.plans if not p.is_cascade}
    alone = [
        Plan(m.card.model, [PlanStep(i)], _prior(m.card, singles.get(m.card.model)))
        for i, m in enumerate(ladder.models)
    ]
    cascades = [
        Plan(
            profile.name,
            [PlanStep(index[s.model], s.reach, s.threshold) for s in profile.steps],
            _prior_of(profile),
        )
        for profile in ladder.plans
        if profile.is_cascade
    ]
    return [*alone, *cascades]


def strata_of(task: TaskSpec) -> Strata:
    """The strata of a task's measure."""
    return Strata(task.measure.kind, task.measured_class, len(task.labels))


def _prior(card: ModelCard, profile: PlanProfile | None) -> AccuracyPrior:
    if profile is not None:
        return _prior_of(profile)
    a = card.validation_accuracy
    return AccuracyPrior(a.value, a.low, a.high, a.n)


def _prior_of(profile: PlanProfile) -> AccuracyPrior:
    a, classes = profile.accuracy, profile.classes
    return AccuracyPrior(
        a.value,
        a.low,
        a.high,
        a.n,
        profile.confidence_threshold,
        [c.n for c in classes],
        [c.accurate for c in classes],
        [c.confident for c in classes],
    )
