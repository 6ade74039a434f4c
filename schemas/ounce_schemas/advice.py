"""Advice: which models to build of data, what they promise, and why: `advice.json`.

The same data, options and seed give the same document on a machine, also under load: all but
`measured`, which holds what a clock gave. `digest` is of everything else.
"""

import hashlib
import json
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from ounce_schemas.card import AccuracyEstimate, ModelName, Sha256, Share
from ounce_schemas.device import ReferenceTimes
from ounce_schemas.measure import Measure
from ounce_schemas.task import Document, TaskName


class Verdict(StrEnum):
    """What is advised."""

    CLASSICAL = "classical"
    DEEP = "deep"
    CASCADE = "cascade"
    NEITHER_YET = "neither-yet"


class Limits(Document):
    """What a plan has to keep. Absent: no limit."""

    max_latency_ms: float | None = Field(default=None, gt=0, description="Of one call")
    batch: int = Field(default=1, ge=1, description="Items of that call")
    max_size_mb: float | None = Field(default=None, gt=0, description="Of all files of a plan")
    min_accuracy: Share | None = Field(default=None, description="By the task's measure")
    interpretable: bool = Field(default=False, description="Only models that a person can read")


class Look(Document):
    """What the data is."""

    structure: Literal["table", "text", "image", "sequence"] = "table"
    shape: tuple[int, ...] = Field(
        default=(),
        description="Of an image: height, width, channels; of a sequence: steps, channels; of "
        "texts: bytes that models read",
    )
    n_rows: int = Field(ge=1, description="Rows that can teach or validate; the test split is not")
    n_numbers: int = Field(ge=0, description="Columns of numbers")
    n_texts: int = Field(ge=0, description="Columns of categories")
    missing: Share = Field(description="Share of cells that are gaps")
    duplicates: Share = Field(description="Share of rows whose inputs another row has, too")
    most_values: int = Field(ge=0, description="Distinct values of the richest column of texts")
    skewed: int = Field(ge=0, description="Columns of numbers with a skewness above 2")
    heavy_tailed: int = Field(ge=0, description="Columns with an excess kurtosis above 7")
    n_classes: int = Field(ge=0, description="0: the target is a quantity")
    constant: Share = Field(description="Accuracy of the best constant answer")
    rarest: Share | None = Field(default=None, description="Share of the rarest class")
    notices: tuple[str, ...] = Field(
        description="What was found while reading: leaks, personal data, what is left out"
    )


class CurvePoint(Document):
    """A model kind fitted on some rows."""

    n_rows: int = Field(ge=1)
    train: Share = Field(description="Accuracy on a part of the rows that it has learned from")
    validation: Share = Field(description="Accuracy on held-out rows, the same at each point")


class Band(Document):
    """Accuracy to expect of more rows."""

    n_rows: int = Field(ge=1)
    value: Share
    low: Share = Field(description="Lower end of the 90% band")
    high: Share


class Arm(Document):
    """A kind of model in the race."""

    model: ModelName
    family: Literal["classical", "neural"]
    interpretable: bool
    curve: tuple[CurvePoint, ...] = ()
    forecast: tuple[Band, ...] = Field(
        default=(), description="At 2, 4 and 10 times the rows; empty: no forecast"
    )
    accuracy: AccuracyEstimate | None = Field(
        default=None, description="Of all held-out rows, at the last point"
    )
    counted_ns: float | None = Field(
        default=None, ge=0, description="Cost of an item, counted in the graph and not timed"
    )
    size_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Of the ONNX file; where a sample raced, the most that all rows may come to",
    )
    stopped: str | None = Field(default=None, description="Why it left the race early")


class Plan(Document):
    """One model, or a light one that hands over to the next where it is not confident."""

    models: tuple[ModelName, ...] = Field(min_length=1, max_length=2)
    accuracy: AccuracyEstimate
    counted_ns: float = Field(ge=0)
    handed_over: Share | None = Field(
        default=None, description="Share of items that reach the second model"
    )


