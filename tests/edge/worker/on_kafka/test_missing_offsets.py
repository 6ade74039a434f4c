"""Where a worker begins whose group has no committed offsets."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_PARTITION

from tests.support.kafka.digits_group import GOOD, REQUESTS, committed, send, wait_for
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

MISSING = 'ounce_events_total{kind="offsets-missing",task="digits"}'


@pytest.mark.parametrize(
    ("when", "expected", "delivery"),
    [
        ("beginning", 10, "at-least-once"),
        ("end", 0, "exactly-once"),
        ("1h", 10, "exactly-once"),
        ("2099-01-01", 0, "at-least-once"),
    ],
)
def test_a_group_without_offsets_begins_where_it_is_told_to(
    kafka: str,
    topics: OwnTopics,
    workers: Workers,
    device: Device,
    when: str,
    expected: int,
    delivery: str,
) -> None:
    topics.of_task("digits")
    send(kafka, 10)
    with workers(f"--when-no-offsets={when}", f"--delivery={delivery}") as worker:
        device.read(expected)
        wait_for(lambda: committed(kafka, workers.group) == 10, "the start is not committed")
        assert worker.value_of(MISSING) == 1
        send(kafka, 1)
        device.read(expected + 1)
    [text] = worker.events_of("offsets-missing")
    assert "keeps at most 10 records" in text
    assert f"--when-no-offsets={when}" in text
    assert {answer.id for answer in device.answers()} == {
        f"{REQUESTS}-0-{offset}" for offset in [*range(expected), 10]
    }


def test_a_group_without_offsets_may_be_one_to_ask_about(
    kafka: str, topics: OwnTopics, workers: Workers
) -> None:
    topics.of_task("digits")
    send(kafka, 10)
    worker = workers("--when-no-offsets=stop")
    assert worker.child.process.wait(60) == 1
    assert f"no committed offsets of {REQUESTS}, which holds requests" in worker.child.log_tail()
    assert committed(kafka, workers.group) < 0


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_what_the_predictions_topic_answers_is_not_answered_twice(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, delivery: str
) -> None:
    topics.of_task("digits", partitions=2)
    options = [
        "--when-no-offsets=answered",
        f"--delivery={delivery}",
    ]
    with workers(*options) as worker:
        send_kinds(device, range(600))
        device.read(600)
        assert worker.child.stop() == 0, worker.child.log_tail()
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.delete_consumer_groups([workers.group])[workers.group].result(60)
    send_kinds(device, range(600, 1000))
    with workers(*options) as worker:
        device.read(1000)
        assert worker.value_of(MISSING) == 1
        send_kinds(device, range(1000, 1010))
        device.read(1010)
        assert worker.child.stop() == 0, worker.child.log_tail()
    device.read_rest()
    [text] = worker.events_of("offsets-missing")
    assert "--when-no-offsets=answered" in text
    assert "600 requests have an answer, and get no other one" in text
    names = [*names_of(device)]
    assert len(names) == len(set(names)) == 1010


def send_kinds(device: Device, numbers: range) -> None:
    """Requests that are bare, that have an id, and that can't be served, of several devices."""
    for i in numbers:
        headers = [("ce_id", b"%d" % (i // 6))] if i % 3 == 1 else None
        device.send(b"?" if i % 3 == 2 else GOOD, headers, b"device-%d" % (i % 8))
    device.flush()


def names_of(device: Device) -> Iterator[tuple[object, ...]]:
    """What each answer is of."""
    for message, answer in zip(device.predictions, device.answers(), strict=True):
        yield answer.id, message.key()
    for letter in device.dead_letters:
        headers = dict(letter.headers() or ())
        yield headers[HEADER_PARTITION], headers[HEADER_OFFSET]
