"""What `accuracy` means in a task: which answers a promise is about."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MeasureKind = Literal["accuracy", "balanced-accuracy", "recall", "f1"]


class Measure(BaseModel):
    """The measure that floors, promises, labels and beliefs of a task are held to.

    An answer is acceptable if its class is right, or its error within the tolerance. The measures
    differ in the answers that count: all of them, those of each class alike, those to items of one
    class, or those that are or should be one class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: MeasureKind = Field(
        default="accuracy",
        description="accuracy: share of acceptable answers. balanced-accuracy: mean of the "
        "classes' recalls. recall: share of a class's items that are answered with it. f1: "
        "harmonic mean of a class's precision and recall",
    )
    label: str | None = Field(default=None, description="The class of recall and f1")
    false_alarms: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Recall: largest share of other classes' items that may be answered with it",
    )

    @property
    def is_plain(self) -> bool:
        """Whether every answer counts alike."""
        return self.kind == "accuracy"

    def __str__(self) -> str:
        """As people say it."""
        if self.kind == "recall":
            return f"recall of {self.label!r} at {100 * (self.false_alarms or 0):.3g}% false alarms"
        if self.kind == "f1":
            return f"F1 of {self.label!r}"
        return self.kind.replace("-", " ")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.label is not None) != (self.kind in ("recall", "f1")):
            raise ValueError(f"measure {self.kind}: recall and f1 need a label, others have none")
        if (self.false_alarms is not None) != (self.kind == "recall"):
            raise ValueError(f"measure {self.kind}: false_alarms belongs to recall, which needs it")
        return self


ACCURACY = Measure()
