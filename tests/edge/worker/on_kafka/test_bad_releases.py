"""Models that end the process that runs them, on a real Kafka: no worker ends, also none that
starts with them, and everybody can see what serves."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_schemas.topics import events_topic, models_topic

from tests.support.edge.bad_versions import make_crashing, make_explanation_crash
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.wait import wait_until
from tests.support.process.worker import PATIENT, Device, Worker

pytestmark = pytest.mark.kafka

NAMES = ("decision-tree", "mlp")


@pytest.fixture
def folder(digits_models: Path, tmp_path: Path) -> Path:
    """Two models of digits."""
    folder = tmp_path / "models" / "digits"
    for name in NAMES:
        shutil.copytree(digits_models / "digits" / name, folder / name)
    shutil.copy(digits_models / "digits" / "task.json", folder)
    return folder


@pytest.fixture
def body(digits_models: Path) -> bytes:
    """Of a request."""
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        found: bytes = arrays["input"][0].astype("<f4").tobytes()
    return found


def shown(worker: Worker) -> dict[str, Any]:
    """What the worker's page says of its models."""
    [found] = json.loads(worker.get("/models")[1])
    assert isinstance(found, dict)
    return found


def status(worker: Worker) -> str:
    """What `ounce status` says, in one line."""
    return " ".join(ounce("status", f"127.0.0.1:{worker.port}").stdout.split())


def version(folder: Path) -> str:
    """Of a model."""
    found: str = json.loads((folder / "card.json").read_text())["version"]
    return found


def test_a_worker_that_starts_with_a_fatal_model_serves_the_others(
    kafka: str,
    topics: OwnTopics,
    folder: Path,
    body: bytes,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    make_explanation_crash(folder / "decision-tree")
    make_crashing(folder / "mlp")
    options = [f"--group={consumer_group}", f"--state={tmp_path / 'state'}"]
    for n in (1, 2):  # the second start knows what passed, and tries again what did not
        with Worker(kafka, folder.parent, tmp_path / f"log{n}", options) as worker:
            device.send(body, [("ce_id", b"%d" % n), PATIENT])
            device.flush()
            device.read(n)
            assert worker.value_of('ounce_models_refused{task="digits"}') == 1
            told = dict(text.split(": ", 1) for text in worker.events_of("model-refused"))
            assert told.keys() == {"mlp", "decision-tree explained"}
            assert "took its process down: the process ended with signal 8" in told["mlp"]
            assert shown(worker)["models"] == {"decision-tree": version(folder / "decision-tree")}
            assert "! digits: refused: mlp: " in status(worker)
            assert worker.child.stop() == 0
    assert {a.model_name for a in device.answers()} == {"decision-tree"}
    shutil.rmtree(folder / "decision-tree")
    with pytest.raises(RuntimeError, match=r"no model can serve: mlp: .* took its process down"):
        Worker(kafka, folder.parent, tmp_path / "log3", options).__enter__()


def test_a_release_that_is_fatal_is_refused_also_by_a_worker_that_starts(
    kafka: str,
    topics: OwnTopics,
    folder: Path,
    body: bytes,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    topics.make([models_topic()], config={"cleanup.policy": "compact"})
    topics.make([events_topic()])
    places = [f"--store={tmp_path / 'store'}", f"--kafka={kafka}"]

    def models(*words: object) -> str:
        done = ounce("models", *map(str, words), *places)
        assert done.code == 0, done.stderr
        return done.stdout

    good = models("publish", folder).split()[1]
    options = [
        f"--group={consumer_group}",
        f"--state={tmp_path / 'state'}",
        f"--models-store={tmp_path / 'store'}",
        f"--models-cache={tmp_path / 'cache'}",
        "--models-unsigned",
        "--name=edge-1",
    ]
    nowhere = tmp_path / "nowhere"
    with Worker(kafka, nowhere, tmp_path / "log1", options) as worker:
        assert shown(worker)["release"].startswith(good)
        make_crashing(folder / "mlp")
        shutil.rmtree(folder / "decision-tree")
        bad = models("publish", folder).split()[1]
        wait_until(lambda: worker.events_of("models-refused"), worker.child.log_tail)
        asked = "asked for as number 2, refused by 1 worker"
        wait_until(lambda: asked in models("list", "digits"), worker.child.log_tail)
        assert worker.child.stop() == 0
    with Worker(kafka, nowhere, tmp_path / "log2", options) as worker:
        device.send(body, [PATIENT])
        device.flush()
        device.read(1)
        now = shown(worker)
        assert (now["release"][:12], now["asked"][:12]) == (good, bad)
        assert now["models"].keys() == set(NAMES)
        assert f"release {bad} does not serve, release {good} does" in status(worker)
        detail = " ".join(models("show", "digits").split())
        assert f"worker edge-1 serves {good}" in detail
        assert "took its process down" in detail
        models("restore", "digits", good)
        wait_until(lambda: shown(worker)["asked"][:12] == good, worker.child.log_tail)
        assert "does not serve" not in status(worker)
        good_again = "serves as number 3"
        wait_until(lambda: good_again in models("list", "digits"), worker.child.log_tail)
        assert worker.child.stop() == 0
