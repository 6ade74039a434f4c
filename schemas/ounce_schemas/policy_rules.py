"""The parts of a policy: targets, limits, what may answer, and the messages that a rule is for."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from ounce_schemas.routing import Fallback, Objective
from ounce_schemas.task import Document, TaskName

MAX_LATENCY_LIMIT_MS = 3_600_000.0
"""One hour. A longer deadline is no deadline, and most likely a wrong unit."""
MOST_RULES = 1000

MaxLatencyMs = Annotated[float, Field(gt=0, le=MAX_LATENCY_LIMIT_MS, allow_inf_nan=False)]
MinAccuracy = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Exploration = Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)]
Pattern = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        description="Text to equal; * stands for any text, ? for any character",
    ),
]
Patterns = Pattern | Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=MOST_RULES)]
Extension = Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")]
RuleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Family = Literal["classical", "neural"]
RuntimeKind = Literal["cpu", "cuda", "tensorrt"]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Priority = Annotated[int, Field(ge=-10, le=10)]
Models = Annotated[tuple[str, ...], Field(max_length=MOST_RULES)]


class LatencyLimits(Document):
    """Deadlines that messages may ask for. One beyond them counts as the nearest that they may."""

    least: MaxLatencyMs | None = Field(default=None, description="The tightest")
    most: MaxLatencyMs | None = Field(default=None, description="The longest")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least {self.least:g} ms is over most {self.most:g} ms")
        return self


class AccuracyLimits(Document):
    """Floors that messages may ask for. One beyond them counts as the nearest that they may."""

    least: MinAccuracy | None = Field(default=None, description="The lowest")
    most: MinAccuracy | None = Field(default=None, description="The highest")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least {self.least:g} is over most {self.most:g}")
        return self


class Limits(Document):
    """Targets that messages may ask for."""

    max_latency_ms: LatencyLimits = LatencyLimits()
    min_accuracy: AccuracyLimits = AccuracyLimits()


class Prices(Document):
    """What compute costs, for the objective price; in any one unit. The defaults make a millisecond
    on the GPU as dear as one on the processor, and power free."""

    cpu_ms: Price = Field(default=1.0, description="Of a millisecond of a call on the processor")
    gpu_ms: Price = Field(default=1.0, description="Of a millisecond of a call on the GPU")
    joule: Price = Field(default=0.0, description="Of the energy that a call adds")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.cpu_ms or self.gpu_ms or self.joule):
            raise ValueError("cpu_ms, gpu_ms and joule are all 0: one has to cost something")
        return self

    def per_ms(self, is_on_gpu: bool, watts: float) -> float:
        """Price of a millisecond of a call that draws so much power."""
        return (self.gpu_ms if is_on_gpu else self.cpu_ms) + self.joule * watts / 1e3


class Settings(Document):
    """What may be set of a task or in a rule; what is absent is taken from the level above."""

    max_latency_ms: MaxLatencyMs | None = Field(
        default=None, description="Deadline of messages that name none"
    )
    min_accuracy: MinAccuracy | None = Field(
        default=None, description="Floor of messages that name none"
    )
    limits: Limits | None = Field(default=None, description="Targets that messages may ask for")
    fallback: Fallback | None = Field(default=None, description="What if no plan meets both")
    objective: Objective | None = Field(
        default=None, description="What the lightest plan has least of"
    )
    cascades: bool | None = Field(default=None, description="Whether cascades of models may answer")
    exploration: Exploration | None = Field(
        default=None, description="Share of messages on which a lighter plan may be tried"
    )
    explanation: bool | None = Field(
        default=None,
        description="Whether answers of messages that don't say say what each input contributed",
    )
    reasons: bool | None = Field(
        default=None, description="Whether answers say why lighter plans were passed over"
    )
    allow: Models | None = Field(default=None, description="Only these models may answer")
    families: tuple[Family, ...] | None = Field(
        default=None, min_length=1, description="Only models of these families may answer"
    )
    runtimes: tuple[RuntimeKind, ...] | None = Field(
        default=None, min_length=1, description="Only models in these runtimes may answer"
    )
    priority: Priority | None = Field(
        default=None,
        description="Where time is short, messages of a higher priority go first; default 0",
    )


class When(Document):
    """Messages that a rule is for: all that is given must hold; of several patterns, one."""

    task: TaskName | Annotated[tuple[TaskName, ...], Field(min_length=1)] | None = Field(
        default=None, description="Name of the task, or several"
    )
    device: Patterns | None = Field(default=None, description="Device id: the record's key")
    group: Patterns | None = Field(default=None, description="CloudEvents extension `group`")
    tenant: Patterns | None = Field(default=None, description="CloudEvents extension `tenant`")
    extensions: dict[Extension, Patterns] = Field(
        default_factory=dict,
        max_length=20,
        description="CloudEvents extensions by name: the headers `ce_NAME`",
    )
    valid_from: AwareDatetime | None = Field(
        default=None, description="The rule is for no message before; with a time zone"
    )
    valid_until: AwareDatetime | None = Field(
        default=None, description="The rule is for no message from then on; with a time zone"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        start, end = self.valid_from, self.valid_until
        if start is not None and end is not None and start >= end:
            raise ValueError(f"valid_from {start} is not before valid_until {end}")
        for name in ("group", "tenant"):
            if name in self.extensions and getattr(self, name) is not None:
                raise ValueError(f"{name} is given twice, also in extensions")
        return self

    def is_for(self, task: str) -> bool:
        """Whether messages of a task may be meant."""
        return self.task is None or task in many(self.task)

    @property
    def headers(self) -> Mapping[str, tuple[str, ...]]:
        """Patterns by the name of the header that they are held against."""
        named = {"group": self.group, "tenant": self.tenant, **self.extensions}
        return {f"ce_{name}": many(p) for name, p in named.items() if p is not None}


class Rule(Settings):
    """Settings for some messages. The first rule that a message meets counts, no other."""

    name: RuleName
    note: str = Field(default="", max_length=500, description="For people")
    when: When = When()
    deny: Models | None = Field(default=None, description="These models never answer")


def many(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]:
    """Several, also where one is given."""
    return (one_or_more,) if isinstance(one_or_more, str) else one_or_more
