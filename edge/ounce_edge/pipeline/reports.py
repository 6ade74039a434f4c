"""What a pipeline tells of its work, for metrics and events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import Reason
from ounce_schemas.explanation import ExplanationOutcome
from ounce_schemas.routing import Choice

from ounce_edge.evidence.incidents import Incident
from ounce_edge.models.execution import Call
from ounce_edge.pipeline.tenants import TenantShare
from ounce_edge.pipeline.trails import Trail
from ounce_edge.recommender.beliefs.plans import Model
from ounce_edge.wire.batch import Rejected, RequestBatch


class GroupReport(NamedTuple):
    """Requests that one model answered for one plan and reason."""

    model: str
    plan: str
    policy_version: str
    choice: Choice
    n: int
    run_ms: float
    """Compute of all steps that they went through."""
    always_best_ms: float
    """What the most accurate model would have taken, as believed at the same batch size."""
    cost: float
    """In the policy's objective."""
    saved: float
    latency_ms: NDArray[np.float64]
    """Timestamp to encoding, per message."""
    deadline_misses: int
    floor_misses: int
    refused: Sequence[int] = ()
    """Those of them whose answer the broker refused; complete once their batch is confirmed."""
    regret: float = 0.0
    """Exploration: expected wrong answers over what the floors permit."""
    trail: Trail | None = None
    """Where trails are kept."""
    tenants: Sequence[TenantShare] = ()
    """Whose they are; empty: nobody's."""


class ModelCall(NamedTuple):
    """One model call, by the model's name."""

    model: str
    n: int
    run_ms: float
    is_on_gpu: bool = False

    @classmethod
    def of(cls, call: Call, model: Model) -> "ModelCall":
        """A call of `run_plan`'s."""
        return cls(model.name, call.n, call.run_ms, model.is_on_gpu)


@dataclass
class Report:
    """What became of a task's requests in one step of the worker."""

    task: str
    began_at_s: float = 0.0
    """When the step began, on the pipeline's steady clock."""
    keeps_trails: bool = False
    """Whether it says of each answer and dead letter how it came about."""
    groups: list[GroupReport] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    waited_ms: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Timestamp to the decision that took it, per message."""
    decide_ms: float = 0.0
    """Processor time, of some decisions for all (`SampledTime`)."""
    repeats: int = 0
    timestamps_off: int = 0
    """Requests whose timestamp is too far off the worker's clock to be believed."""
    unknown_text: int = 0
    """Requests with a text that the models have not learned."""
    unseen_missing: int = 0
    """Requests that lack a value which no row lacked that the models have learned."""
    explanations: Counter[ExplanationOutcome] = field(default_factory=Counter)
    """Answers that were to be explained: `given`, or why they are not."""
    escalated: int = 0
    rejected: Sequence[Reason] = ()
    tenants_rejected: Sequence[bytes | None] = ()
    """Whose these are."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """By version of the policy: requests that a model failed on, or that it refused."""
    incidents: list[Incident] = field(default_factory=list)
    next_offsets: Mapping[int, int] = field(default_factory=dict)
    """By partition, the offset that a successor goes on at; only what is answered in full."""
    letters: list[Rejected] = field(default_factory=list)
    """What became dead letters, where trails are kept."""

    def count_marks(self, batch: RequestBatch) -> None:
        """Count the requests of a batch that are marked for what they hold."""
        if batch.timestamps_off is not None:
            self.timestamps_off = int(batch.timestamps_off.sum())
        if batch.unknown_texts is not None:
            self.unknown_text = int(batch.unknown_texts.sum())
        if batch.unseen_missing is not None:
            self.unseen_missing = int(batch.unseen_missing.sum())
