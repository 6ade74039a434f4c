"""Devices are answered while Kafka is away; what was answered follows, once."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.bounds import Bounds
from ounce_edge.gateway.forwarder import Forwarder
from ounce_edge.gateway.forwarding import Rules
from ounce_edge.gateway.local import LocalServing
from ounce_edge.gateway.store import Store
from ounce_edge.gateway.stored import Most
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.wire.records import Headers
from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topics import answered_topic, requests_topic

from tests.edge.gateway.test_forwarder import FakeBacklog, FakeLine
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

INPUT = np.zeros(64, "<f4").tobytes()
REPLY = (HEADER_REPLY, b"here")


def test_inputs_answers_and_letters_are_stored_together(
    digits_models: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    safe: list[Arrived] = []
    forwarder = Forwarder(FakeLine(), store, FakeBacklog(), Rules(), safe.append)
    heard: list[tuple[bytes | None, Headers]] = []
    local = LocalServing(
        digits_models,
        ["digits"],
        None,
        forwarder,
        lambda body, headers: heard.append((body, headers)),
    )
    topic = requests_topic("digits")
    assert local.serves(topic)
    assert not local.serves(requests_topic("others"))
    asked = [
        (
            KafkaRecord(topic, b"d%d" % i, body, [REPLY], 1_700_000_000_000 + i),
            Arrived("t", body, 0, 1),
        )
        for i, body in enumerate([INPUT, b"nonsense", INPUT])
    ]
    assert local.answer(asked) == 3
    forwarder.turn()
    assert set(map(id, safe)) == {id(arrived) for _, arrived in asked}
    rows = store.begin_batch(Most(100, 100)).rows
    store.close()
    records = [row.record for row in rows]
    assert Counter(record.topic for record in records) == {
        answered_topic("digits"): 2, "ounce.digits.predictions": 2, "ounce.digits.dead-letters": 1
    }  # fmt: skip
    assert all(HEADER_REPLY not in dict(record.headers) for record in records)
    inputs = [record for record in records if record.topic == answered_topic("digits")]
    assert sorted((r.key, r.value, r.timestamp_ms) for r in inputs) == [
        (b"d0", INPUT, 1_700_000_000_000),
        (b"d2", INPUT, 1_700_000_000_002),
    ]
    assert len(heard) == 3
    assert all(dict(headers)[HEADER_REPLY] == b"here" for _, headers in heard)


def test_a_fault_leaves_nothing_that_another_device_would_be_told(
    digits_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store.db", Bounds(10**9, 1e9))
    forwarder = Forwarder(FakeLine(), store, FakeBacklog(), Rules(), lambda _: None)
    heard: list[Headers] = []
    local = LocalServing(
        digits_models, ["digits"], None, forwarder, lambda _, headers: heard.append(headers)
    )

    def asked(device: bytes) -> tuple[KafkaRecord, Arrived]:
        headers = [(HEADER_REPLY, device)]
        record = KafkaRecord(requests_topic("digits"), device, INPUT, headers, 1_700_000_000_000)
        return record, Arrived("t", INPUT, 0, 1)

    def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "step", fail)
        assert local.answer([asked(b"a")]) == 0
    assert local.answer([asked(b"b")]) == 1
    store.close()
    assert [dict(headers)[HEADER_REPLY] for headers in heard] == [b"b"]


@pytest.mark.kafka
@pytest.mark.mosquitto
def test_devices_are_answered_while_kafka_is_away(
    private_kafka: ApacheKafka, mosquitto: Mosquitto, digits_models: Path, tmp_path: Path
) -> None:
    servers = private_kafka.bootstrap_servers
    own = OwnTopics(servers)
    requests, predictions, letters, _ = own.of_task("digits")
    own.make([answered_topic("digits")])
    private_kafka.stop()
    options = [
        "--map=sensors/+device/+task", "--task=digits", "--local=digits", "--name=g",
        f"--models={digits_models}", "--patience-s=0.3", f"--store={tmp_path}/store.db",
    ]  # fmt: skip
    with (
        Gateway(mosquitto.url, servers, tmp_path / "log", options) as gateway,
        MqttDevice(mosquitto.port, ["answers/d/#"]) as device,
    ):
        device.send("sensors/d/digits", INPUT)  # in doubt: a worker will answer it
        wait_until(
            lambda: gateway.value_of("ounce_gateway_kafka_away") == 1, gateway.child.log_tail
        )
        for i in range(5):
            device.send("sensors/d/digits", INPUT, UserProperty=[("ce_id", f"{i}")])
            device.wait_for(i + 1)
        device.send("sensors/d/digits", b"nonsense")
        answers = device.wait_for(6)
        assert [json.loads(a.payload)["id"] for a in answers[:5]] == ["0", "1", "2", "3", "4"]
        assert "error" in json.loads(answers[5].payload)
        private_kafka.start()
        wait_until(
            lambda: gateway.value_of("ounce_gateway_stored_records") == 0, gateway.child.log_tail
        )
    far = FarEnd(servers, [requests, predictions, letters, answered_topic("digits")], predictions)
    try:
        messages = far.read_all()
    finally:
        far.close()
    assert Counter(m.topic() for m in messages) == {
        requests: 1, predictions: 5, letters: 1, answered_topic("digits"): 5
    }  # fmt: skip
    ids = [dict(m.headers() or [])["ce_id"] for m in messages if m.topic() == predictions]
    assert ids == [b"0", b"1", b"2", b"3", b"4"]
    assert len(device.heard) == 6
