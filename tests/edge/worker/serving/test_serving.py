"""Taking and answering polls of several tasks, with fake models and without a broker."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.pacing.overload import LASTS_S
from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.topics import requests_topic

from tests.support.edge import pipelines
from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.pipelines import Clock
from tests.support.edge.serving import FakeDelivery, serving_of

GOOD = raw(1, 2, 3, 4)


def pipeline(task: str, ms_per_item: float = 0.01, steady: Any = None) -> Pipeline:
    spec = DIGITS.model_copy(update={"name": task})
    model = served(spec, "a", ms_per_item=ms_per_item)
    return pipelines.pipeline(model, task=spec, steady=steady, max_latency_ms=10_000)


def records(task: str, offsets: range, partition: int = 0) -> list[FakeRecord]:
    topic = requests_topic(task)
    return [FakeRecord(GOOD, offset_=i, partition_=partition, topic_=topic) for i in offsets]


def offsets(of: list[TopicPartition]) -> dict[tuple[str, int], int]:
    return {(at.topic, at.partition): at.offset for at in of}


def test_the_end_of_a_partition_may_be_committed_once_all_before_is_answered() -> None:
    delivery = FakeDelivery()
    serving = serving_of(pipeline("one"), delivery=delivery)
    topic = requests_topic("one")

    async def polls() -> None:
        await serving.take(records("one", range(3)))
        serving.reach_ends({(topic, 0): 4, (topic, 1): 9})
        await serving.work()

    asyncio.run(polls())
    assert offsets(delivery.take_acknowledged()) == {(topic, 0): 4, (topic, 1): 9}


def test_what_was_handed_over_is_known_until_reading_begins_anew() -> None:
    serving = serving_of(pipeline("one"), delivery=FakeDelivery())
    asyncio.run(serving.take([*records("one", range(3)), *records("one", range(5), 1)]))
    topic = requests_topic("one")
    assert serving.handed_over == {(topic, 0): 3, (topic, 1): 5}
    serving.begin({(topic, 0): None})
    assert serving.handed_over == {(topic, 1): 5}


def test_a_poll_of_several_tasks_is_answered_and_confirmed() -> None:
    delivery = FakeDelivery()
    serving = serving_of(pipeline("one"), pipeline("two"), delivery=delivery)
    asyncio.run(serving.take([*records("one", range(2)), *records("two", range(5, 8), 1)]))
    assert len(delivery.published) == 5
    assert offsets(delivery.take_acknowledged()) == {
        (requests_topic("one"), 0): 2,
        (requests_topic("two"), 1): 8,
    }


def test_all_tasks_share_the_room() -> None:
    delivery = FakeDelivery()
    both = pipeline("one", 100.0), pipeline("two", 100.0)
    serving = serving_of(*both, delivery=delivery, max_waiting=40)

    async def poll() -> None:
        await serving.take([*records("one", range(20)), *records("two", range(20))])

    asyncio.run(poll())
    n_waiting = 40 - len(delivery.published)
    assert n_waiting > 35
    assert (serving.room(), serving.is_full) == (0, True)


def test_once_full_nothing_is_taken_until_an_eighth_is_answered() -> None:
    delivery = FakeDelivery()
    serving = serving_of(pipeline("one", 100.0), delivery=delivery, max_waiting=40)
    assert (serving.room(), serving.is_full) == (40, False)

    async def poll_and_work() -> list[tuple[int, int]]:
        """Answers given, and the room that there is, after the poll and after each slice."""
        await serving.take(records("one", range(40)))
        seen = [(len(delivery.published), serving.room())]
        while len(delivery.published) < 40:
            await serving.work()
            seen.append((len(delivery.published), serving.room()))
        return seen

    seen = asyncio.run(poll_and_work())
    assert {room for answered, room in seen if answered < 5} == {0}
    assert all(room == answered for answered, room in seen if answered >= 5)
    assert min(answered for answered, _ in seen) < 5


def test_with_nobody_in_time_nothing_is_taken_until_half_is_answered() -> None:
    delivery = FakeDelivery()
    serving = serving_of(pipeline("one", 100.0), delivery=delivery, max_waiting=40)
    late = [replace(record, timestamp_ms=900_000) for record in records("one", range(40))]

    async def work() -> int:
        """Slices until all is answered."""
        await serving.take(late)
        n_slices = 1
        while (answered := len(delivery.published)) < 40:
            assert serving.room() == (0 if answered < 20 else answered)
            await serving.work()
            n_slices += 1
        return n_slices

    assert asyncio.run(work()) > 4


@pytest.mark.parametrize(
    ("setting", "value", "lasts"),
    [("max_waiting", 40, True), ("max_waiting_mb", 40 * len(GOOD) / 1e6, True),
     ("max_waiting", 40_000, False)],
)  # fmt: skip
def test_late_requests_that_take_much_of_the_room_pile_up(
    setting: str, value: float, lasts: bool
) -> None:
    clock = Clock()
    of_one = pipeline("one", 100.0, clock)
    serving = serving_of(of_one, delivery=FakeDelivery(), **{setting: value})
    late = [replace(record, timestamp_ms=900_000) for record in records("one", range(30))]

    async def work() -> None:
        await serving.take(late)
        for _ in range(2):
            serving.room()
            await serving.work()
            clock.now_s += LASTS_S

    asyncio.run(work())
    assert of_one.n_open > 15
    assert of_one.overload_lasts is lasts


@pytest.mark.parametrize("lost", [0, 1])
def test_what_waits_of_lost_partitions_is_neither_answered_nor_confirmed(lost: int) -> None:
    delivery = FakeDelivery()
    serving = serving_of(pipeline("one", 100.0), delivery=delivery)
    both = [*records("one", range(20), 0), *records("one", range(20), 1)]
    asyncio.run(serving.take(both))
    n_answered = len(delivery.published)
    assert n_answered < 20
    serving.drop([TopicPartition(requests_topic("one"), lost)])
    serving.finish()
    kept = requests_topic("one"), 1 - lost
    assert offsets(delivery.take_acknowledged()) == {kept: 20}
    assert all(f"-{1 - lost}-" in id_ for id_ in delivery.published[n_answered:])


class FakeLabels:
    """What a reader of labels has read: one for an answer, twice, and one for nobody's."""

    def drain(self) -> dict[str, list[Label]]:
        truth = Label(id=f"{requests_topic('one')}-0-0", label="zero")
        return {"one": [truth, truth, Label(id="nobody", label="zero")]}

    def take_losses(self) -> dict[str, dict[LabelOutcome, int]]:
        return {"one": {LabelOutcome.UNDECODABLE: 4}}


def test_labels_are_taken_while_no_requests_come() -> None:
    metrics = Metrics()
    labels = FakeLabels()
    serving = serving_of(pipeline("one"), delivery=FakeDelivery(), metrics=metrics, labels=labels)
    asyncio.run(serving.take(records("one", range(1))))
    before = _labels(metrics)
    serving.tell()
    after = _labels(metrics)
    new = {o: n - before.get(o, 0.0) for o, n in after.items() if n > before.get(o, 0.0)}
    assert new == {"joined": 1.0, "repeated": 1.0, "unknown": 1.0, "undecodable": 4.0}


def _labels(metrics: Metrics) -> dict[str, float]:
    """Labels counted, by outcome."""
    return {
        sample.labels["outcome"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "ounce_labels_total"
    }
