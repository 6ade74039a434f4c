"""The routing policy: a platform team's rules for one or more tasks."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ounce_schemas.routing import Fallback
from ounce_schemas.task import Document, TaskName

MAX_LATENCY_LIMIT_MS = 3_600_000.0
"""One hour. A longer deadline is no deadline, and most likely a wrong unit."""

MaxLatencyMs = Annotated[float, Field(gt=0, le=MAX_LATENCY_LIMIT_MS, allow_inf_nan=False)]
MinAccuracy = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class TaskPolicy(Document):
    """Rules of one task; what is absent is taken from the policy's top level."""

    max_latency_ms: MaxLatencyMs | None = None
    min_accuracy: MinAccuracy | None = None
    fallback: Fallback | None = None
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
    allow: tuple[str, ...] | None
    deny: tuple[str, ...]
    max_body_bytes: int

    def permits(self, model: str) -> bool:
        """Whether `model` may answer."""
        return model not in self.deny and (self.allow is None or model in self.allow)
