"""A cluster of three brokers, one of which goes away and comes back under traffic."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.three_brokers import ThreeBrokers
from tests.support.process import command
from tests.support.process.load import load
from tests.support.process.worker import Device, Worker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


def test_exactly_once_every_request_has_one_answer(digits_models: Path, tmp_path: Path) -> None:
    with kafka_needed():
        cluster = ThreeBrokers()
    with cluster:
        kafka = cluster.bootstrap_servers
        made = command.ounce("topics", "digits", "--partitions=3", f"--kafka={kafka}")
        assert made.code == 0, made.stderr
        options = ["--delivery=exactly-once", "--name=edge-1"]
        with Worker(kafka, digits_models, tmp_path / "log", options) as worker:
            device = Device(kafka)
            with load(device, [np.zeros(64, "<f4").tobytes()]) as sent:
                device.read(50)
                broker = cluster.brokers[0]
                broker.kill()
                device.read(len(device.predictions) + 200)  # two brokers are enough
                broker.start()
                cluster.wait_until_whole()
            device.read(sent[0])
            device.read_rest()
            answered = Counter(answer.id for answer in device.answers())
            assert set(answered.values()) == {1}
            assert set(answered) == {str(i) for i in range(sent[0])}
            assert worker.child.stop() == 0
            device.close()
