"""Labels that can't be used become dead letters; one worker of all writes each."""

import json
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.broker.refused_labels import RefusedLabels
from ounce_edge.wire.label_formats import no_truth
from ounce_schemas.label import Label
from ounce_schemas.topics import dead_letters_topic, labels_topic, requests_topic

from tests.edge.broker.test_label_reader import TIMEOUT_S, publish
from tests.support.edge.ladders import DIGITS, NUMBERS
from tests.support.kafka.topics import OwnTopics

TASK = "refusedlabels"
GOOD = b'{"id":"1","label":"zero"}'
BAD = [
    (b"\xff", "not a label"),
    (None, "it has no value"),
    (b"x" * 10_000, "more than 4096"),
    (b'{"label":"zero"}', "holds an id"),
    (b'{"id":"1","label":"seven"}', "'seven' is no class of task digits; it has ['zero'"),
    (b'{"id":"1","value":3}', "has `label`, one of its classes"),
    (b'[{"id":"1","label":"zero"},{"id":"2","label":"nine"}]', "'nine' is no class"),
    (b"[" * 4000, "not a label"),
]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (Label(id="1", value=3.0), None),
        (Label(id="1", value=float("inf")), "not finite: send a number"),
        (Label(id="1", label="zero"), "has `value`, a number"),
        (Label(id="1"), "has `value`, a number"),
    ],
)
def test_a_label_of_a_regression(label: Label, why: str | None) -> None:
    found = no_truth(label, NUMBERS)
    assert found is None if why is None else why in str(found)


@pytest.mark.kafka
def test_what_can_not_be_used_is_kept_once(kafka: str, topics: OwnTopics) -> None:
    labels, letters = labels_topic(TASK), dead_letters_topic(TASK)
    topics.make([labels, requests_topic(TASK)], partitions=3)
    topics.make([letters])
    mine, others = (RefusedLabels(kafka, {TASK: DIGITS}, 1_000_000) for _ in range(2))
    mine.owns = {(requests_topic(TASK), p) for p in (0, 2)}.__contains__
    others.owns = {(requests_topic(TASK), 1)}.__contains__
    with (
        closing(LabelReader(kafka, [TASK], refused=mine)) as one,
        closing(LabelReader(kafka, [TASK], refused=others)) as two,
    ):
        assert one.wait_until_reading(TIMEOUT_S)
        assert two.wait_until_reading(TIMEOUT_S)
        publish(kafka, labels, (GOOD, None), *((bad, [("x", b"y")]) for bad, _ in BAD))
        found = read_all(kafka, letters, len(BAD))
    for own in (mine, others):
        own.close()
    assert sorted(str(m.value()) for m in found) == sorted(str(bad) for bad, _ in BAD)
    whys = {str(bad): why for bad, why in BAD}
    for message in found:
        headers = dict(message.headers())
        assert headers["ounce-dead-letter-reason"] == b"bad-label"
        assert headers["ounce-dead-letter-topic"] == labels.encode()
        assert headers["x"] == b"y"
        assert whys[str(message.value())] in headers["ounce-dead-letter-text"].decode()
    places = {json.dumps(sorted(dict(m.headers()).items()), default=str) for m in found}
    assert len(places) == len(BAD)


def read_all(kafka: str, topic: str, n: int) -> list[Any]:
    """The first `n` records of a topic with one partition, and whatever came with them."""
    settings: dict[str, Any] = {
        "bootstrap.servers": kafka, "group.id": "x", "enable.auto.commit": False,
    }  # fmt: skip
    with closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Any] = []
        for _ in range(600):
            found += [m for m in consumer.consume(100, 0.1) if m.error() is None]
            if len(found) >= n:
                break
        return found
