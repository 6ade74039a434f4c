"""What can answer a message: models, and plans made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ounce_schemas.routing import Objective

from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.suspension import Suspension


@dataclass(frozen=True)
class Model:
    """One model that plans may run."""

    name: str
    size_bytes: int
    latency: LatencyBelief
    memory_bytes: int = 0
    watts: float = 1.0
    """Power drawn while it runs; joules are watts times seconds of its calls."""
    price_per_ms: float = 1.0
    """Of a call's time, energy included, in the unit of the policy's prices."""
    is_on_gpu: bool = False
    suspension: Suspension = field(default_factory=Suspension)

    def cost_per_ms(self, objective: Objective) -> float:
        """Of a call's time, where the objective is one of compute."""
        if objective is Objective.ENERGY:
            return self.watts / 1e3
        return self.price_per_ms if objective is Objective.PRICE else 1.0


@dataclass(frozen=True)
class PlanStep:
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
    steps: Sequence[PlanStep]
    accuracy: AccuracyPrior

    def explained(self, by: Mapping[int, int]) -> "Plan | None":
        """The same with models that also explain their answers; None: one of them has none.

        Args:
            by: of models, the one that also explains.
        """
        if not all(step.model in by for step in self.steps):
            return None
        return replace(self, steps=[replace(s, model=by[s.model]) for s in self.steps])
