"""Which answers a front sees."""

import asyncio
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from ounce_edge.front.answer_reading import AnswerReader
from ounce_edge.front.waiting import Came, ReplyMark
from ounce_schemas.request import HEADER_REPLY

from tests.support.kafka.topics import OwnTopics

pytestmark = pytest.mark.kafka
TASK = "front-answers"
_LIMIT_S = 90


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_LIMIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_answers_are_seen_from_the_start_on_also_of_partitions_that_come_later(
    kafka: str, topics: OwnTopics
) -> None:
    _, predictions, letters, _ = topics.of_task(TASK)
    mark, came = ReplyMark(), list[Came]()

    def answer(topic: str, number: int, partition: int = 0) -> None:
        producer = Producer({"bootstrap.servers": kafka})  # it knows partitions as they are now
        headers = [(HEADER_REPLY, mark.write(number))]
        producer.produce(topic, b"%d" % number, headers=headers, partition=partition)
        producer.produce(topic, b"of others", headers=[(HEADER_REPLY, b"http:x:1")])
        producer.produce(topic, b"bare")
        producer.flush()

    async def read() -> None:
        reader = AnswerReader({"bootstrap.servers": kafka}, [TASK], mark, came.extend)
        try:
            await until(lambda: reader.trouble(TASK) is None)
            answer(predictions, 2)
            answer(letters, 3)
            await until(lambda: len(came) == 2)
            topics.grow(predictions, 3)
            answer(predictions, 4, partition=2)
            await until(lambda: len(came) == 3)
        finally:
            reader.close()

    answer(predictions, 1)
    asyncio.run(read())
    assert {(one.number, one.body) for one in came} == {(2, b"2"), (3, b"3"), (4, b"4")}


def test_what_hinders_a_task_is_told() -> None:
    async def look() -> None:
        nowhere = {"bootstrap.servers": "127.0.0.1:1"}
        reader = AnswerReader(nowhere, [TASK], ReplyMark(), lambda came: None)
        try:
            assert "not been reached" in (reader.trouble(TASK) or "")
            await until(lambda: reader.is_away)
            assert reader.trouble(TASK)
        finally:
            reader.close()

    asyncio.run(look())
