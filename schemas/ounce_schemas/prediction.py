"""A prediction on the wire: an Open Inference Protocol V2 response plus the decision.

A request with CloudEvents headers gets a CloudEvents answer with the same `ce_id`; a bare record
gets a bare answer. The body holds the id in both cases.
"""

import msgspec

from ounce_schemas.routing import Choice, Objective

PREDICTION_EVENT_TYPE = "io.ounce.prediction"
MARKS = ("duplicate", "timestamp_off", "unknown_text", "unseen_missing")
"""Parameters of few answers; absent where they are false."""


class Decision(msgspec.Struct):
    """How the answer came about: the response's `parameters`.

    Each is a text, a number or a boolean: the protocol allows nothing else there.
    """

    task: str
    plan: str
    reason: Choice
    """A value of `routing.Choice`."""
    policy_version: str
    catalogue_version: str
    max_latency_ms: float
    min_accuracy: float
    expected_accuracy: float
    """What is believed of the plan by the task's measure, such as the share of acceptable
    predictions; of an answer that was cut short, its calibrated confidence."""
    latency_ms: float
    """From the record's timestamp to the encoding of this answer; from reading the record where
    `timestamp_off`."""
    deadline_met: bool
    floor_met: bool
    cost_ms: float
    """Compute spent on this item."""
    saved_ms: float
    """Compute that the most accurate model would have spent more."""
    gpu_ms: float | None = None
    """What of `cost_ms` was spent on a GPU; absent where nothing was."""
    rows: int | None = None
    """Of a message of several rows: how many. Costs are then sums, the time is the longest, and
    targets are met where all rows met them."""
    rejected: str = ""
    """Each lighter plan that was not taken, and why, the lightest first: `PLAN: WHY; PLAN: WHY`."""
    objective: Objective | None = None
    """The policy's, where it is not CPU time."""
    cost: float | None = None
    """Spent on this item in the objective's unit: joules, bytes of memory, or the unit of
    the policy's prices."""
    cost_saved: float | None = None
    """What the most accurate model would have cost more, in the same unit."""
    duplicate: bool = False
    """The same `ce_source` and `ce_id` were answered recently; without a `ce_source`, the same key
    and `ce_id`."""
    timestamp_off: bool = False
    """The record's timestamp is more than 12 hours behind the worker's clock, or more than a minute
    ahead: the deadline counts from when the worker read the record."""
    explanation: str | None = None
    """How the contributions were found: a value of `explanation.Method`."""
    explained: str | None = None
    """What they add up to, with the base: a value of `explanation.Score`."""
    not_explained: str | None = None
    """An explanation was asked for, and there is none: `no-model`, none that may answer explains;
    or `targets`, none that explains meets deadline and floor, or it failed."""
    unknown_text: bool = False
    """A text of the request is none that the models have learned; they answer as for a rare one."""
    unseen_missing: bool = False
    """A value of the request is missing in a column that has no gap in the rows that the models
    have learned: how well they answer without it was never measured."""


class NumberOutput(msgspec.Struct, tag_field="datatype", tag="FP32"):
    """A tensor of numbers, flat, row-major."""

    name: str
    shape: list[int]
    data: list[float]


class DoubleOutput(NumberOutput, tag="FP64"):
    """Numbers that FP32 would blur."""


class TextOutput(msgspec.Struct, tag_field="datatype", tag="BYTES"):
    """A tensor of UTF-8 texts."""

    name: str
    shape: list[int]
    data: list[str]


class Prediction(msgspec.Struct):
    """An answer.

    Classification outputs are `label` (BYTES, [1]), `confidence` (FP32, [1]) and, where asked for,
    `probabilities` (FP32, [1, n_labels]); regression outputs are `value` (FP32, [1]) and
    `interval` (FP32, [1, 2]), both FP64 where the task has an offset; anomaly outputs are `label`
    (`normal` or `anomaly`), `p_value` (FP32, [1]: share of normal items that are as strange),
    `score` (FP32, [1]: minus the decimal logarithm of the p-value) and `confidence`; outputs of
    clusters are `label` (a cluster or `none`), `distance` (FP32, [1]: from the nearest cluster,
    which ends at 1) and `confidence`. A JSON request gets all unless it names some in `outputs`; a
    raw request gets the first two.

    An answer with its explanation also holds `contributions` (FP32, [1, n_inputs]), `inputs`
    (BYTES, [1, n_inputs]: what they are of), and `base` (FP32, [1]): base and contributions add up
    to the score that `explained` names.

    The answer to a message of N rows has N in place of the first 1 of each shape. Where several
    models answered, the output `model` (BYTES, [N]) names that of each row.
    """

    model_name: str
    model_version: str
    id: str
    parameters: Decision
    outputs: list[NumberOutput | DoubleOutput | TextOutput]
