"""A worker that serves sequences on a real Kafka: whole ones, shorter ones, and letters."""

import json
from pathlib import Path

import numpy as np
import pytest
from ounce_schemas.dead_letter import HEADER_REASON

from tests.exporters.tasks.sequence.waves import wearing
from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "engines"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of remaining life, trained by the real command."""
    folder = tmp_path_factory.mktemp("models")
    wearing().drop(columns="state").to_csv(folder / "engines.csv", index=False)
    windows = ["--unit=unit", "--time=cycle", "--window=6", "--remaining=10"]
    return trained(folder, f"--data={folder / 'engines.csv'}", *windows, "--only=ridge")


def test_sequences_are_answered_and_what_is_none_gets_a_letter(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task(TASK)
    new = [[0.1, 0.0], [0.0, 0.5], [0.2, -0.5]]
    worn = [[7.0, 0.0], [7.4, 0.5], [8.0, -0.5], [8.3, 0.1], [8.9, 0.2], [9.4, 0.0]]
    good = {
        "new": json.dumps({"sequence": new}).encode(),
        "new-raw": np.array(new, "<f4").tobytes(),
        "worn": json.dumps({"sequence": worn}).encode(),
        "worn-raw": np.array(worn, "<f4").tobytes(),
    }
    bad = {
        "none": json.dumps({"sequence": [[None, None]] * 6}).encode(),
        "half": np.array([1, 2, 3], "<f4").tobytes(),
    }
    with workers():
        for name, body in {**good, **bad}.items():
            device.send(body, [("ce_id", name.encode()), PATIENT, ("ce_minaccuracy", b"0")])
        device.flush()
        device.read(len(good) + len(bad))
    left = {answer.id: float(answer.outputs[0].data[0]) for answer in device.answers()}
    assert left.keys() == good.keys()
    assert left["new"] > 7
    assert left["worn"] < 4
    assert left["new"] == pytest.approx(left["new-raw"], abs=1e-4)
    assert left["worn"] == pytest.approx(left["worn-raw"], abs=1e-4)
    reasons = [dict(letter.headers() or [])[HEADER_REASON] for letter in device.dead_letters]
    assert sorted(reasons) == [b"not-finite", b"wrong-length"]
