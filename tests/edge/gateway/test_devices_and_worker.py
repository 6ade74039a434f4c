"""Real MQTT clients, a real gateway and a real worker: from a device's message to its answer."""

import json
from pathlib import Path

import pytest

from tests.support.kafka.topics import OwnTopics
from tests.support.process.bare_mqtt import BareDevice
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]
OPTIONS = ["--map=sensors/+device/+task", "--labels=truth/+device/+task", "--task=digits"]
REQUEST = json.dumps({"id": "r-1", "max_latency_ms": 3_600_000, "data": [0.0] * 64}).encode()
ANSWERED = 'ounce_gateway_answers_total{topic="ounce.digits.predictions"}'
JOINED = 'ounce_labels_total{outcome="joined",task="digits"}'


def test_a_device_that_was_away_hears_its_answer_and_sends_the_truth_later(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    consumer_group: str,
    mosquitto: Mosquitto,
    tmp_path: Path,
) -> None:
    topics.of_task("digits")
    options = [*OPTIONS, "--name=away", f"--store={tmp_path}/store.db"]
    with Gateway(mosquitto.url, kafka, tmp_path / "gateway.log", options) as gateway:
        with MqttDevice(mosquitto.port, ["answers/d1/#"], session="d1") as device:
            device.send("sensors/d1/digits", REQUEST)
        group = [f"--group={consumer_group}"]
        with Worker(kafka, digits_models, tmp_path / "worker.log", group) as worker:
            wait_until(lambda: gateway.value_of(ANSWERED) == 1, gateway.child.log_tail)
            with MqttDevice(mosquitto.port, ["answers/d1/#"], session="d1") as device:
                (heard,) = device.wait_for(1)
                answer = json.loads(heard.payload)
                assert (heard.topic, answer["id"]) == ("answers/d1/digits", "r-1")
                truth = {"id": "r-1", "label": answer["outputs"][0]["data"][0]}
                device.send("truth/d1/digits", json.dumps(truth).encode())
                wait_until(lambda: worker.value_of(JOINED) == 1, worker.child.log_tail)
            with BareDevice(mosquitto.port, "d2", "answers/d2/#") as bare:
                topic, told = bare.ask("sensors/d2/digits", REQUEST)
                assert (topic, json.loads(told)["id"]) == ("answers/d2/digits", "r-1")
                _, told = bare.ask("sensors/d2/digits", b'{"data": [0.0')
                assert json.loads(told)["error"] == "malformed-json"
