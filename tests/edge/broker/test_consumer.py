"""What becomes of commits that fail."""

import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from ounce_edge.broker.reading.consumer import CommitReports
from ounce_schemas.errors import BrokerError

OFFSETS = [TopicPartition("t", 0, 7)]


class Hooks:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.refused: list[bool] = []
        self.errors: list[BrokerError] = []

    def on_commit(self, was_refused: bool) -> None:
        self.refused.append(was_refused)

    def on_error(self, error: BrokerError) -> None:
        self.errors.append(error)


def reports() -> tuple[CommitReports, Hooks]:
    own = Hooks()
    hooks: Any = own
    return CommitReports(hooks), own


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNKNOWN,
    ],
)
def test_a_failure_that_may_pass_ends_no_worker_and_is_told_once(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    on_commit, hooks = reports()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            on_commit(KafkaError(code), OFFSETS)
        on_commit(None, OFFSETS)
        on_commit(KafkaError(code), OFFSETS)
    assert (hooks.refused, hooks.errors) == ([True, True, True, False, True], [])
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "offsets not committed"
    ] * 2


def test_a_failure_of_one_partition_is_one_of_the_commit() -> None:
    on_commit, hooks = reports()

    class Failed(TopicPartition):
        error = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)

    on_commit(None, [*OFFSETS, Failed("t", 1, 8)])
    assert (hooks.refused, hooks.errors) == ([True], [])


def test_of_a_name_that_is_taken_it_is_said_what_to_do() -> None:
    on_commit, hooks = reports()
    twice = "Fatal error: {0}: Fatal consumer error: {0}"
    taken = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
    on_commit(KafkaError(KafkaError._FATAL, twice.format(taken)), OFFSETS)
    [error] = hooks.errors
    assert "a --name of its own" in str(error)
    assert str(error).count(taken) == 1


@pytest.mark.parametrize(
    "error",
    [
        KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED),
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED),
        KafkaError(KafkaError._TIMED_OUT, fatal=True),
    ],
)
def test_what_no_repetition_mends_ends_the_worker(error: KafkaError) -> None:
    on_commit, hooks = reports()
    on_commit(error, OFFSETS)
    assert hooks.refused == [True]
    assert [str(e) for e in hooks.errors] == [f"can't commit offsets of t: {error.str()}"]
