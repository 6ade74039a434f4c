"""What the plans of a ladder promise: `models/<task>/plans.json`, measured on validation data."""

from typing import Self

from pydantic import Field, model_validator

from ounce_schemas.card import AccuracyEstimate, ModelName, Sha256, Share
from ounce_schemas.measure import ACCURACY, Measure
from ounce_schemas.task import Document, TaskName

MAX_STEPS = 4


class Step(Document):
    """One model of a plan. All but the last answer only where they are confident enough."""

    model: ModelName
    sha256: Sha256 = Field(description="Digest of the model file that the figures hold for")
    reach: Share = Field(description="Share of validation items that reach this step")
    threshold: Share | None = Field(
        default=None,
        description="Least confidence (greatest probability) at which this step's answer is taken; "
        "absent for the last step, which always answers",
    )
    error_bound: Share | None = Field(
        default=None,
        description="With 95% confidence, whatever threshold was chosen, at most this share of the "
        "answers that the step takes is wrong; absent for the last step",
    )


class ClassProfile(Document):
    """Validation items of one true class; of a cascade, the answers that its accuracy is of."""

    label: str
    n: int = Field(ge=0)
    accurate: int = Field(ge=0, description="Answered acceptably")
    confident: int = Field(ge=0, description="Answered with a confidence above the plan's own")


class PlanProfile(Document):
    """One plan: a single model, or a cascade that goes on to the next model where the one before
    is not confident.

    The accuracy of a cascade is cross-fitted: each item is judged by what was chosen, models and
    thresholds, without it, so that choosing does not flatter the cascade. Where dearer cascades
    were less accurate, it is the mean of them all. `classes` and `confidence_threshold` are of
    those same answers (so the classes may add up to a few more accurate ones); the steps' figures
    are of the thresholds that the plan has.
    """

    name: str = Field(min_length=1, max_length=300)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)
    accuracy: AccuracyEstimate = Field(description="By the task's measure")
    false_alarms: AccuracyEstimate | None = Field(
        default=None,
        description="Measure recall: share of other classes' items answered with its class",
    )
    confidence_threshold: Share | None = Field(
        default=None,
        description="Average thresholded confidence: as many validation answers have a confidence "
        "above this as are right; absent for regression, which has no confidences",
    )
    classes: tuple[ClassProfile, ...] = Field(
        default=(), description="In the order of the task's labels; empty for regression"
    )

    @property
    def is_cascade(self) -> bool:
        """Whether it has more than one step."""
        return len(self.steps) > 1

    @model_validator(mode="after")
    def _check(self) -> Self:
        *before, last = self.steps
        if last.threshold is not None or any(step.threshold is None for step in before):
            raise ValueError(f"plan {self.name!r}: every step but the last needs a threshold")
        models = [step.model for step in self.steps]
        if len(set(models)) != len(models):
            raise ValueError(f"plan {self.name!r} runs a model twice: {models}")
        if (self.confidence_threshold is None) != (not self.classes):
            raise ValueError(f"plan {self.name!r}: classes and confidence_threshold go together")
        return self


class LadderPlans(Document):
    """All plans of a task: every single model, and the cascades that are better than any."""

    schema_version: int = Field(default=1, ge=1, le=1)
    task: TaskName
    n_validation: int = Field(ge=1)
    measure: Measure = Field(default=ACCURACY, description="The task's: what accuracies here mean")
    plans: tuple[PlanProfile, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [plan.name for plan in self.plans]
        if len(set(names)) != len(names):
            raise ValueError(f"plan names repeat: {sorted(names)}")
        return self
