"""`ounce models` and a worker that follows it, on a real Kafka."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer
from ounce_edge.broker.followed_models import require_compacted
from ounce_schemas.errors import BrokerError
from ounce_schemas.topics import models_topic

from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce
from tests.support.process.load import load, read_until, rename
from tests.support.process.worker import OUNCE, Device, Worker

pytestmark = pytest.mark.kafka


def models(*arguments: object) -> str:
    """Run `ounce models`."""
    done = ounce("models", *map(str, arguments))
    assert done.code == 0, done.stderr
    return done.stdout


def test_a_published_model_serves_and_one_of_another_key_does_not(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits", partitions=2)
    topics.make([models_topic()], config={"cleanup.policy": "compact"})
    folder, store = tmp_path / "models" / "digits", tmp_path / "store"
    shutil.copytree(digits_models / "digits", folder)
    with np.load(folder / "test-split.npz") as arrays:
        values = [row.tobytes() for row in arrays["input"].astype("<f4")]
    models("key", tmp_path / "k.pem")
    models("key", tmp_path / "other.pem")
    places = [f"--store={store}", f"--kafka={kafka}"]
    models("publish", folder, f"--key={tmp_path / 'k.pem'}", *places)
    options = [
        f"--group={consumer_group}",
        f"--models-store={store}",
        f"--models-key={tmp_path / 'k.pem.pub'}",
        f"--models-cache={tmp_path / 'cache'}",
    ]
    nowhere = tmp_path / "nowhere"  # all models come from the store
    producer = Producer({"bootstrap.servers": kafka})
    with Worker(kafka, nowhere, tmp_path / "log", options) as worker:
        log = worker.child.log
        with load(device, values) as sent:
            device.read(50)
            for key in (b"digits", b"\xff", b"nobody"):  # costs nothing but itself
                producer.produce(models_topic(), b"{half", key)
            assert producer.flush(60) == 0
            shutil.copytree(folder / "mlp", folder / "second-mlp")
            rename(folder / "second-mlp", "second-mlp")
            models("publish", folder / "second-mlp", f"--key={tmp_path / 'k.pem'}", *places)
            read_until(device, lambda: "new: second-mlp" in log.read_text(), "it does not serve")
            models("retire", "digits", "mlp", f"--key={tmp_path / 'other.pem'}", *places)
            refused = "event=models-refused task=digits"
            read_until(device, lambda: refused in log.read_text(), "it is not refused")
        device.read(sent[0])
        assert "its signature is not one by" in log.read_text()
        assert log.read_text().count("ounce.models[0]: the record at ") == 3
        assert worker.child.stop() == 0
    device.read_rest()
    answers = device.answers()
    assert Counter(a.id for a in answers) == {str(i): 1 for i in range(sent[0])}
    assert len({a.parameters.catalogue_version for a in answers}) == 2
    store.rename(tmp_path / "away")
    with Worker(kafka, nowhere, tmp_path / "log2", options) as worker:  # with what served last
        assert "are those that served last" in worker.child.log.read_text()
        assert 'model="second-mlp"' in worker.get("/metrics")[1]
    (tmp_path / "away").rename(store)
    listed = models("list", "digits", *places)
    assert "serves as number 3" in listed
    assert len(listed.splitlines()) == 3


def test_a_topic_that_is_not_compacted_is_refused_by_name(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path
) -> None:
    topics.of_task("digits")
    with pytest.raises(BrokerError, match=r"ounce\.models is absent: publish something"):
        require_compacted({"bootstrap.servers": kafka}, models_topic())
    topics.make([models_topic()])
    places = [f"--kafka={kafka}", f"--store={tmp_path}"]
    worker = [OUNCE, "worker", "--task=digits", *places[:1], f"--models={digits_models}"]
    worker += [f"--models-store={tmp_path}", "--models-unsigned", "--metrics-port=0"]
    worker += [f"--models-cache={tmp_path / 'cache'}"]
    published = ounce("models", "publish", digits_models / "digits", *places)
    served = subprocess.run(worker, capture_output=True, text=True, timeout=60, check=False)
    assert (published.code, served.returncode) == (1, 1)
    for told in (published.stderr, served.stderr):
        assert "topic ounce.models has cleanup.policy=delete" in told
        assert "Set cleanup.policy=compact" in told
