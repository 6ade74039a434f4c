"""Which kept requests have an answer on a real broker."""

import json
import uuid
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from ounce_edge.broker.broker_view import BrokerView
from ounce_edge.broker.reading.answer_search import AnswerSearch
from ounce_edge.broker.reading.answered import KnownAnswers
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from tests.support.kafka.topics import OwnTopics

pytestmark = pytest.mark.kafka

BODY = b"\0" * 16


class Broker:
    """A task of its own, whose requests and answers are written by hand."""

    def __init__(self, servers: str, topics: OwnTopics) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self._task = TaskSpec(
            name=name,
            kind="classification",
            description="of this test",
            inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,)),),
            labels=("a", "b"),
        )
        topics.of_task(name)
        self._servers = servers
        self._producer = Producer({"bootstrap.servers": servers})
        self.requests = requests_topic(name)
        self._predictions, self._letters = predictions_topic(name), dead_letters_topic(name)

    def ask(self, *ids: str | None, body: bytes = BODY) -> None:
        for id_ in ids:
            headers: Any = [("ce_id", id_.encode())] if id_ is not None else None
            self._producer.produce(self.requests, body, b"d", headers=headers)
        self._producer.flush()

    def answer(self, *ids: str, then_abort: bool = False) -> None:
        producer = self._producer
        if then_abort:
            settings = {"bootstrap.servers": self._servers, "transactional.id": self.requests}
            producer = Producer(settings)
            producer.init_transactions()
            producer.begin_transaction()
        for id_ in ids:
            producer.produce(self._predictions, json.dumps({"model_name": "m", "id": id_}), b"d")
        producer.flush()
        if then_abort:
            producer.abort_transaction()

    def bury(self, *offsets: int) -> None:
        for offset in offsets:
            headers: Any = [
                (HEADER_TOPIC, self.requests.encode()),
                (HEADER_PARTITION, b"0"),
                (HEADER_OFFSET, b"%d" % offset),
            ]
            self._producer.produce(self._letters, b"?", headers=headers)
        self._producer.produce(self._letters, None, headers=[("x", b"a mark of a replay")])
        self._producer.produce(self._predictions, b"of someone else")
        self._producer.flush()

    def search(self, **limits: Any) -> KnownAnswers:
        kafka = {"bootstrap.servers": self._servers}
        view = BrokerView(lambda: AdminClient(kafka))
        policy = Policy().for_task(self._task.name)
        decoders = {self._task.name: Decoder(self._task, policy)}
        place = self.requests, 0
        found = AnswerSearch(kafka, view, decoders, **limits).find(
            self.requests, view.marks([place])
        )
        return found[place]


@pytest.fixture
def broker(kafka: str, topics: OwnTopics) -> Broker:
    return Broker(kafka, topics)


def test_reading_begins_at_the_first_request_without_answer(broker: Broker) -> None:
    broker.ask("a", None, "b", "c", None, "a")
    broker.ask(None, body=b"?")
    broker.answer("a", f"{broker.requests}-0-1", "c")
    broker.bury(6)
    assert broker.search() == KnownAnswers(2, (range(3, 4), range(6, 7)), n=4)
    broker.answer("b", f"{broker.requests}-0-4", "a")
    assert broker.search() == KnownAnswers(7, n=7)


def test_what_was_aborted_is_no_answer(broker: Broker) -> None:
    broker.ask("a", "b")
    broker.answer("a", "b", then_abort=True)
    assert broker.search() == KnownAnswers(0)
    broker.answer("a")
    assert broker.search() == KnownAnswers(1, n=1)


def test_where_time_is_up_all_counts_as_not_answered(broker: Broker) -> None:
    broker.ask("a", "b")
    broker.answer("a")
    assert broker.search(longest_s=0.0) == KnownAnswers(0, is_whole=False)


def test_only_so_many_of_the_latest_answers_are_looked_at(broker: Broker) -> None:
    broker.ask("a", "b")
    broker.answer("a", "b")
    assert broker.search(most_answers=2) == KnownAnswers(0, (range(1, 2),), n=1)
