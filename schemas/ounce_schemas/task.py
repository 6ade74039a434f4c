"""What a task is: its input and output signature, labels and acceptance rule."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ounce_schemas.cells import Cell
from ounce_schemas.measure import ACCURACY, Measure
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.wording import counted

TaskName = Annotated[str, Field(pattern=TASK_NAME_PATTERN)]
TaskKind = Literal["classification", "regression", "anomaly", "clusters"]
NORMAL, ANOMALY = "normal", "anomaly"
"""Labels of every anomaly task, in output order."""
NO_CLUSTER = "none"
"""Last label of every task of clusters: items that are far from all of them."""
CLUSTER_POWER = 40
"""Odds of a cluster against none are one over so high a power of the distance from it."""


class Document(BaseModel):
    """Base of every document: unknown fields are errors, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class OpenDocument(Document):
    """A document of which others read on where they know a part: unknown fields are kept."""

    model_config = ConfigDict(extra="allow")

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the fields that say something, and that this version of Ounce does not know."""
        return tuple(name for name, value in (self.model_extra or {}).items() if value is not None)


class TensorSpec(Document):
    """One named tensor of a signature, without its batch dimension."""

    name: str = Field(min_length=1, description="Tensor name in the ONNX graph and on the wire")
    datatype: Literal["FP32", "UINT8", "BYTES"] = Field(
        description="Open Inference Protocol datatype; UINT8 holds an image of shape (height, "
        "width, channels) with 1 or 3 channels; BYTES holds UTF-8 text"
    )
    shape: tuple[int, ...] = Field(min_length=1, description="Shape of one item, without batch")
    columns: tuple[str, ...] | None = Field(
        default=None, description="Column names of a table input, in order"
    )
    cells: tuple[Cell, ...] | None = Field(
        default=None, description="How each value is read from a row of the table, in order"
    )
    allow_missing: bool = Field(
        default=False, description="NaN (JSON null; for BYTES the empty text) marks a missing value"
    )
    text_bytes: int | None = Field(
        default=None,
        ge=1,
        description="BYTES: sentences, of which models read so many bytes of UTF-8; absent: "
        "categories",
    )
    channels: tuple[str, ...] | None = Field(
        default=None,
        description="FP32: channels of a sequence of shape (steps, channels); a request may hold "
        "the latest steps alone",
    )
    minimum: float | None = Field(default=None, description="Least value accepted")
    maximum: float | None = Field(default=None, description="Greatest value accepted")

    @property
    def size(self) -> int:
        """Number of elements of one item."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        """Bytes of one item as a raw tensor of numbers."""
        return self.size * (1 if self.datatype == "UINT8" else 4)

    @property
    def as_computed(self) -> Self:
        """As a model takes it: without what people add to the cells for senders (other names, and
        values for gaps), and without what was learned of gaps."""
        return self._without("aliases", "missing", "gaps")

    @property
    def as_asked(self) -> Self:
        """Without what its models have learned of gaps: whoever sends it need not know."""
        return self._without("gaps")

    def _without(self, *fields: str) -> Self:
        if self.cells is None:
            return self
        cells = tuple(cell.model_copy(update=dict.fromkeys(fields)) for cell in self.cells)
        return self.model_copy(update={"cells": cells})

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(d < 1 for d in self.shape):
            raise ValueError(f"shape {list(self.shape)} of {self.name!r}: dimensions must be >= 1")
        if self.text_bytes is not None and self.datatype != "BYTES":
            raise ValueError(f"{self.name!r}: text_bytes belongs to BYTES")
        if self.datatype == "UINT8" and (len(self.shape) != 3 or self.shape[-1] not in (1, 3)):
            raise ValueError(
                f"shape {list(self.shape)} of {self.name!r}: an image has a height, a width, and 1 "
                "or 3 channels"
            )
        if self.channels is not None and (
            self.datatype != "FP32" or self.shape[1:] != (len(self.channels),)
        ):
            raise ValueError(
                f"{self.name!r} has {counted(len(self.channels), 'channel')}: its shape is "
                f"(steps, channels), of FP32, not {list(self.shape)} of {self.datatype}"
            )
        if self.columns is not None and len(self.columns) != self.size:
            raise ValueError(
                f"{self.name!r} has {len(self.columns)} column names for {self.size} elements"
            )
        if self.cells is not None and len(self.cells) != self.size:
            raise ValueError(
                f"{self.name!r} has {counted(len(self.cells), 'cell')} for {self.size} elements"
            )
        return self


class TaskSpec(Document):
    """One inference problem. `models/<task>/task.json` holds it beside the task's ladder.

    Every model of a classification task has the single output `probabilities`,
    array of shape (n_items, n_labels), float32, calibrated, rows summing to 1. Every model of a
    regression task has the single output `estimate`, array of shape (n_items, 3), float32:
    value, lower and upper end of its interval, each less the task's `offset`. An anomaly task is
    one of the classes `normal` and `anomaly`, whose probabilities hold a p-value. A task of
    clusters is one of the classes of its clusters and `none`, whose probabilities hold the distance
    from the nearest one.
    """

    name: TaskName
    kind: TaskKind
    description: str
    inputs: tuple[TensorSpec, ...] = Field(min_length=1)
    labels: tuple[str, ...] = Field(default=(), description="Class labels, in output order")
    tolerance: float | None = Field(
        default=None,
        gt=0,
        description="Regression: a prediction is acceptable within this absolute error",
    )
    offset: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Regression: models give values less this much, since FP32 would blur the "
        "whole; answers add it in double precision",
    )
    interval_coverage: float | None = Field(
        default=None, gt=0, lt=1, description="Regression: share of true values in the interval"
    )
    false_alarms: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Anomaly: largest share of normal items that may be flagged",
    )
    constants: dict[str, float | str] | None = Field(
        default=None,
        description="Columns of the table that hold one value and are no input: a model made "
        "elsewhere may read them",
    )
    id_names: tuple[str, ...] | None = Field(
        default=None,
        description="Names, beside `id`, of the id in a row of flat JSON; the first that is there "
        "counts",
    )
    measure: Measure = Field(
        default=ACCURACY, description="What accuracies and floors of this task mean"
    )

    @property
    def classifies(self) -> bool:
        """Whether answers are labels, with probabilities."""
        return self.kind != "regression"

    @property
    def output(self) -> TensorSpec:
        """The one output of every model of this task."""
        if self.classifies:
            return TensorSpec(name="probabilities", datatype="FP32", shape=(len(self.labels),))
        return TensorSpec(name="estimate", datatype="FP32", shape=(3,))

    @property
    def measured_class(self) -> int | None:
        """Index of the class that the measure is of; None where it is of all."""
        return None if self.measure.label is None else self.labels.index(self.measure.label)

    @property
    def alarm_class(self) -> int | None:
        """Index of the class that a false alarm is answered with; None where none is promised."""
        if self.kind == "anomaly":
            return self.labels.index(ANOMALY)
        return self.measured_class if self.measure.kind == "recall" else None

    @property
    def accepts_raw(self) -> bool:
        """Whether a body of raw little-endian bytes can hold the input: one tensor of numbers."""
        return len(self.inputs) == 1 and self.inputs[0].datatype != "BYTES"

    @property
    def image(self) -> TensorSpec | None:
        """The input of a task of images; None of another task."""
        return next((tensor for tensor in self.inputs if tensor.datatype == "UINT8"), None)

    def suits(self, inputs: Sequence[TensorSpec], output: TensorSpec) -> bool:
        """Whether a model of these inputs and this output answers it."""
        own, given = ([spec.as_computed for spec in some] for some in (self.inputs, inputs))
        return own == given and self.output == output

    def is_asked_like(self, other: Self) -> bool:
        """Whether requests and answers of another task are those of this one."""
        tasks = (
            task.model_copy(
                update={
                    "inputs": tuple(spec.as_asked for spec in task.inputs),
                    "constants": None,
                }
            )
            for task in (self, other)
        )
        return next(tasks) == next(tasks)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [tensor.name for tensor in self.inputs]
        if len(set(names)) != len(names):
            raise ValueError(f"input names repeat: {names}")
        if len(names) > 1 and self.image is not None:
            raise ValueError("an image is the only input of its task")
        if (self.false_alarms is not None) != (self.kind == "anomaly"):
            raise ValueError(f"kind {self.kind}: false_alarms belongs to anomaly, which needs it")
        if self.kind == "anomaly" and self.labels != (NORMAL, ANOMALY):
            raise ValueError(f"an anomaly task has the labels {NORMAL!r} and {ANOMALY!r}")
        if self.offset is not None and self.classifies:
            raise ValueError(f"kind {self.kind}: offset belongs to regression")
        if self.kind == "clusters" and self.labels[-1:] != (NO_CLUSTER,):
            raise ValueError(f"the last label of a task of clusters is {NO_CLUSTER!r}")
        if self.classifies:
            if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
                raise ValueError("a classification task needs two or more distinct labels")
            if self.measure.label not in (None, *self.labels):
                raise ValueError(
                    f"the measure's class {self.measure.label!r} is none of the labels"
                )
        elif self.tolerance is None or self.interval_coverage is None or self.labels:
            raise ValueError("a regression task needs tolerance, interval_coverage and no labels")
        elif not self.measure.is_plain:
            raise ValueError(f"a regression task has no {self.measure.kind}: it has no classes")
        return self
