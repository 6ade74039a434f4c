"""Answers that Kafka dropped while no gateway ran cost only themselves."""

from pathlib import Path

import pytest
from ounce_schemas.topics import task_topics

from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]
OPTIONS = ["--map=sensors/+device/+task", "--task=digits"]
ANSWERED = 'ounce_gateway_answers_total{topic="ounce.digits.predictions"}'


def test_answers_that_are_kept_come_after_others_expired(
    kafka: str, topics: OwnTopics, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    requests, predictions, *_ = task_topics("digits")
    topics.of_task("digits")
    options = [*OPTIONS, "--name=late", f"--store={tmp_path}/store.db"]
    log = tmp_path / "gateway.log"
    far_end = FarEnd(kafka, [requests], predictions)
    with MqttDevice(mosquitto.port, ["answers/#"]) as device:
        with Gateway(mosquitto.url, kafka, log, options) as gateway:
            device.send("sensors/d1/digits", b"{}")
            [request] = far_end.read(1)
            far_end.answer(request, b"0")
            wait_until(lambda: gateway.value_of(ANSWERED) == 1, log.read_text)
            device.wait_for(1)
        for i in range(1, 6):
            far_end.answer(request, b"%d" % i)
        topics.cut(predictions, 3)
        with Gateway(mosquitto.url, kafka, log, options):
            far_end.answer(request, b"6")
            heard = device.wait_for(5)
    far_end.close()
    assert [message.payload for message in heard] == [b"0", b"3", b"4", b"5", b"6"]
    assert "2 answers of ounce.digits.predictions[0] expired unread" in log.read_text()
