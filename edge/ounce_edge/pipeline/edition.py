"""What answers one task: its ladder and policy, and all that is made of the two."""

from collections.abc import Callable, Hashable, Sequence

from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.task import TaskSpec

from ounce_edge.evidence.decision_log import FORMAT, LogHeader
from ounce_edge.evidence.model_watch import ModelWatch
from ounce_edge.models.catalogue import Ladder, ServedModel
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.wire.decoding import Decoder
from ounce_edge.wire.encoding import Encoder


class Edition:
    """One value that a pipeline replaces between two batches. Jobs under way keep theirs.

    Args:
        ladder: the task and its verified models and plans.
        policy: the rules for this task.
        first_belief: gives the first belief of a model's latency.
        watts: power that a model draws while it runs; where it is not measured, the policy's.

    Raises:
        PolicyError: the policy permits none of the ladder's models, or names one it lacks.
    """

    def __init__(
        self,
        ladder: Ladder,
        policy: EffectivePolicy,
        first_belief: Callable[[ServedModel], LatencyBelief] = measured_belief,
        watts: Callable[[ServedModel], float | None] = lambda model: None,
    ) -> None:
        self.ladder = ladder
        self.policy = policy
        self.plans, self.models = make_plans(ladder, policy, first_belief, watts)
        self.watch = ModelWatch(self.plans)
        self.decoder = Decoder(ladder.task, policy)
        self.encoder = Encoder(ladder.task, policy.version, ladder.version)
        self.promised_floor = max(plan.accuracy.low for plan in self.plans.plans)
        """The highest accuracy floor that a plan met on validation data."""
        self.plan_keys: Sequence[Hashable] = [
            (plan.name, *((self.models[s.model].card.sha256, s.threshold) for s in plan.steps))
            for plan in self.plans.plans
        ]
        """By plan: equal in two editions where the plan is the same and runs the same files."""

    @property
    def task(self) -> TaskSpec:
        """What it answers."""
        return self.ladder.task

    def log_header(self) -> LogHeader:
        """What decisions of this edition have in common."""
        return LogHeader(
            FORMAT,
            self.task.name,
            self.policy.version,
            self.ladder.version,
            self.policy.fallback,
            self.plans.tables,
        )
