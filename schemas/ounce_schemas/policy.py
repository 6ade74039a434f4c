"""The routing policy: a platform team's rules for one or more tasks."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ounce_schemas.routing import Fallback, Objective
from ounce_schemas.task import Document, TaskName

MAX_LATENCY_LIMIT_MS = 3_600_000.0
"""One hour. A longer deadline is no deadline, and most likely a wrong unit."""

MaxLatencyMs = Annotated[float, Field(gt=0, le=MAX_LATENCY_LIMIT_MS, allow_inf_nan=False)]
MinAccuracy = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


Exploration = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]


class TaskPolicy(Document):
    """Rules of one task; what is absent is taken from the policy's top level."""

    max_latency_ms: MaxLatencyMs | None = None
    min_accuracy: MinAccuracy | None = None
    fallback: Fallback | None = None
    objective: Objective | None = None
    cascades: bool | None = None
    exploration: Exploration | None = None
    allow: tuple[str, ...] | None = Field(default=None, description="Only these models may answer")
    deny: tuple[str, ...] = Field(default=(), description="These models never answer")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.allow is not None and not set(self.allow) - set(self.deny):
            raise ValueError("allow minus deny leaves no model")
        return self


class Policy(Document):
    """A whole policy file, YAML or JSON. The defaults are the built-in policy."""

    version: str = Field(default="built-in", min_length=1, max_length=64)
    max_latency_ms: MaxLatencyMs = 100.0
    min_accuracy: MinAccuracy = 0.9
    fallback: Fallback = Fallback.MOST_ACCURATE_IN_TIME
    objective: Objective = Field(
        default=Objective.CPU_TIME, description="What the lightest plan has least of"
    )
    power_watts: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Objective energy: power of a busy core, where the kernel measures none",
    )
    cascades: bool = Field(default=True, description="Whether cascades of models may answer")
    exploration: Exploration = Field(
        default=0.0,
        description="Share of messages on which a lighter plan may be tried that labels may prove "
        "good enough",
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1)
    tasks: dict[TaskName, TaskPolicy] = Field(default_factory=dict)

    def for_task(self, task: str) -> "EffectivePolicy":
        """The rules of one task with every default filled in."""
        own = self.tasks.get(task, TaskPolicy())
        return EffectivePolicy(
            version=self.version,
            max_latency_ms=self.max_latency_ms
            if own.max_latency_ms is None
            else own.max_latency_ms,
            min_accuracy=self.min_accuracy if own.min_accuracy is None else own.min_accuracy,
            fallback=own.fallback or self.fallback,
            objective=own.objective or self.objective,
            power_watts=self.power_watts,
            cascades=self.cascades if own.cascades is None else own.cascades,
            exploration=self.exploration if own.exploration is None else own.exploration,
            allow=own.allow,
            deny=own.deny,
            max_body_bytes=self.max_body_bytes,
        )


class EffectivePolicy(Document):
    """The rules that hold for one task."""

    version: str
    max_latency_ms: MaxLatencyMs
    min_accuracy: MinAccuracy
    fallback: Fallback
    objective: Objective
    power_watts: float
    cascades: bool
    exploration: Exploration
    allow: tuple[str, ...] | None
    deny: tuple[str, ...]
    max_body_bytes: int

    def permits(self, model: str) -> bool:
        """Whether `model` may answer."""
        return model not in self.deny and (self.allow is None or model in self.allow)
