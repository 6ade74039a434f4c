"""Callers that keep so many requests under way: by Kafka, and over HTTP.

Each loop is one thread of this process. It sends the next request when an answer has come.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import count

import aiohttp
from confluent_kafka import Consumer, Producer, TopicPartition
from ounce_schemas.request import HEADER_MAX_LATENCY_MS, HEADER_REPLY
from ounce_schemas.topics import predictions_topic, requests_topic

TASK = "digits"
DEADLINE_MS = b"100"
_MARK = b"bench:"
_WAIT_S = 10.0


class NoAnswerError(Exception):
    """A request got no answer, or another status than 200."""


def by_kafka(servers: str, bodies: Sequence[bytes], at_once: int, seconds: float) -> list[float]:
    """Latencies of the answers that came, in seconds.

    Raises:
        NoAnswerError: answers stay away.
    """
    topic = requests_topic(TASK)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 0})
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "bench", "fetch.queue.backoff.ms": 2}
    )
    with closing(consumer):
        answers = predictions_topic(TASK)
        partitions = consumer.list_topics(answers, _WAIT_S).topics[answers].partitions
        ends = [TopicPartition(answers, p) for p in partitions]
        for end in ends:
            end.offset = consumer.get_watermark_offsets(end, _WAIT_S)[1]
        consumer.assign(ends)
        sent_s: dict[str | bytes, float] = {}
        numbers, latencies_s = count(), list[float]()

        def send() -> None:
            number = next(numbers)
            reply = b"%b%d" % (_MARK, number)
            headers: list[tuple[str, str | bytes | None]] = [
                (HEADER_REPLY, reply), (HEADER_MAX_LATENCY_MS, DEADLINE_MS)
            ]  # fmt: skip
            sent_s[reply] = time.perf_counter()
            producer.produce(topic, bodies[number % len(bodies)], headers=headers)
            producer.poll(0)

        until_s = time.perf_counter() + seconds
        for _ in range(at_once):
            send()
        while sent_s:
            first = consumer.poll(_WAIT_S)
            if first is None:
                raise NoAnswerError(f"{len(sent_s)} requests by Kafka got no answer")
            for message in (first, *consumer.consume(at_once, 0)):
                headers = message.headers() or []
                began_s = sent_s.pop(dict(headers).get(HEADER_REPLY) or b"", None)
                if began_s is None:
                    continue
                latencies_s.append(time.perf_counter() - began_s)
                if time.perf_counter() < until_s:
                    send()
    producer.flush()
    return latencies_s


def over_http(port: int, bodies: Sequence[bytes], at_once: int, seconds: float) -> list[float]:
    """As `by_kafka`, of a front on this machine, each call under way on a connection of its own."""
    return asyncio.run(_over_http(port, bodies, at_once, seconds))


async def _over_http(
    port: int, bodies: Sequence[bytes], at_once: int, seconds: float
) -> list[float]:
    url = f"http://127.0.0.1:{port}/v2/models/{TASK}/infer"
    headers = {"ce-maxlatencyms": DEADLINE_MS.decode(), "content-type": "application/json"}
    numbers, latencies_s = count(), list[float]()
    until_s = time.perf_counter() + seconds

    async def caller() -> None:
        while (began_s := time.perf_counter()) < until_s:
            async with session.post(url, data=bodies[next(numbers) % len(bodies)]) as answer:
                told = await answer.read()
                if answer.status != 200:
                    raise NoAnswerError(f"status {answer.status}: {told.decode()}")
            latencies_s.append(time.perf_counter() - began_s)

    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as session,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(at_once):
            callers.create_task(caller())
    return latencies_s
