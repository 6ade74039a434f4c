"""A topic that Kafka does not have holds up no other; what is for it is kept until it is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_edge.gateway.backlog import Backlog
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.store import Store
from ounce_edge.gateway.topic_watch import absent_topics

from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.kafka
THERE, ABSENT = "gateway-there", "gateway-absent"


@pytest.fixture
def far_end(kafka: str, topics: OwnTopics) -> Iterator[FarEnd]:
    requests, predictions, _, _ = topics.of_task(THERE)
    far = FarEnd(kafka, [requests], predictions)
    yield far
    far.close()


def test_stored_records_behind_one_of_an_absent_topic_go(
    kafka: str, topics: OwnTopics, far_end: FarEnd, tmp_path: Path
) -> None:
    there, absent = f"ounce.{THERE}.requests", "ounce.gateway-stored-absent.requests"
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    store.add([KafkaRecord(t, b"d", b"%d" % i, [], 1) for i in range(5) for t in (absent, there)])
    settings = {"bootstrap.servers": kafka, "message.max.bytes": 1_000_000}

    def look() -> frozenset[str]:
        client = AdminClient(settings)
        return absent_topics(client, store.topics(), client.list_topics(timeout=60).topics)

    backlog = Backlog(settings, [absent, there], store, 1000, lambda _: None, lambda *_: None)
    backlog.aside.absent = look()
    assert backlog.aside.absent == {absent}
    backlog.start()
    backlog.allow(True)
    try:
        wait_until(lambda: len(store) == 5, lambda: backlog.trouble)
        wait_until(lambda: absent in (backlog.trouble or ""), lambda: backlog.trouble)
        assert [m.value() for m in far_end.read(5)] == [b"%d" % i for i in range(5)]
        topics.make([absent])
        backlog.aside.absent = look()
        wait_until(lambda: not len(store), lambda: backlog.trouble)
        assert backlog.aside.absent == set()
    finally:
        backlog.close()
        store.close()
    late = FarEnd(kafka, [absent], "nowhere")
    try:
        assert [m.value() for m in late.read(5)] == [b"%d" % i for i in range(5)]
    finally:
        late.close()


@pytest.mark.mosquitto
def test_live_messages_of_an_absent_topic_are_kept_and_others_go(
    kafka: str, topics: OwnTopics, far_end: FarEnd, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    options = [
        "--map=sensors/+device/+task", f"--task={THERE}", f"--task={ABSENT}", "--name=absent",
        f"--store={tmp_path}/store.db",
    ]  # fmt: skip
    with (
        Gateway(mosquitto.url, kafka, tmp_path / "gateway.log", options) as gateway,
        MqttDevice(mosquitto.port) as device,
    ):
        log, metric = gateway.child.log_tail, gateway.value_of
        wait_until(lambda: metric("ounce_gateway_absent_topics") == 1, log)
        for i in range(3):
            device.send(f"sensors/a/{ABSENT}", b"%d" % i)
            device.send(f"sensors/b/{THERE}", b"%d" % i)
        assert [m.value() for m in far_end.read(3)] == [b"0", b"1", b"2"]
        wait_until(lambda: metric("ounce_gateway_stored_records") == 3, log)
        assert metric("ounce_gateway_kafka_away") == 0
        wait_until(lambda: ABSENT in gateway.get("/readyz")[1], log)
        topics.of_task(ABSENT)
        late = FarEnd(kafka, [f"ounce.{ABSENT}.requests"], "nowhere")
        try:
            assert [m.value() for m in late.read(3)] == [b"0", b"1", b"2"]
        finally:
            late.close()
        wait_until(lambda: gateway.get("/readyz")[0] == 200, log)
