"""A disk that is full: MQTT keeps what the gateway can't, and nothing is lost or out of order."""

from pathlib import Path

import pytest

from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.small_disk import SmallDisk
from tests.support.process.wait import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]
TASK = "gateway-full-disk"
N, BYTES = 1000, 20_000
OPTIONS = [
    "--map=sensors/+device/+task",
    f"--task={TASK}",
    "--name=full",
    "--patience-s=0.3",
    "--max-message-bytes=100000",
]


@pytest.mark.parametrize("may_mount", [True, False])
def test_nothing_is_lost_on_a_full_disk_with_kafka_away_and_kill_9(
    kafka: str,
    topics: OwnTopics,
    mosquitto: Mosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    may_mount: bool,
) -> None:
    if not may_mount:
        monkeypatch.setattr(SmallDisk, "_mount", lambda *_: False)
    requests, predictions, _, _ = topics.of_task(TASK)
    sent = [b"%d " % i + bytes(BYTES) for i in range(N)]
    nowhere = "127.0.0.1:1"
    options = [*OPTIONS, f"--store={tmp_path}/disk/store.db"]
    with SmallDisk(tmp_path / "disk", 9000) as disk, MqttDevice(mosquitto.port) as device:
        first = Gateway(mosquitto.url, nowhere, tmp_path / "first.log", options)
        try:
            disk.hold(first.child.pid)
            log, metric = first.child.log_tail, first.value_of
            first.wait_until_ready()
            for body in sent:
                device.send(f"sensors/d/{TASK}", body)
            wait_until(lambda: metric("ounce_gateway_store_failing") == 1, log)
            n_before = metric("ounce_gateway_stored_records")
            assert n_before < N
            assert "can't be written" in first.get("/readyz")[1]
            assert first.get("/healthz")[0] == 200
            disk.grow(9500)
            wait_until(lambda: metric("ounce_gateway_stored_records") > n_before, log)
            wait_until(lambda: metric("ounce_gateway_store_failing") == 1, log)
            assert metric("ounce_gateway_stored_records") < N
        finally:
            first.child.kill()
        disk.hold(None)
        disk.grow(60_000)
        far = FarEnd(kafka, [requests], predictions)
        try:
            with Gateway(mosquitto.url, kafka, tmp_path / "second.log", options):
                assert first_of_each(far) == sent
        finally:
            far.close()


def test_what_is_stored_leaves_a_disk_that_stays_full(
    kafka: str, topics: OwnTopics, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    requests, predictions, _, _ = topics.of_task(TASK)
    sent = [b"%d " % i + bytes(BYTES) for i in range(N)]
    options = [*OPTIONS, f"--store={tmp_path}/disk/store.db"]
    far = FarEnd(kafka, [requests], predictions)
    with SmallDisk(tmp_path / "disk", 12_000) as disk, MqttDevice(mosquitto.port) as device:
        disk.need_mount()
        first = Gateway(mosquitto.url, "127.0.0.1:1", tmp_path / "first.log", options)
        try:
            first.wait_until_ready()
            for body in sent:
                device.send(f"sensors/d/{TASK}", body)
            wait_until(
                lambda: first.value_of("ounce_gateway_store_failing") == 1, first.child.log_tail
            )
            disk.fill()
        finally:
            first.child.kill()
        second = Gateway(mosquitto.url, kafka, tmp_path / "second.log", options)
        try:
            metric, log = second.value_of, second.child.log_tail
            wait_until(lambda: metric("ounce_gateway_store_failing") == 1, log)
            assert "can't be written" in second.get("/healthz")[1]
            assert first_of_each(far) == sent
            wait_until(lambda: metric("ounce_gateway_store_failing") == 0, log)
            wait_until(lambda: metric("ounce_gateway_stored_records") == 0, log)
        finally:
            assert second.child.stop() == 0, log()
            far.close()


def first_of_each(far: FarEnd) -> list[bytes]:
    """All that was sent, as it first came: MQTT may send some again."""
    found: dict[bytes, None] = {}
    while len(found) < N:
        found.setdefault(far.read(1)[0].value() or b"")
    return [*found]
