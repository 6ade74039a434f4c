"""What every delivery does, on a real broker."""

import random
import uuid
from collections.abc import Iterator, Sequence

import pytest
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.refusals import Refused

from tests.support.kafka.delivered import WAIT_S, Delivered
from tests.support.kafka.topics import OwnTopics


class Heard:
    """What was told of confirmed batches."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Refused]] = []

    def __call__(self, refused: Sequence[Refused]) -> None:
        self.batches.append(refused)

    @property
    def refused_at(self) -> dict[int, bool]:
        """Offsets of requests whose answer was refused, and whether there is a dead letter."""
        return {
            refused.request.offset() or 0: refused.has_letter
            for batch in self.batches
            for refused in batch
        }


class DeliverySuite:
    """Inherited by the tests of every delivery; each says how to make one."""

    def make(self, publishing: Publishing, name: str) -> Delivery:
        """A delivery of this kind.

        Args:
            publishing: how to publish, and where.
            name: of its own.
        """
        raise NotImplementedError

    @pytest.fixture
    def delivered(self, kafka: str, topics: OwnTopics) -> Iterator[Delivered]:
        task = f"t{uuid.uuid4().hex}"
        topics.of_task(task)
        own = Delivered(kafka, task)
        yield own
        own.close()

    @pytest.fixture
    def delivery(self, delivered: Delivered) -> Iterator[Delivery]:
        own = self.make(delivered.publishing, delivered.requests)
        own.follow(delivered.member)
        yield own
        own.close()

    def test_what_is_published_is_there_in_order_and_confirmed(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        heard = Heard()
        values = [b"%d" % i for i in range(300)]
        for start in range(0, 300, 100):
            for first in range(start, start + 100, 50):
                delivery.publish(delivered.answers(values[first : first + 50], first))
            assert delivery.wait(WAIT_S)
            delivery.start_confirming(delivered.behind(start + 100), heard)
        assert delivery.wait(WAIT_S)
        assert delivery.is_settled
        assert delivery.unconfirmed_s == 0.0
        assert delivery.confirm_ms > 0
        assert heard.batches == [[], [], []]
        assert delivered.values(delivered.predictions) == values
        assert delivered.committed(delivery) == 300
        assert delivery.take_acknowledged() == []

    def test_what_is_published_while_a_batch_is_under_way_is_of_the_next_one(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        heard = Heard()
        delivery.publish(delivered.answers([b"one"]))
        delivery.start_confirming(delivered.behind(1), heard)
        delivery.publish(delivered.answers([b"two"], 1))
        assert delivery.wait(WAIT_S)
        assert delivered.committed(delivery) == 1
        delivery.start_confirming(delivered.behind(2), heard)
        assert delivery.wait(WAIT_S)
        assert delivered.committed(delivery) == 2
        assert delivered.values(delivered.predictions) == [b"one", b"two"]

    def test_an_answer_too_large_for_its_topic_becomes_a_dead_letter_and_costs_no_other_anything(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        delivered.set_topic(delivered.predictions, max_message_bytes=20_000)
        values = [b"%d" % i for i in range(40)]
        for large in (7, 8, 39):
            values[large] = noise(30_000)
        self._all_but_the_large_are_there(delivery, delivered, values, {7, 8, 39})

    def test_one_too_large_for_the_client_likewise(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        values = [b"first", noise(1_200_000), b"last"]
        self._all_but_the_large_are_there(delivery, delivered, values, {1})

    def _all_but_the_large_are_there(
        self, delivery: Delivery, delivered: Delivered, values: list[bytes], large: set[int]
    ) -> None:
        heard = Heard()
        sent = delivered.answers(values)
        delivery.publish(sent)
        delivery.start_confirming(delivered.behind(len(values)), heard)
        assert delivery.wait(WAIT_S)
        assert heard.refused_at == dict.fromkeys(large, True)
        assert sorted(sent.refused) == sorted(large)
        kept = [value for i, value in enumerate(values) if i not in large]
        assert sorted(delivered.values(delivered.predictions), key=repr) == sorted(kept, key=repr)
        letters = delivered.letters()
        assert set(letters) == large
        for i, headers in letters.items():
            assert headers["ounce-dead-letter-reason"] == b"answer-refused"
            why = f"{delivered.predictions} takes no record of {len(values[i]):,} bytes: send fewer"
            assert (headers["ounce-dead-letter-text"] or b"").startswith(why.encode())
            assert delivered.predictions.encode() in (headers["ounce-dead-letter-text"] or b"")
        assert delivered.values(delivered.dead_letters) == [b"asked"] * len(large)
        assert delivered.committed(delivery) == len(values)
        assert not delivery.is_aborted
        delivery.publish(delivered.answers([b"next"], len(values)))
        delivery.start_confirming(delivered.behind(len(values) + 1), heard)
        assert delivery.wait(WAIT_S)
        assert delivered.values(delivered.predictions)[-1] == b"next"

    def test_an_answer_that_breaks_a_rule_of_its_topic_likewise(
        self, delivery: Delivery, delivered: Delivered
    ) -> None:
        delivered.set_topic(delivered.predictions, cleanup_policy="compact")
        heard = Heard()
        sent = delivered.answers([b"%d" % i for i in range(20)])
        sent.keys = [None if i == 11 else key for i, key in enumerate(sent.keys)]
        delivery.publish(sent)
        delivery.start_confirming(delivered.behind(20), heard)
        assert delivery.wait(WAIT_S)
        assert heard.refused_at == {11: True}
        assert len(delivered.values(delivered.predictions)) == 19
        assert delivered.committed(delivery) == 20

    def test_what_the_dead_letters_topic_refuses_too_is_set_aside(
        self, delivery: Delivery, delivered: Delivered, caplog: pytest.LogCaptureFixture
    ) -> None:
        for topic in (delivered.predictions, delivered.dead_letters):
            delivered.set_topic(topic, max_message_bytes=200)
        heard = Heard()
        delivery.publish(delivered.answers([b"small", noise(3000), b"little"]))
        delivery.start_confirming(delivered.behind(3), heard)
        assert delivery.wait(WAIT_S)
        assert heard.refused_at == {1: False}
        assert f"nothing is published of {delivered.requests}[0] at 1" in caplog.text
        assert delivered.values(delivered.predictions) == [b"small", b"little"]
        assert delivered.read(delivered.dead_letters) == []
        assert delivered.committed(delivery) == 3


def noise(size_bytes: int) -> bytes:
    """Bytes that do not get smaller when they are compressed."""
    return random.Random(size_bytes).randbytes(size_bytes)
