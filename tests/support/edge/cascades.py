"""A ladder of two models and their cascade."""

from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_schemas.routing import Objective

LIGHT, HEAVY, CASCADE = range(3)


def plans(objective: Objective = Objective.CPU_TIME, reach: float = 0.1) -> Plans:
    """A light model (0.1 ms an item), a heavy one (1 ms), and both as a cascade."""
    models = [
        Model("light", 10, LatencyBelief([1, 100], [0.1, 10], [0.1, 10]), 7_000, watts=20.0),
        Model("heavy", 90, LatencyBelief([1, 100], [1, 100], [1, 100]), 5_000, watts=1.0),
    ]
    return Plans(
        models,
        [
            Plan("light", [PlanStep(0)], AccuracyPrior(0.90, 0.88, 0.93, 400)),
            Plan("heavy", [PlanStep(1)], AccuracyPrior(0.98, 0.97, 0.99, 400)),
            Plan(
                "light>heavy",
                [PlanStep(0, 1.0, 0.7), PlanStep(1, reach)],
                AccuracyPrior(0.975, 0.96, 0.985, 400),
            ),
        ],
        objective,
    )