class Reason(Document):
    """One line of why, with its figure and where it comes from."""

    topic: str = Field(min_length=1)
    text: str = Field(min_length=1)
    figures: dict[str, float] = Field(default_factory=dict)
    source: str = Field(min_length=1, description="How the figure came about")


class Decision(Document):
    """What to build."""

    verdict: Verdict
    plan: Plan | None = Field(default=None, description="Absent where nothing is worth building")
    runner_up: Plan | None = None
    best: ModelName | None = Field(default=None, description="Most accurate of those that may be")
    margin: float = Field(
        default=0.0, ge=0, description="Accuracy below the best that counts as alike"
    )
    missed: tuple[str, ...] = Field(
        default=(), description="Limits that the plan does not keep: it is the nearest one"
    )


class Budget(Document):
    """Work of the race, planned once, in nominal seconds of one core; no clock is asked."""

    given_s: float = Field(gt=0)
    planned_s: float = Field(ge=0)
    n_rows: int = Field(ge=1, description="Rows in the race; fewer than there are: a sample")
    of_rows: int | None = Field(default=None, ge=1, description="Rows that there are to race on")
    rungs: tuple[int, ...] = Field(description="Rows that each point of a curve learns from, about")
    n_folds: int = Field(ge=1, description="Folds that each point is judged by")
    of_folds: int | None = Field(default=None, ge=1, description="Folds that could judge")
    n_repeats: int = Field(
        default=0,
        ge=0,
        description="Divisions into folds by which all rows judge the last point; 0: the rows of "
        "`n_folds` folds judge it",
    )
    left_out: tuple[ModelName, ...] = Field(
        default=(), description="Kinds of models for which there is no work left"
    )


class MeasuredModel(Document):
    """What a clock gave of one model's file in the edge's runtime."""

    model: ModelName
    batch_size: int = Field(ge=1)
    p50_ms: float = Field(gt=0)
    p99_ms: float = Field(gt=0)


class MeasuredDevice(Document):
    """Another machine, by its card: what plans are judged for."""

    host: str
    processor: str
    runtime: str
    here: ReferenceTimes = Field(description="The card's graphs, timed on this machine")
    there: ReferenceTimes = Field(description="What the card says")
    models: tuple[MeasuredModel, ...] = Field(description="Scaled, by these, to the device")


class Measured(Document):
    """What differs from one run to the next."""

    machine: str
    models: tuple[MeasuredModel, ...] = Field(default=(), description="Timed on this machine")
    memory_bytes: dict[ModelName, int] = Field(
        default_factory=dict,
        description="Resident memory that a model takes once it is loaded, by model; empty: the "
        "system does not tell",
    )
    device: MeasuredDevice | None = Field(
        default=None, description="Absent: plans are judged for this machine"
    )
    race_s: float = Field(ge=0, description="Time of the race")
    reasons: tuple[Reason, ...] = Field(default=(), description="Those that rest on a clock")

    @property
    def serving(self) -> tuple[MeasuredModel, ...]:
        """Of the machine that plans are judged for."""
        return self.models if self.device is None else self.device.models


class Advice(Document):
    """Which models to build, what they promise, and why."""

    format: Literal[1] = 1
    task: TaskName
    measure: Measure
    seed: int = Field(ge=0)
    options: dict[str, JsonValue] = Field(
        description="Of `ounce train`: those that differ from their defaults"
    )
    data_sha256: Sha256
    limits: Limits
    look: Look
    budget: Budget
    interrupted: bool = Field(default=False, description="Ctrl-C: of what the race had by then")
    arms: tuple[Arm, ...]
    decision: Decision
    reasons: tuple[Reason, ...] = ()
    measured: Measured

    @property
    def digest(self) -> str:
        """Of everything but `measured`, as 64 hexadecimal digits."""
        content = self.model_dump(mode="json", exclude={"measured"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
