"""What a worker spends beside model calls, per poll, per slice and per message."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.wire.records import Headers, MadeRecord
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.policy import Policy

SIZES = (1, 4, 16, 64, 256)
REPEATS = 60
CLIENT_MS = 0.004
"""Kafka client, per message: reading one with headers and producing one. `make bench`: 4.3 us of a
core, of which the hand-written loop spends 0.4 us in its model."""
POLL_MS = 0.1
"""Poll, thread switches and confirming, per slice: what a worker of this machine spends at low
rates beside the figures that are measured here."""


@dataclass(frozen=True)
class Overhead:
    """Milliseconds of a worker's core."""

    poll_ms: float
    """Per slice, before the decision: reading and decoding what is new."""
    admit_ms: float
    """Per message: reading and decoding it."""
    step_ms: float
    """Per slice: deciding, taking the messages, reporting."""
    group_ms: float
    """Per group of messages, however few it has: publishing answers and learning from the calls."""
    answer_ms: float
    """Per message: encoding and publishing its answer."""

    @property
    def item_ms(self) -> float:
        """Per message, in all."""
        return self.admit_ms + self.answer_ms


def request(place: int, body: bytes, own: Headers, at_ms: int) -> MadeRecord:
    """A request of one of a hundred devices, with headers of its own."""
    return MadeRecord(body, own, b"device-%d" % (place % 100), place, 0, at_ms, "requests")


def headers(i: int, max_latency_ms: float, min_accuracy: float) -> Headers:
    """Headers of a request that names both targets."""
    return [
        ("ce_id", b"%d" % i),
        ("ce_source", b"/devices/%d" % (i % 100)),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"io.ounce.request"),
        ("ce_maxlatencyms", b"%g" % max_latency_ms),
        ("ce_minaccuracy", b"%g" % min_accuracy),
        ("content-type", b"application/octet-stream"),
    ]


def measure_overhead(models_dir: Path, task: str) -> Overhead:
    """Time a pipeline without Kafka on groups of messages, take away its model calls, and fit a
    line: a fixed part and one per message. The Kafka client's part is added as a constant. Of the
    fixed part a group takes what the pipeline has learned of it."""
    ladder = load_ladder(models_dir, task, OnnxCpuRuntime(1))
    pipeline = Pipeline(Edition(ladder, Policy().for_task(task)))
    with np.load(models_dir / task / TEST_SPLIT_FILE, allow_pickle=False) as split:
        bodies = [row.tobytes() for row in split[ladder.task.inputs[0].name].astype("<f4")]
    floors = np.linspace(0.5, 0.8, 4)
    place = 0
    admit: dict[int, list[float]] = {n: [] for n in SIZES}
    step: dict[int, list[float]] = {n: [] for n in SIZES}
    for _ in range(REPEATS):
        for n in SIZES:
            at_ms = int(time.time() * 1e3)
            records = []
            for _ in range(n):
                own = headers(place, 1e4, floors[place % 4])
                records.append(request(place, bodies[place % len(bodies)], own, at_ms))
                place += 1
            began_s = time.perf_counter()
            pipeline.admit(records, _publish)
            admitted_s = time.perf_counter()
            ran_ms = 0.0
            while len(pipeline.waiting):
                ran_ms += sum(call.run_ms for call in pipeline.step(_publish, Turn(1e3)).calls)
            admit[n].append((admitted_s - began_s) * 1e3)
            step[n].append((time.perf_counter() - admitted_s) * 1e3 - ran_ms)
    poll_ms, admit_ms = _line(admit)
    step_ms, answer_ms = _line(step)
    admit_ms, answer_ms = CLIENT_MS / 2 + admit_ms, CLIENT_MS / 2 + answer_ms
    group_ms = pipeline.plans.overhead.group_ms
    step_ms = max(step_ms - group_ms, 0.0)
    return Overhead(POLL_MS + poll_ms, admit_ms, step_ms, group_ms, answer_ms)


def _publish(*_: Any) -> None:
    """The client's part is a constant."""


def _line(times_ms: dict[int, list[float]]) -> tuple[float, float]:
    """Offset and slope of the medians by number of messages."""
    medians = {n: float(np.median(times)) for n, times in times_ms.items()}
    most = SIZES[-1]
    slope = (medians[most] - medians[SIZES[2]]) / (most - SIZES[2])
    return max(medians[1] - slope, 0.0), max(slope, 0.0)
