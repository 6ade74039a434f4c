"""What the worker hands to its producer: every record once, in order, to the right partition."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.broker.delivery.at_least_once import AtLeastOnce
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.refusals import Refused
from ounce_edge.wire.answers.encoding import Bodies
from ounce_schemas.errors import BrokerError

from tests.support.edge.outgoing import outgoing

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}


class FakeProducer:
    """Takes `room` records, then as many again after each poll."""

    def __init__(self, room: int = 1000, error: KafkaException | None = None) -> None:
        self.taken: list[tuple[Any, ...]] = []
        self._room = room
        self._left = room
        self._error = error

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Any = None,
        on_delivery: Any = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        assert (callback, on_delivery, timestamp) == (None, None, 0)
        if self._error is not None:
            raise self._error
        if self._left == 0:
            raise BufferError
        self._left -= 1
        self.taken.append((topic, value, key, partition, headers))

    def poll(self, timeout: float) -> int:
        self._left = self._room
        return 0

    def purge(self) -> None: ...

    def flush(self, timeout: float) -> int:
        return 0


@pytest.fixture
def closing() -> Iterator[list[AtLeastOnce]]:
    made: list[AtLeastOnce] = []
    yield made
    for delivery in made:
        delivery.close()


def publish(
    made: list[AtLeastOnce],
    producer: FakeProducer,
    headers: Sequence[Any] | None = None,
    partitions: Sequence[int] | None = None,
    known: Mapping[str, int] = {"t": 3},
    n: int = 10,
) -> list[tuple[Any, ...]]:
    delivery = AtLeastOnce(Publishing(NOWHERE, known))
    made.append(delivery)
    delivery._producer = producer
    values = [b"%d" % i for i in range(n)]
    at = None if partitions is None else np.array(partitions, dtype=np.int64)
    delivery.publish(outgoing("t", values, [None, *values[1:]], headers, at))
    return producer.taken


@pytest.mark.parametrize("room", [1, 3, 9, 10, 11])
@pytest.mark.parametrize("headers", [None, [None, *([("k", b"v")] for _ in range(9))]])
def test_a_full_queue_loses_and_repeats_nothing(
    closing: list[AtLeastOnce], room: int, headers: list[Any] | None
) -> None:
    partitions = [i % 3 for i in range(10)]
    taken = publish(closing, FakeProducer(room), headers, partitions)
    assert taken == [
        ("t", b"%d" % i, b"%d" % i if i else None, i % 3, headers[i] if headers else None)
        for i in range(10)
    ]


def test_answers_that_are_joined_late_are_resumed_in_the_right_place(
    closing: list[AtLeastOnce],
) -> None:
    delivery = AtLeastOnce(Publishing(NOWHERE))
    closing.append(delivery)
    producer = delivery._producer = FakeProducer(room=3)
    bodies = Bodies([[b"a"] * 10, [b"%d" % i for i in range(10)]])
    delivery.publish(outgoing("t", bodies, [b"k"] * 10))
    assert [value for _, value, *_ in producer.taken] == [b"a%d" % i for i in range(10)]
    assert bodies[3] == b"a3"


@pytest.mark.parametrize("headers", [None, [None] * 2])
@pytest.mark.parametrize(
    ("partitions", "known"),
    [
        (None, {"t": 3}),
        ([0, 3], {"t": 3}),  # the requests topic has grown since
        ([0, 1], {}),  # the topics do not have as many
        ([0, 1], {"other": 3}),
    ],
)
def test_without_the_requests_partitions_the_key_decides(
    closing: list[AtLeastOnce],
    headers: Any,
    partitions: list[int] | None,
    known: dict[str, int],
) -> None:
    taken = publish(closing, FakeProducer(), headers, partitions, known, n=2)
    assert [partition for _, _, _, partition, _ in taken] == [-1, -1]


def test_what_can_not_be_produced_is_an_error(closing: list[AtLeastOnce]) -> None:
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    with pytest.raises(BrokerError, match="can't publish to t"):
        publish(closing, FakeProducer(error=error))


class PickyProducer(FakeProducer):
    """Refuses large records, as librdkafka does with those over `message.max.bytes`."""

    def __init__(self, room: int = 1000, most_bytes: int = 100) -> None:
        super().__init__(room)
        self._most_bytes = most_bytes

    def produce(self, topic: str, value: Any = None, key: Any = None, *rest: Any) -> None:
        if len(key or b"") + len(value or b"") > self._most_bytes:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        super().produce(topic, value, key, *rest)


@pytest.mark.parametrize("large", [[0], [9], [2, 3, 7], [*range(10)]])
@pytest.mark.parametrize("room", [1, 3, 1000])
def test_a_key_that_is_too_large_is_left_out_and_costs_no_other_record_anything(
    closing: list[AtLeastOnce], large: list[int], room: int
) -> None:
    producer = PickyProducer(room)
    delivery = AtLeastOnce(Publishing(NOWHERE, {"t": 3}))
    closing.append(delivery)
    delivery._producer = producer
    keys = [b"k" * (200 if i in large else 1) for i in range(10)]
    at = np.arange(10) % 3
    delivery.publish(outgoing("t", [b"%d" % i for i in range(10)], keys, None, at))
    assert [row[1] for row in producer.taken] == [b"%d" % i for i in range(10)]
    assert [row[2] for row in producer.taken] == [None if i in large else b"k" for i in range(10)]
    assert [row[3] for row in producer.taken] == at.tolist()


def test_an_answer_that_is_too_large_without_its_key_is_refused_alone(
    closing: list[AtLeastOnce],
) -> None:
    delivery = AtLeastOnce(
        Publishing(NOWHERE, dead_letters={"ounce.t.requests": "letters"}, max_message_bytes=5000)
    )
    closing.append(delivery)
    producer = delivery._producer = PickyProducer(most_bytes=400)
    values = [b"a", b"v" * 500, b"b"]
    sent = outgoing("t", values, [b"k"] * 3, first_offset=7)
    delivery.publish(sent)
    refused: list[Refused] = []
    delivery.start_confirming([], refused.extend)
    assert delivery.wait(60)
    assert [(row[0], row[1]) for row in producer.taken] == [
        ("t", b"a"), ("t", b"b"), ("letters", b"asked")
    ]  # fmt: skip
    assert sent.refused == [1]
    [of_one] = refused
    assert (of_one.request.offset(), of_one.has_letter) == (8, True)
    assert of_one.why.startswith(
        "t takes no record of 500 bytes: send fewer rows at once, or raise"
    )
