"""Records, cards and ladders made in memory, for unit tests of the edge."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from ounce_edge.models.catalogue import Ladder, ServedModel, explained_card
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.turn import Turn
from ounce_edge.wire.records import Headers, MadeRecord, Outgoing
from ounce_schemas.card import (
    AccuracyEstimate,
    Calibration,
    Latency,
    LatencyAtBatch,
    ModelCard,
    Parity,
    TrainingData,
)
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, TASK_FILE
from ounce_schemas.explanation import Explanation
from ounce_schemas.task import TaskSpec, TensorSpec

DIGITS = TaskSpec(
    name="digits",
    kind="classification",
    description="Four numbers in 0 to 16",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,), minimum=0, maximum=16),),
    labels=("zero", 'o"ne', "zwölf"),
)
NUMBERS = TaskSpec(
    name="numbers",
    kind="regression",
    description="A table of two numbers and a text",
    inputs=(
        TensorSpec(name="input", datatype="FP32", shape=(2,), allow_missing=True),
        TensorSpec(name="categories", datatype="BYTES", shape=(1,), allow_missing=True),
    ),
    tolerance=1.0,
    interval_coverage=0.9,
)
HEADER_JSON = ("content-type", b"application/json")
HEADER_RAW = ("content-type", b"application/octet-stream")


@dataclass
class FakeRecord(MadeRecord):
    """With a value for each field."""

    value_: bytes | None = None
    headers_: Headers | None = None
    key_: bytes | None = b"device-1"
    offset_: int = 7
    partition_: int = 3
    timestamp_ms: int = 1_000_000
    topic_: str = "ounce.digits.requests"


@dataclass
class Outbox:
    """Collects what is published."""

    records: list[tuple[str, bytes | None, bytes | None, Any]] = field(default_factory=list)

    def __call__(self, outgoing: Outgoing) -> None:
        topic, headers = outgoing.topic, outgoing.headers
        for i, (value, key) in enumerate(zip(outgoing.values, outgoing.keys, strict=True)):
            self.records.append((topic, value, key, headers[i] if headers else None))


def raw(*values: float) -> bytes:
    """The raw body of an input."""
    return np.array(values, dtype="<f4").tobytes()


def card(
    task: TaskSpec,
    name: str,
    *,
    accuracy: float = 0.95,
    low: float | None = None,
    ms_per_item: float = 0.1,
    size_bytes: int = 1000,
) -> ModelCard:
    """A card that promises what it is told to."""
    estimate = AccuracyEstimate(
        value=accuracy, low=accuracy - 0.02 if low is None else low, high=1.0, n=100
    )
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ModelCard(
        task=task.name,
        model=name,
        version=digest[:12],
        family="classical",
        algorithm="fake",
        inputs=task.inputs,
        output=task.output,
        validation_accuracy=estimate,
        test_accuracy=estimate,
        calibration=Calibration(method="temperature", n=100, temperature=1.0),
        parity=Parity(agreement=1.0, largest_difference=0.0, n=100),
        latency=Latency(
            runtime="fake 0",
            machine="none",
            threads=1,
            batches=tuple(
                LatencyAtBatch(batch_size=n, p50_ms=n * ms_per_item, p99_ms=n * ms_per_item * 1.2)
                for n in (1, 8, 64)
            ),
        ),
        size_bytes=size_bytes,
        parameters=1,
        training=TrainingData(
            sha256=digest, source="none", n_train=1, n_validation=100, n_test=100
        ),
        seed=0,
        libraries={},
        created=datetime(2026, 1, 1, tzinfo=UTC),
        sha256=digest,
    )


def explained(
    task: TaskSpec, name: str, answer: Callable[[Inputs], Any] | None = None, **promises: Any
) -> ServedModel:
    """A fake model that also explains its answers, in three times the time: each input adds its own
    value to a base of 0.5.

    Args:
        task: with one input of numbers.
        name: of the model.
        answer: what the graph that explains says; None: the first label, and such contributions.
        promises: as for `card`.
    """
    slower = {**promises, "ms_per_item": 3 * promises.get("ms_per_item", 0.1)}
    own = Explanation(
        method="exact",
        score="log-odds",
        inputs=tuple(f"x{i}" for i in range(task.inputs[0].size)),
        largest_error=0.0,
        latency=card(task, name, **slower).latency,
        size_bytes=2000,
        sha256=hashlib.sha256(f"{name} explained".encode()).hexdigest(),
    )
    whole = card(task, name, **promises).model_copy(update={"explanation": own})
    twin = explained_card(whole)
    assert twin is not None

    def explains(inputs: Inputs) -> Any:
        values = inputs[task.inputs[0].name]
        answers = np.zeros((len(values), task.output.size + 1), np.float32)
        answers[:, 0], answers[:, -1] = 1.0, 0.5
        return np.concatenate([answers, values], axis=1)

    graph = FakeModel(task, answer or explains)
    return ServedModel(whole, FakeModel(task), 0, explained=ServedModel(twin, graph, 0))


def served(
    task: TaskSpec,
    name: str,
    answer: Callable[[Inputs], Any] | None = None,
    **promises: Any,
) -> ServedModel:
    """A fake model with its card."""
    return ServedModel(card(task, name, **promises), FakeModel(task, answer), 0)


def serve(pipeline: Pipeline, records: Sequence[FakeRecord], outbox: Outbox) -> Report:
    """Admit records and answer all that waits; one report of it all."""
    whole = pipeline.admit(records, outbox)
    waited = []
    while len(pipeline.waiting):
        step = pipeline.step(outbox, Turn(slice_ms=1000.0))
        waited.append(step.waited_ms)
        whole.groups += step.groups
        whole.calls += step.calls
        whole.incidents += step.incidents
        whole.escalated += step.escalated
        whole.explanations += step.explanations
        whole.unanswered += step.unanswered
        whole.rejected = [*whole.rejected, *step.rejected]
        whole.next_offsets = {**whole.next_offsets, **step.next_offsets}
    whole.waited_ms = np.concatenate([np.empty(0), *waited])
    return whole


def ladder(task: TaskSpec, *models: ServedModel) -> Ladder:
    """A ladder of fake models."""
    return Ladder(task, models, (), (), "catalogue-1")


def write_ladder(models: Path, task: TaskSpec, *names: str) -> Path:
    """The folder of a ladder whose files a fake runtime takes; each says its model's name."""
    folder = models / task.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TASK_FILE).write_text(task.model_dump_json())
    for name in names:
        write_model(folder, task, name, f"model {name}")
    return folder


def write_model(folder: Path, task: TaskSpec, name: str, content: str, **promises: Any) -> None:
    """One model of such a ladder."""
    own = card(task, name, **promises).model_copy(
        update={"sha256": (digest := hashlib.sha256(content.encode()).hexdigest())}
    )
    own = own.model_copy(update={"version": digest[:12]})
    (folder / name).mkdir(exist_ok=True)
    (folder / name / MODEL_FILE).write_text(content)
    (folder / name / CARD_FILE).write_text(own.model_dump_json())
