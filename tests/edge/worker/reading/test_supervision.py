"""Looking after the consumer: silence, stuck and blocked partitions, topics that are made again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.broker.broker_view import Marks, SilentBrokerError
from ounce_edge.broker.group_question import GroupAnswer
from ounce_edge.broker.reading.positions import Positions
from ounce_edge.broker.reading.watchdog import BLOCKED_AFTER_S, STUCK_AFTER_S
from ounce_edge.broker.strangers import Stranger
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.reading.news import ReadingNews
from ounce_edge.worker.reading.supervision import ConsumerControl, Supervision
from ounce_schemas.errors import BrokerError
from prometheus_client import generate_latest

A = ("t", 0)


class FakeView:
    """A broker that says what it is told to."""

    def __init__(self) -> None:
        self.topic_id = "first"
        self.mark: Marks | Exception = Marks(0, 10, 10)

    def check(self, topic: str) -> None:
        if isinstance(self.mark, SilentBrokerError):
            raise self.mark

    def topic_ids(self, topics: Any) -> dict[str, str]:
        return dict.fromkeys(topics, self.topic_id)

    def marks(self, places: Any) -> dict[Any, Marks]:
        if isinstance(self.mark, Exception):
            raise self.mark
        return dict.fromkeys(places, self.mark)


class FakeGroup:
    """A group that has them."""

    def __init__(self) -> None:
        self.others: tuple[Stranger, ...] | None = ()
        self.n_asked = 0
        self.before_told: Callable[[], None] = lambda: None

    def ask_once(self) -> GroupAnswer:
        self.n_asked += 1
        self.before_told()
        return GroupAnswer(self.others, may_read=True)


class FakePartitions:
    """One partition."""

    topics = ("t",)

    def __init__(self) -> None:
        self.positions = Positions()
        self.positions.begin({A: 5})
        self.anew: list[str] = []

    def topic_id(self, topic: str) -> str:
        return "first"

    def read_anew(self, topic: str, topic_id: str) -> None:
        self.anew.append(f"{topic} {topic_id}")


class Stage:
    """A supervision on fakes, and a clock that stands still."""

    def __init__(self, restart: Callable[[], Awaitable[None]] | None = None) -> None:
        self.now_s = 1000.0
        self.view = FakeView()
        self.members = FakeGroup()
        self.partitions = FakePartitions()
        self.health = Health(lambda: self.now_s, starting=None, partitions=1)
        self.metrics = Metrics()
        self.told: list[str] = []
        self.n_restarts = 0
        events = Events(
            lambda *_: None, lambda task, kind: self.told.append(kind), lambda: self.now_s
        )
        view: Any = self.view
        members: Any = self.members
        partitions: Any = self.partitions
        self.supervision = Supervision(
            view,
            members,
            partitions,
            ReadingNews(events, self.metrics, {"t": "digits"}, "g", "end", lambda: self.now_s),
            self.health,
            ConsumerControl(lambda: False, restart or self._restart),
        )

    async def _restart(self) -> None:
        self.n_restarts += 1

    def look_after(self, seconds: float) -> None:
        self.now_s += seconds
        asyncio.run(self.supervision.look())


def test_a_broker_that_is_silent_makes_not_ready_and_stays_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    stage.look_after(0)
    stage.view.mark = SilentBrokerError()
    for _ in range(20):
        stage.look_after(10)
        assert stage.health.healthy()[0]
    assert stage.health.ready() == (False, "Kafka has not answered for 195 s")
    assert caplog.messages == ["Kafka does not answer, not ready until it does"]
    stage.view.mark = SilentBrokerError("its certificate is not trusted")
    stage.look_after(10)
    line = "Kafka has not answered for 205 s: its certificate is not trusted"
    assert stage.health.ready() == (False, line)
    stage.view.mark = Marks(0, 10, 10)
    stage.look_after(STALLED_AFTER_S - 1)
    assert stage.health.ready()[0]
    assert stage.health.healthy() == (True, "healthy")
    assert stage.n_restarts == 0


def test_a_stuck_consumer_is_restarted_and_a_worker_that_this_does_not_help_is_not_alive() -> None:
    stage = Stage()
    stage.look_after(0)
    stage.look_after(STUCK_AFTER_S)
    assert stage.n_restarts == 1
    assert stage.health.reading_trouble is None
    stage.look_after(1)
    stage.look_after(STUCK_AFTER_S)
    assert stage.n_restarts == 2
    assert "nothing is read of t[0] although" in stage.health.healthy()[1]
    assert not stage.health.healthy()[0]
    stage.partitions.positions.begin({A: 6})
    stage.look_after(1)
    assert stage.health.reading_trouble is None


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KafkaException(KafkaError(KafkaError._STATE, "no consumer")), ".*no consumer"),
        (TimeoutError(), "it took too long"),
    ],
)
def test_a_consumer_that_can_not_be_restarted_ends_the_worker_with_the_cause(
    error: Exception, cause: str
) -> None:
    async def restart() -> None:
        raise error

    stage = Stage(restart)
    stage.look_after(0)
    with pytest.raises(BrokerError, match=rf"t\[0\], and could not be restarted: {cause}"):
        stage.look_after(STUCK_AFTER_S)


def test_a_look_that_fails_is_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ounce_edge.worker.reading.supervision._EVERY_S", 0.001)
    stage = Stage()
    stage.view.mark = ZeroDivisionError("a surprise")

    async def run() -> None:
        task = asyncio.create_task(stage.supervision.run())
        while len(caplog.records) < 3:
            await asyncio.sleep(0.001)
        assert not task.done()
        task.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "trying again" in caplog.records[0].getMessage()


def test_a_partition_that_an_open_transaction_holds_up_is_told_once_and_restarts_nothing() -> None:
    stage = Stage()
    stage.view.mark = Marks(0, 5, 10)
    stage.look_after(0)
    for _ in range(5):
        stage.look_after(BLOCKED_AFTER_S)
    stage.health.progressed()  # the worker comes round all the while
    assert stage.told == ["partition-blocked"]
    series = b'ounce_partition_blocked_seconds{partition="0",task="digits"}'
    assert series + b" 150.0" in generate_latest(stage.metrics.registry)
    assert (stage.n_restarts, stage.health.ready()[0]) == (0, True)
    stage.view.mark = Marks(0, 10, 10)
    stage.look_after(5)
    assert stage.told == ["partition-blocked", "partition-unblocked"]
    assert series + b" 0.0" in generate_latest(stage.metrics.registry)


def test_a_topic_with_another_id_is_read_anew() -> None:
    stage = Stage()
    stage.look_after(0)
    stage.look_after(5)
    assert (stage.told, stage.partitions.anew) == ([], [])
    stage.view.topic_id = "second"
    stage.look_after(5)
    stage.look_after(5)
    assert (stage.told, stage.partitions.anew) == (["topic-recreated"], ["t second"])


def test_a_topic_that_was_made_again_before_the_first_look_is_read_anew() -> None:
    stage = Stage()
    stage.view.topic_id = "second"
    stage.look_after(0)
    assert (stage.told, stage.partitions.anew) == (["topic-recreated"], ["t second"])


def test_a_stranger_that_has_partitions_is_told_once_until_another_one_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    idle, elsewhere = Stranger("idle", "h", ()), Stranger("other", "h", (("u", 0),))
    stage.members.others = (
        idle,
        elsewhere,
    )
    stage.look_after(0)
    assert stage.told == []
    stage.members.others = (idle, Stranger("spy", "10.0.0.7", (("t", 1), ("t", 2), ("u", 3))))
    with caplog.at_level(logging.INFO):
        stage.look_after(60)
    assert "client spy at 10.0.0.7 has partition 1, 2; give" in caplog.text
    stage.members.others = None  # not known, as in a rebalance
    stage.look_after(60)
    stage.members.others = (Stranger("spy", "10.0.0.7", (("t", 1),)),)
    stage.look_after(60)
    assert stage.told == ["group-shared"]
    stage.members.others = (Stranger("another", "10.0.0.8", (("t", 1),)),)
    stage.look_after(60)
    stage.members.others = ()
    stage.look_after(60)
    stage.look_after(60)
    assert stage.told == ["group-shared", "group-shared", "group-unshared"]


def test_members_are_asked_for_where_partitions_changed_and_once_a_minute() -> None:
    stage = Stage()
    for _ in range(12):  # at 0, 5, ... 55 s
        stage.look_after(5 if stage.members.n_asked else 0)
    assert stage.members.n_asked == 1
    stage.look_after(5)
    assert stage.members.n_asked == 2
    stage.partitions.positions.begin({("t", 1): 5})
    stage.members.others = None
    n_asked = []
    for _ in range(4):  # nothing is told: asked again, but not at each look
        stage.look_after(5)
        n_asked.append(stage.members.n_asked)
    assert n_asked == [3, 3, 3, 4]
    stage.members.others = ()
    for _ in range(4):
        stage.look_after(5)
    assert stage.members.n_asked == 5


def test_what_the_broker_says_is_shown_before_members_are_told() -> None:
    stage = Stage()
    shown = list[bytes]()
    stage.members.before_told = lambda: shown.append(generate_latest(stage.metrics.registry))
    stage.look_after(0)
    [at_first] = shown
    assert b'ounce_partition_blocked_seconds{partition="0",task="digits"} 0.0' in at_first
