"""Devices on a real mosquitto reach a real Kafka, and hear the answers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import paho.mqtt.client as mqtt
import pytest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient
from ounce_edge.wire.dead_letters import write_letter
from ounce_edge.wire.records import Record
from ounce_schemas.dead_letter import HEADER_REASON
from ounce_schemas.errors import InvalidMessageError, Reason

from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.child import free_port
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]
TASK = "gateway-forward"
OPTIONS = ["--map=sensors/+device/+task", f"--task={TASK}", "--name=g1"]


@pytest.fixture
def far_end(kafka: str, topics: OwnTopics) -> Iterator[FarEnd]:
    requests, predictions, letters, _ = topics.of_task(TASK)
    far = FarEnd(kafka, [requests, letters], predictions)
    yield far
    far.close()


def test_a_message_is_forwarded_and_its_answer_comes_back(
    kafka: str, far_end: FarEnd, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    log = tmp_path / "gateway.log"
    with (
        Gateway(mosquitto.url, kafka, log, [*OPTIONS, f"--store={tmp_path}/store.db"]) as gateway,
        MqttDevice(mosquitto.port, ["answers/d1/#"]) as device,
        MqttDevice(mosquitto.port, ["answers/d2/#"], mqtt.MQTTv311) as old,
    ):
        began_ms = time.time() * 1e3
        device.send(
            f"sensors/d1/{TASK}",
            b'{"a": 1}',
            ContentType="application/json",
            ResponseTopic="answers/d1/mine",
            CorrelationData=b"\x00\xff",
            UserProperty=[("specversion", "1.0"), ("id", "7"), ("maxlatencyms", "50")],
        )
        (request,) = far_end.read(1)
        headers = dict(request.headers() or [])
        assert (request.key(), request.value()) == (b"d1", b'{"a": 1}')
        assert headers["ce_id"] == b"7"
        assert headers["ce_maxlatencyms"] == b"50"
        assert headers["content-type"] == b"application/json"
        assert abs(request.timestamp()[1] - began_ms) < 60_000
        assert gateway.value_of("ounce_gateway_mqtt_away") == 0
        far_end.answer(request, b"yes")
        (answer,) = device.wait_for(1)
        assert (answer.topic, answer.payload) == ("answers/d1/mine", b"yes")
        assert answer.properties is not None
        assert answer.properties.CorrelationData == b"\x00\xff"
        assert ("id", "7") in answer.properties.UserProperty

        old.send(f"sensors/d2/{TASK}", b"raw")
        (request,) = far_end.read(1)
        far_end.answer(request, b"no")
        (answer,) = old.wait_for(1)
        assert (answer.topic, answer.payload) == (f"answers/d2/{TASK}", b"no")

        old.send("sensors/d2/no-such-task", b"x")
        old.send(f"sensors/d2/{TASK}", b"\x00" * 1_000_001)
        (letter,) = far_end.read(1)
        assert dict(letter.headers() or [])[HEADER_REASON] == b"too-large"
        refusal = old.wait_for(2)[1]
        assert b"--max-message-bytes" in refusal.payload
        assert gateway.value_of('ounce_gateway_refused_total{reason="bad-topic"}') == 1
        assert gateway.value_of('ounce_gateway_refused_total{reason="too-large"}') == 1
    assert gateway.child.process.returncode == 0, gateway.child.log_tail()


def test_a_label_comes_to_its_topic_and_a_refused_one_is_told(
    kafka: str, topics: OwnTopics, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    task = "gateway-labels"
    _, _, letters, labels = topics.of_task(task)
    far = FarEnd(kafka, [labels], letters)
    options = [
        "--map=sensors/+device/+task", "--labels=truth/+device/+task", f"--task={task}",
        "--name=labels", f"--store={tmp_path}/store.db",
    ]  # fmt: skip
    try:
        with (
            Gateway(mosquitto.url, kafka, tmp_path / "gateway.log", options),
            MqttDevice(mosquitto.port, ["answers/d1/#"]) as device,
        ):
            device.send(f"truth/d1/{task}", b'{"label": "7"}', UserProperty=[("ce_id", "r-1")])
            (label,) = far.read(1)
            assert (label.key(), label.value()) == (b"d1", b'{"label": "7"}')
            assert dict(label.headers() or [])["ce_id"] == b"r-1"
            why = InvalidMessageError(Reason.BAD_LABEL, "no such class")
            letter = write_letter(cast("Record", label), why)  # as a worker does
            far.publish(letter.key, letter.value, letter.headers)
            (told,) = device.wait_for(1)
            assert json.loads(told.payload) == {
                "error": "bad-label", "text": "no such class", "id": "r-1",
            }  # fmt: skip
    finally:
        far.close()


def test_a_gateway_that_ends_while_mqtt_is_away_asks_kafka_for_nothing_more(
    kafka: str, far_end: FarEnd, tmp_path: Path
) -> None:
    """Kafka lets it in while it waits for MQTT; it hears of that as it ends."""
    log, nowhere = tmp_path / "gateway.log", f"mqtt://127.0.0.1:{free_port()}"
    options = [*OPTIONS, f"--store={tmp_path}/store.db", f"--group={tmp_path.name}"]
    gateway = Gateway(nowhere, kafka, log, options)
    group = f"ounce-gateway-{tmp_path.name}"
    admin = AdminClient({"bootstrap.servers": kafka})

    def is_let_in() -> bool:
        try:
            found = admin.describe_consumer_groups([group])[group].result(60)
        except KafkaException:  # a new broker makes the topic of offsets first
            return False
        return bool(found.state is ConsumerGroupState.STABLE)

    try:
        wait_until(is_let_in, gateway.child.log_tail)
        assert gateway.value_of("ounce_gateway_mqtt_away") == 1
    finally:
        code = gateway.child.stop()
    assert code == 0, gateway.child.log_tail()
    assert "answers are not read" not in log.read_text()
