"""A worker that serves an anomaly task on a real Kafka: p-values, flags, floors and labels."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from ounce_schemas.documents import read_card
from ounce_schemas.prediction import Prediction

from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "pumps"
RATE = 0.02


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An isolation forest and Mahalanobis distances, learned without labels."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    flow = rng.normal(size=4000)
    table = pd.DataFrame({"flow": flow, "pressure": 2 * flow + 0.3 * rng.normal(size=4000)})
    table.to_csv(folder / "pumps.csv", index=False)
    options = ["--kind=anomaly", f"--false-alarms={RATE}"]
    return trained(folder, f"--data={folder / 'pumps.csv'}", *options)


def test_strange_readings_are_flagged_and_labels_correct_beliefs(
    topics: OwnTopics, workers: Workers, device: Device, models: Path
) -> None:
    topics.of_task(TASK)
    with np.load(models / TASK / "test-split.npz") as arrays:
        normal = arrays["input"].astype("<f4")
    strange = normal[:40].copy()
    strange[:, 1] += 9.0
    headers = [PATIENT, ("ce_minaccuracy", b"0.9")]
    with workers() as worker:
        for kind, rows in (("n", normal), ("s", strange)):
            for i, row in enumerate(rows):
                device.send(row.tobytes(), [("ce_id", f"{kind}-{i}".encode()), *headers])
        body = {
            "id": "json",
            "inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [0.0, 30.0]}],
        }
        device.send(json.dumps(body).encode(), headers)
        device.flush()
        device.read(len(normal) + len(strange) + 1)
        answers = {answer.id: answer for answer in device.answers()}
        assert not device.dead_letters

        flags = np.array([said(answers[f"n-{i}"], "label") for i in range(len(normal))])
        p = np.array([said(answers[f"n-{i}"], "p_value") for i in range(len(normal))])
        assert ((flags == "anomaly") == (p < RATE)).all()
        assert (flags == "anomaly").mean() < 2 * RATE  # of 1,000 rows, and luck
        assert abs(p.mean() - 0.5) < 0.05
        found = [said(answers[f"s-{i}"], "label") for i in range(len(strange))]
        assert found.count("anomaly") > 0.9 * len(found)

        whole = answers["json"]
        assert [output.name for output in whole.outputs] == [
            "label", "p_value", "score", "confidence"]  # fmt: skip
        assert said(whole, "label") == "anomaly"
        assert said(whole, "score") == pytest.approx(-np.log10(said(whole, "p_value")), rel=1e-3)
        assert whole.parameters.floor_met

        card = read_card(models / TASK / whole.model_name / "card.json")
        promised = whole.parameters.expected_accuracy
        assert promised == pytest.approx(card.validation_accuracy.value, abs=0.01)
        for i in range(len(normal)):  # all of it was strange after all
            device.label(json.dumps({"id": f"n-{i}", "label": "anomaly"}))
        wait_until(lambda: lowest_belief(worker) <= promised - 0.2, lambda: lowest_belief(worker))


def said(answer: Prediction, name: str) -> Any:
    (output,) = [output for output in answer.outputs if output.name == name]
    return msgspec.to_builtins(output)["data"][0]


def lowest_belief(worker: Worker) -> float:
    pattern = rf'^ounce_plan_expected_accuracy{{.*task="{TASK}"}} (\S+)$'
    found = re.findall(pattern, worker.get("/metrics")[1], re.MULTILINE)
    return min(map(float, found), default=1.0)
