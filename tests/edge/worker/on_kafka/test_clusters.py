"""A worker that serves a task of clusters on a real Kafka: assignment, distance and floors."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from ounce_schemas.prediction import Prediction

from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "segments"
CENTRES = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 30.0]])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups, the first the largest."""
    folder = tmp_path_factory.mktemp("models")
    rng = np.random.default_rng(0)
    rows = CENTRES[rng.choice(3, 600, p=[0.5, 0.3, 0.2])] + rng.normal(size=(600, 2))
    pd.DataFrame(rows, columns=["spend", "visits"]).to_csv(folder / "segments.csv", index=False)
    options = ["--kind=clusters", "--clusters=3", "--only=k-means", "--only=gaussian-mixture"]
    return trained(folder, f"--data={folder / 'segments.csv'}", *options)


def test_items_are_assigned_with_their_distance(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task(TASK)
    headers = [PATIENT, ("ce_minaccuracy", b"0.9")]
    with workers():
        for i, centre in enumerate(CENTRES):
            device.send(centre.astype("<f4").tobytes(), [("ce_id", str(i).encode()), *headers])
        far: dict[str, Any] = {"spend": 10.0, "visits": 15.0}
        device.send(json.dumps({"id": "far", **far}).encode(), headers)
        device.flush()
        device.read(len(CENTRES) + 1)
        answers = {answer.id: answer for answer in device.answers()}
        assert not device.dead_letters
    for i in range(len(CENTRES)):
        assert said(answers[str(i)], "label") == f"cluster-{i + 1}"
        assert said(answers[str(i)], "distance") < 0.5
        assert answers[str(i)].parameters.floor_met
    assert said(answers["far"], "label") == "none"
    assert said(answers["far"], "distance") > 1
    assert [output.name for output in answers["far"].outputs] == ["label", "distance", "confidence"]


def said(answer: Prediction, name: str) -> Any:
    (output,) = [output for output in answer.outputs if output.name == name]
    return msgspec.to_builtins(output)["data"][0]
