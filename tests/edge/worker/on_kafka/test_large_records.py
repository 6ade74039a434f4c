"""Records as large as Kafka takes, in every part: none of them stops a worker."""

import numpy as np
import pytest
from ounce_schemas.dead_letter import HEADER_OMITTED

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("mode", ["at-least-once", "exactly-once"])
def test_records_as_large_as_kafka_takes_stop_nothing(
    topics: OwnTopics, workers: Workers, device: Device, mode: str
) -> None:
    topics.of_task("digits", partitions=1)
    raw = np.zeros(64, "<f4").tobytes()
    device.send(raw, key=b"first")
    device.send(b"x" * 999_800, key=b"body")
    device.send(b"", [("own", b"h" * 999_800)], key=b"headers")
    device.send(b"", key=b"k" * 999_800)
    device.send(raw, key=b"k" * 999_500)
    device.send(raw, [("ce_id", b"i" * 999_000)], key=b"id")
    device.send(raw, [("ce_id", b"a"), ("traceparent", b"t" * 999_000)], key=b"trace")
    device.send(raw, key=b"last")
    device.flush()
    with workers(f"--delivery={mode}") as worker:
        device.read(8)
        assert worker.child.running
    assert {m.key() for m in device.predictions} == {b"first", None, b"trace", b"last"}
    letters = {(m.key() or b"none")[:10]: dict(m.headers() or []) for m in device.dead_letters}
    omitted = {key: headers.get(HEADER_OMITTED) for key, headers in letters.items()}
    assert omitted == {
        b"body": b"value",
        b"headers": b"headers",
        b"none": b"key",
        b"id": b"headers",
    }
