"""The routing policy: a platform team's rules for one or more tasks."""

import hashlib
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from ounce_schemas.policy_rules import (
    MAX_LATENCY_LIMIT_MS,
    MOST_RULES,
    Exploration,
    Limits,
    MaxLatencyMs,
    MinAccuracy,
    Models,
    Prices,
    Rule,
    Settings,
    When,
)
from ounce_schemas.request import AnswerForm
from ounce_schemas.routing import Fallback, Objective
from ounce_schemas.task import Document, TaskName

__all__ = [
    "MAX_LATENCY_LIMIT_MS",
    "EffectivePolicy",
    "EffectiveRule",
    "Policy",
    "Routing",
    "TaskPolicy",
]


class TaskPolicy(Settings):
    """Rules of one task; what is absent is taken from the policy's top level."""

    deny: Models = Field(default=(), description="These models never answer")
    answer: AnswerForm | None = Field(default=None, description="Form of answers")

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
    limits: Limits = Field(default=Limits(), description="Targets that messages may ask for")
    fallback: Fallback = Fallback.MOST_ACCURATE_IN_TIME
    objective: Objective = Field(
        default=Objective.CPU_TIME, description="What the lightest plan has least of"
    )
    power_watts: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Objectives energy and price: power of a busy core, where the kernel measures "
        "none",
    )
    gpu_power_watts: float = Field(
        default=100.0,
        gt=0,
        allow_inf_nan=False,
        description="Likewise: power of a busy GPU, where NVML measures none",
    )
    prices: Prices = Field(default=Prices(), description="Objective price: what compute costs")
    cascades: bool = Field(default=True, description="Whether cascades of models may answer")
    exploration: Exploration = Field(
        default=0.0,
        description="Share of messages on which a lighter plan may be tried that labels may prove "
        "good enough",
    )
    explanation: bool = Field(
        default=False,
        description="Whether answers of messages that don't say say what each input contributed",
    )
    reasons: bool = Field(
        default=True, description="Whether answers say why lighter plans were passed over"
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1)
    max_rows: int = Field(
        default=1000, ge=1, le=10_000, description="Most rows of a table that one message may hold"
    )
    answer: AnswerForm = Field(
        default=AnswerForm.V2,
        description="Form of answers to requests that name none: v2, flat, cloudevents or raw",
    )
    tasks: dict[TaskName, TaskPolicy] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(
        default=(),
        max_length=MOST_RULES,
        description="Settings for some messages, before those of the task; the first that a "
        "message meets counts",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [rule.name for rule in self.rules]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"names of rules repeat: {repeated}")
        return self

    def for_task(self, task: str) -> "EffectivePolicy":
        """The rules of one task with every default filled in."""
        base = EffectivePolicy(
            version=self.version,
            max_latency_ms=self.max_latency_ms,
            min_accuracy=self.min_accuracy,
            limits=self.limits,
            fallback=self.fallback,
            objective=self.objective,
            power_watts=self.power_watts,
            gpu_power_watts=self.gpu_power_watts,
            prices=self.prices,
            cascades=self.cascades,
            exploration=self.exploration,
            explanation=self.explanation,
            reasons=self.reasons,
            max_body_bytes=self.max_body_bytes,
            max_rows=self.max_rows,
            answer=self.answer,
        )
        of_task = self.tasks.get(task, TaskPolicy())
        own = base.changed_by(of_task)
        if of_task.answer is not None:
            own = own.model_copy(update={"answer": of_task.answer})
        rules = tuple(
            EffectiveRule(name=rule.name, when=rule.when, policy=own.changed_by(rule))
            for rule in self.rules
            if rule.when.is_for(task)
        )
        return own.model_copy(update={"rules": rules})


class Routing(NamedTuple):
    """What of the rules says which plan answers, given a message's targets."""

    version: str
    allow: tuple[str, ...] | None
    deny: tuple[str, ...]
    families: tuple[str, ...] | None
    runtimes: tuple[str, ...] | None
    priority: int
    cascades: bool
    fallback: Fallback
    objective: Objective
    exploration: float
    reasons: bool


class EffectivePolicy(Document):
    """The rules that hold for one task, or for the messages of one rule."""

    version: str
    max_latency_ms: MaxLatencyMs
    min_accuracy: MinAccuracy
    limits: Limits = Limits()
    fallback: Fallback
    objective: Objective
    power_watts: float
    gpu_power_watts: float = 100.0
    prices: Prices = Prices()
    cascades: bool
    exploration: Exploration
    explanation: bool = False
    reasons: bool = True
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    families: tuple[str, ...] | None = None
    runtimes: tuple[str, ...] | None = None
    priority: int = 0
    max_body_bytes: int
    max_rows: int = 1000
    answer: AnswerForm = AnswerForm.V2
    rules: tuple["EffectiveRule", ...] = ()

    def permits(self, model: str, family: str | None = None, runtime: str | None = None) -> bool:
        """Whether `model`, of a family and in a runtime, may answer; None: not known, so it may."""
        return (
            model not in self.deny
            and (self.allow is None or model in self.allow)
            and (self.families is None or family is None or family in self.families)
            and (self.runtimes is None or runtime is None or runtime in self.runtimes)
        )

    @property
    def routing(self) -> Routing:
        """Equal for rules that differ in nothing but the targets of their messages."""
        return Routing(*(getattr(self, name) for name in Routing._fields))

    def changed_by(self, settings: Settings) -> "EffectivePolicy":
        """The same with what `settings` says."""
        said = {
            name: value
            for name in (*Settings.model_fields, "deny")
            if (value := getattr(settings, name)) is not None
        }
        return self.model_copy(update=said)


class DeviceShare(Document):
    """A share of the devices: always the same ones for the same salt."""

    share: float = Field(gt=0, lt=1)
    salt: str

    def has(self, device: bytes | None) -> bool:
        """Whether a device is one of them; a message without a device is of none.

        Args:
            device: key of the message's record.
        """
        if not device:
            return False
        salt = hashlib.blake2b(self.salt.encode(), digest_size=16).digest()
        place = hashlib.blake2b(device, digest_size=8, key=salt).digest()
        return int.from_bytes(place) < self.share * 2.0**64


class EffectiveRule(Document):
    """One rule, with every default filled in."""

    name: str
    when: When
    policy: EffectivePolicy
    devices: DeviceShare | None = None
    """Those that the rule is for, of the ones that it matches."""


EffectivePolicy.model_rebuild()
