"""A policy on trial: who has it, when it is stopped, and what workers write of it.

Records of `ounce.canaries` have the keys `evidence/CANARY/RUN` and `stop/CANARY`, where CANARY is
the id of the policy's version and RUN names one run of a worker.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from ounce_schemas.errors import PolicyError
from ounce_schemas.refusals import describe_made
from ounce_schemas.task import Document, OpenDocument, TaskName

Margin = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
CanaryShare = Annotated[float, Field(gt=0, lt=1)]
ShadowShare = Annotated[float, Field(gt=0, le=1)]
Confidence = Annotated[float, Field(ge=0.5, lt=1)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Growth = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class Criterion(StrEnum):
    """What a canary is compared in: shares of messages."""

    DEADLINES = "deadlines"
    """Answered after their deadline."""
    FLOORS = "floors"
    """Answered by a plan that is not sure to keep their floor."""
    ERRORS = "errors"
    """Not answered: a model failed, or the policy refused them."""
    ACCURACY = "accuracy"
    """Answered wrongly, by their labels."""


class Canary(OpenDocument):
    """Another policy that a share of the devices has, and what it must not do worse."""

    document: str = Field(description="The policy on trial as YAML")
    share: CanaryShare = Field(description="Share of the devices that have it")
    margin: Margin = Field(
        default=0.01, description="Deadlines, floors, errors: permitted difference of shares"
    )
    accuracy_margin: Margin = Field(default=0.005, description="Accuracy: the same")
    confidence: Confidence = Field(
        default=0.95,
        description="Least probability that one which is no worse is never stopped",
    )

    def margin_of(self, criterion: Criterion) -> float:
        """Difference of shares that is permitted."""
        return self.accuracy_margin if criterion is Criterion.ACCURACY else self.margin


class Shadow(OpenDocument):
    """Another policy that answers a share of the messages, beside those that are published."""

    document: str = Field(description="The policy as YAML")
    share: ShadowShare = Field(description="Share of the messages")
    tasks: tuple[TaskName, ...] = Field(min_length=1, description="Whose messages")


class Comparison(Document):
    """Outcomes of one task by one criterion: how many, and how many bad ones."""

    task: TaskName
    criterion: Criterion
    baseline: tuple[Count, Count]
    canary: tuple[Count, Count]
    growth: tuple[Growth, ...] = Field(
        min_length=1, max_length=64, description="Logarithms of the test's bets"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(n_bad > n for n, n_bad in (self.baseline, self.canary)):
            raise ValueError("more bad outcomes than outcomes")
        return self


class Evidence(Document):
    """What one run of a worker saw of a canary, from its begin on."""

    canary: str = Field(min_length=1, max_length=64, description="Id of the policy's version")
    run: str = Field(min_length=1, max_length=300)
    at_ms: Count
    comparisons: tuple[Comparison, ...] = ()

    @property
    def key(self) -> bytes:
        """Of its record."""
        return f"evidence/{self.canary}/{self.run}".encode()


class Stop(Document):
    """A canary that stopped itself. It never runs again."""

    canary: str = Field(min_length=1, max_length=64)
    worker: str
    at_ms: Count
    reason: str

    @property
    def key(self) -> bytes:
        """Of its record."""
        return f"stop/{self.canary}".encode()


def read_record(key: bytes | None, value: bytes) -> Evidence | Stop:
    """What a record of `ounce.canaries` holds.

    Raises:
        PolicyError: nothing that is known here.
    """
    kind = Stop if (key or b"").startswith(b"stop/") else Evidence
    try:
        return kind.model_validate_json(value)
    except ValidationError as e:
        raise PolicyError(f"not a record of a canary: {describe_made(e)}") from e
