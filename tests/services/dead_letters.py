"""Runs `ounce dead-letters` against a broker, and reads what it leaves there."""

import json
import time
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from tests.support.process.command import Result, ounce

REQUESTS, DEAD_LETTERS = "ounce.digits.requests", "ounce.digits.dead-letters"


class Run:
    """Runs `ounce dead-letters` against one broker."""

    def __init__(self, kafka: str) -> None:
        self._env = {"OUNCE_KAFKA": kafka}

    def __call__(self, *arguments: str, code: int = 0, answer: str = "") -> Result:
        result = ounce("dead-letters", *arguments, env=self._env, answer=answer)
        assert result.code == code, (arguments, result.stdout, result.stderr)
        assert "Traceback" not in result.stderr
        return result

    def raw(self, position: str) -> bytes:
        return self("show", "digits", position, "--raw").written

    def entries(self, *options: str) -> list[dict[str, Any]]:
        lines = self("list", "digits", "--json", *options).stdout.splitlines()
        return [json.loads(line) for line in lines]


def read_topic(kafka: str, topic: str, n: int, partitions: int = 2) -> list[Message]:
    """All records that a topic holds by now: `n` or more."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    places = [TopicPartition(topic, p, 0) for p in range(partitions)]
    held = sum(consumer.get_watermark_offsets(place, timeout=60)[1] for place in places)
    consumer.assign(places)
    found: list[Message] = []
    deadline = time.monotonic() + 90
    while len(found) < held and time.monotonic() < deadline:
        found += consumer.consume(held - len(found), 1)
    consumer.close()
    assert len(found) == held >= n, f"{len(found)} of {held} records in {topic}, expected {n}"
    return found
