"""The line goes down: what MQTT was told of comes to Kafka, in order, with its own time."""

import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Message
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.store import Store, StoreError

from tests.support.edge.backlogs import send_all
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.kafka
TASK = "gateway-stored"


def by_device(messages: list[Message]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for message in messages:
        found[bytes(message.key() or b"")].append(bytes(message.value() or b""))
    return dict(found)


@pytest.mark.mosquitto
def test_nothing_that_was_acknowledged_is_lost_when_kafka_is_away_and_the_gateway_is_killed(
    private_kafka: ApacheKafka, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    servers = private_kafka.bootstrap_servers
    requests, predictions, _, _ = OwnTopics(servers).of_task(TASK, partitions=2)
    options = [
        "--map=sensors/+device/+task", f"--task={TASK}", "--name=g", "--patience-s=0.3",
        f"--store={tmp_path}/store.db",
    ]  # fmt: skip
    names = iter(range(10**6))
    sent: dict[bytes, list[bytes]] = defaultdict(list)

    def send(device: MqttDevice, n: int) -> None:
        for _ in range(n):
            for key in ("a", "b", "c"):
                name = b"%d" % next(names)
                device.send(f"sensors/{key}/{TASK}", name)
                sent[key.encode()].append(name)

    with MqttDevice(mosquitto.port) as device:
        first = Gateway(mosquitto.url, servers, tmp_path / "first.log", options)
        first.wait_until_ready()
        send(device, 5)
        wait_until(lambda: forwarded(first) == 15, first.child.log_tail)
        private_kafka.stop()
        send(device, 10)
        wait_until(lambda: stored(first) == 30, first.child.log_tail)
        assert first.get("/readyz")[0] == 503
        assert first.get("/healthz")[0] == 200
        assert first.value_of("ounce_gateway_kafka_away") == 1
        back_ms = time.time() * 1e3
        first.child.kill()
        second = Gateway(mosquitto.url, servers, tmp_path / "second.log", options)
        try:
            wait_until(lambda: stored(second) >= 30, second.child.log_tail)
            private_kafka.start()
            send(device, 5)
            wait_until(
                lambda: stored(second) == 0 and forwarded(second) >= 45, second.child.log_tail
            )
        finally:
            assert second.child.stop() == 0, second.child.log_tail()
    far = FarEnd(servers, [requests], predictions)
    try:
        messages = far.read_all()
    finally:
        far.close()
    # MQTT may send again what the killed gateway acknowledged last.
    found = {key: [*dict.fromkeys(values)] for key, values in by_device(messages).items()}
    assert found == sent
    stored_ms = [m.timestamp()[1] for m in messages if 15 <= int(m.value() or b"") < 45]
    assert len(stored_ms) >= 30
    assert sum(at_ms <= back_ms for at_ms in stored_ms) >= 30


def forwarded(gateway: Gateway) -> float:
    return gateway.value_of(f'ounce_gateway_forwarded_total{{topic="ounce.{TASK}.requests"}}')


def stored(gateway: Gateway) -> float:
    return gateway.value_of("ounce_gateway_stored_records")


class Forgetful(Store):
    """Its process dies after Kafka has a batch and before it notes that."""

    dies = True

    def settle(self, batch: int, is_sent: bool) -> None:
        if is_sent and self.dies:
            raise StoreError("killed")
        super().settle(batch, is_sent)


def test_a_batch_that_kafka_has_is_not_sent_again_by_the_next_process(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    task = "gateway-once"
    requests, predictions, _, _ = topics.of_task(task)
    path = tmp_path / "store.db"
    records = [
        KafkaRecord(requests, b"d%d" % (i % 3), b"%d" % i, [("n", b"1")], 1_700_000_000_000 + i)
        for i in range(30)
    ]
    settings = {"bootstrap.servers": kafka, "message.max.bytes": 1_000_000}
    sent: list[KafkaRecord] = []

    def run(store: Store) -> None:
        backlog = Backlog(settings, [requests], store, 100, sent.extend, never)
        backlog.start()
        backlog.allow(True)
        try:
            wait_until(lambda: backlog.trouble is not None or not len(store), lambda: sent)
        finally:
            backlog.close()

    def never(record: KafkaRecord, why: str) -> KafkaRecord | None:
        raise AssertionError(why)

    first = Forgetful(path, Bounds(10**9, 1e9))
    first.add(records)
    run(first)
    assert first.open_batch() is not None
    first.close()
    second = Store(path, Bounds(10**9, 1e9))
    assert len(second) == 30
    run(second)
    second.close()
    far = FarEnd(kafka, [requests], predictions)
    try:
        messages = far.read_all()
    finally:
        far.close()
    assert [m.value() for m in messages] == [record.value for record in records]
    assert [m.timestamp()[1] for m in messages] == [record.timestamp_ms for record in records]
    assert messages[0].headers() == [("n", b"1")]
    assert 0 < len(sent) < 30, "the first batch was found in Kafka"


def test_a_clock_that_is_years_ahead_loses_nothing(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topic = "ounce.gateway-clock.requests"
    topics.make([topic], config={"message.timestamp.after.max.ms": "3600000"})
    ahead_ms = round((time.time() + 5 * 365 * 86_400) * 1e3)
    records = [
        KafkaRecord(topic, b"d", b"%d" % i, [], 1_700_000_000_000 if i % 2 else ahead_ms)
        for i in range(4)
    ]
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add(records)
    settings = {"bootstrap.servers": kafka, "message.max.bytes": 1_000_000}
    backlog = Backlog(
        settings, [topic], store, 1000, lambda _: None, lambda r, _: r._replace(timestamp_ms=1)
    )
    with closing(store):
        send_all(backlog, store)
    far = FarEnd(kafka, [topic], "nowhere")
    try:
        found = [(m.value(), m.timestamp()[1]) for m in far.read_all()]
    finally:
        far.close()
    assert found == [(b"0", 1), (b"1", 1_700_000_000_000), (b"2", 1), (b"3", 1_700_000_000_000)]
