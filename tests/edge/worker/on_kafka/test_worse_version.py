"""A version of a model that is worse than its card says, on a real Kafka with labels: it is named,
gets no request whose floor it misses, and leaves by one step."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.edge.bad_versions import make_wrong
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device, Worker

pytestmark = pytest.mark.kafka

FLOOR = ("ce_minaccuracy", b"0.95")
SERIES = 'ounce_model_worse{model="mlp",task="digits"}'


def ask(device: Device, bodies: list[bytes], name: str) -> list[Any]:
    """Answers to these, in their order."""
    n = len(device.predictions)
    for i, body in enumerate(bodies):
        device.send(body, [("ce_id", f"{name}-{i}".encode()), PATIENT, FLOOR])
    device.flush()
    device.read(n + len(bodies))
    answers = {answer.id: answer for answer in device.answers()}
    return [answers[f"{name}-{i}"] for i in range(len(bodies))]


def test_a_version_that_labels_contradict_is_named_and_answers_no_more(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    folder, bad = tmp_path / "models" / "digits", tmp_path / "bad"
    for name in ("decision-tree", "logistic-regression", "mlp"):
        shutil.copytree(digits_models / "digits" / name, folder / name)
    shutil.copy(digits_models / "digits" / "task.json", folder)
    shutil.copytree(folder / "mlp", bad)
    make_wrong(bad)
    version = json.loads((bad / "card.json").read_text())["version"]
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        bodies = [row.tobytes() for row in arrays["input"].astype("<f4")]
        truth = arrays["targets"].tolist()
    options = [f"--group={consumer_group}", "--models-watch-s=0.2"]
    with Worker(kafka, folder.parent, tmp_path / "log", options) as worker:
        good = ask(device, bodies, "good")
        assert {answer.model_name for answer in good} == {"mlp"}
        for i, label in enumerate(truth):
            device.label(json.dumps({"id": f"good-{i}", "label": str(label)}))
        (folder / "mlp").rename(tmp_path / "good")
        bad.rename(folder / "mlp")
        wait_until(lambda: worker.events_of("models-changed"), worker.child.log_tail)
        assert worker.value_of(SERIES) == 0

        wrong = ask(device, bodies, "bad")
        assert {answer.model_version for answer in wrong} == {version}
        for i, label in enumerate(truth):
            device.label(json.dumps({"id": f"bad-{i}", "label": str(label)}))
        wait_until(lambda: worker.value_of(SERIES) == 1, worker.child.log_tail)
        ask(device, bodies[:1], "look")  # what is known is told when requests come
        wait_until(lambda: worker.events_of("model-worse"), worker.child.log_tail)
        assert [text.split(":")[0] for text in worker.events_of("model-worse")] == ["mlp"]
        assert version in worker.events_of("model-worse")[0]
        seen = ounce("status", f"127.0.0.1:{worker.port}")
        assert "`ounce models retire digits mlp` withdraws it" in " ".join(seen.stdout.split())

        after = ask(device, bodies[:50], "after")
        assert {answer.model_name for answer in after} == {"logistic-regression"}
        (folder / "mlp").rename(tmp_path / "withdrawn")
        wait_until(lambda: worker.value_of(SERIES) is None, worker.child.log_tail)
