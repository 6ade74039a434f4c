"""The hand-written contract gives what the worker gives, but for the decision's own figures."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction

from benchmarks.worker.contract import Contract
from tests.support.edge.ladders import (
    DIGITS,
    HEADER_RAW,
    FakeRecord,
    Outbox,
    ladder,
    raw,
    serve,
    served,
)
from tests.support.edge.pipelines import standing_clocks
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device

PROBABILITIES = (0.125, 0.625, 0.25)
MODEL = served(DIGITS, "a", lambda inputs: np.array([PROBABILITIES] * len(inputs["input"]), "f4"))
EVENT = (
    ("ce_id", b"n-1"), ("ce_source", b"/devices/1"), ("ce_maxlatencyms", b"90"),
    ("ce_minaccuracy", b"0.5"), ("traceparent", b"00-1-2-01"),
)  # fmt: skip
CHOSEN = {"policy_version", "catalogue_version", "reason", "rejected", "expected_accuracy",
          "cost_ms", "saved_ms", "latency_ms", "deadline_met"}  # fmt: skip
"""What the decision and the clock make of an answer."""


def body(**more: Any) -> bytes:
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    return json.dumps({"inputs": [tensor], **more}).encode()


@pytest.mark.parametrize(
    "record",
    [
        FakeRecord(raw(1, 2, 3, 4), [*EVENT, HEADER_RAW]),
        FakeRecord(body(), EVENT),
        FakeRecord(body(id="own", parameters={"max_latency_ms": 80, "min_accuracy": 0.25})),
    ],
)
def test_document_and_headers_are_the_workers(record: FakeRecord) -> None:
    outbox = Outbox()
    edition = Edition(
        ladder(DIGITS, MODEL), Policy().for_task("digits"), lambda model: card_belief(model.card)
    )
    pipeline = Pipeline(edition, clocks=standing_clocks())
    serve(pipeline, [record], outbox)
    [(_, workers, _, workers_headers)] = outbox.records
    contract = Contract(DIGITS, MODEL.card, lambda x: np.array([PROBABILITIES] * len(x), "f4"))
    [(value, headers)] = contract.answer([record])
    theirs, ours = json.loads(workers or b""), json.loads(value)
    msgspec.json.decode(value, type=Prediction)
    assert headers == workers_headers
    assert ours["parameters"].keys() == theirs["parameters"].keys() - {"rejected"}
    for document in (theirs, ours):
        kept = document["parameters"].items()
        document["parameters"] = {name: value for name, value in kept if name not in CHOSEN}
    assert ours == theirs


def test_a_bare_record_is_known_by_its_place() -> None:
    contract = Contract(DIGITS, MODEL.card, lambda x: np.array([PROBABILITIES] * len(x), "f4"))
    answers = contract.answer([FakeRecord(raw(1, 2, 3, 4), offset_=i) for i in (7, 8)])
    assert [headers for _, headers in answers] == [None, None]
    ids = [msgspec.json.decode(value, type=Prediction).id for value, _ in answers]
    assert ids == ["ounce.digits.requests-3-7", "ounce.digits.requests-3-8"]


@pytest.mark.kafka
def test_the_loop_commits_what_it_answered(
    kafka: str, topics: OwnTopics, device: Device, digits_models: Path, consumer_group: str
) -> None:
    topics.of_task("digits", 1)
    row = np.load(digits_models / "digits" / "test-split.npz")["input"][0].astype("<f4").tobytes()
    for i in range(3):
        device.send(row, [("ce_id", b"%d" % i), HEADER_RAW])
    device.flush()
    names = ["ounce.digits.requests", "ounce.digits.predictions"]
    command = ["-m", "benchmarks.worker.contract_loop", digits_models / "digits", "mlp", kafka]
    subprocess.run([sys.executable, *command, *names, consumer_group, "3"], check=True, timeout=60)
    device.read(3)
    assert sorted(answer.id for answer in device.answers()) == ["0", "1", "2"]
    reader = Consumer({"bootstrap.servers": kafka, "group.id": consumer_group})
    [at] = reader.committed([TopicPartition(names[0], 0)], timeout=30)
    reader.close()
    assert at.offset == 3
