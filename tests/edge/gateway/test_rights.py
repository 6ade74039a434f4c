"""A gateway on a Kafka that asks who comes, with the rights that the page on security lists."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kafka.acls import grant, withdraw
from tests.support.kafka.logins import PASSWORDS, documented_commands, scram, secure_kafka
from tests.support.kafka.needed import kafka_needed
from tests.support.kafka.secure import SecureKafka
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]

REQUEST = b'{"input": [' + b",".join([b"0"] * 64) + b"]}"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SecureKafka]:
    with kafka_needed(), secure_kafka(tmp_path) as kafka:
        yield kafka


def login(user: str) -> dict[str, str]:
    return {"OUNCE_SASL_PASSWORD": PASSWORDS[user]}


def test_the_documented_rights_suffice_also_for_what_was_stored_and_a_lacking_one_is_told(
    broker: SecureKafka, digits_models: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    options = ["--map=sensors/+device/+task", "--task=digits", f"--store={tmp_path}/store.db"]
    options += scram(broker, "gateway")[1:]
    worker_log, log = tmp_path / "worker.log", tmp_path / "gateway.log"
    with (
        Worker(
            broker.scram,
            digits_models,
            worker_log,
            scram(broker, "worker"),
            env=login("worker"),
        ),
        Gateway(mosquitto.url, broker.scram, log, options, login("gateway")) as gateway,
        MqttDevice(mosquitto.port, ["answers/#"]) as device,
    ):

        def send() -> None:
            device.send("sensors/d1/digits", REQUEST, ContentType="application/json")

        send()
        device.wait_for(1)
        device.send("sensors/d1/digits", b"0" * 1_000_001)
        assert b"too-large" in device.wait_for(2)[1].payload
        broker.stop()
        send()
        wait_until(lambda: gateway.value_of("ounce_gateway_stored_records") == 1, log.read_text)
        broker.start()
        device.wait_for(3)
        wait_until(lambda: gateway.get("/readyz")[0] == 200, log.read_text)

        to_read = [
            line
            for line in documented_commands()
            if "User:gateway --operation Read --topic" in line
        ]
        withdraw(broker.bootstrap_servers, to_read)
        wait_until(lambda: "answers are not read" in gateway.get("/readyz")[1], log.read_text)
        grant(broker.bootstrap_servers, to_read)
        wait_until(lambda: gateway.get("/readyz")[0] == 200, log.read_text)
        send()
        device.wait_for(4)
