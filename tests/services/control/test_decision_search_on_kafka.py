"""A decision is looked for from the newest answer on, as far back as need be."""

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest
from confluent_kafka import Consumer, Message, Producer
from ounce_schemas.prediction import Decision
from ounce_schemas.routing import Choice
from ounce_schemas.topics import predictions_topic
from ounce_services.control import decision_search
from ounce_services.control.backwards import FIRST_BLOCK, SETTINGS, Reach, read_backwards
from ounce_services.control.decision_search import Found, find_decision
from ounce_services.control.errors import NotFoundError

from tests.support.kafka.topics import OwnTopics

pytestmark = pytest.mark.kafka
TASK = "backwards"
N = 9000
BEGIN_MS = int(time.time() - 2 * N) * 1000
PARTITIONS = 3
DECISION = Decision(
    task=TASK, plan="mlp", reason=Choice.LIGHTEST_FEASIBLE, policy_version="v1",
    catalogue_version="c", max_latency_ms=50, min_accuracy=0.9, expected_accuracy=0.95,
    latency_ms=9, deadline_met=True, floor_met=True, cost_ms=0.1, saved_ms=1,
)  # fmt: skip


@pytest.fixture
def answers(kafka: str, topics: OwnTopics) -> str:
    """A second between two answers: m-0 is the oldest."""
    topics.of_task(TASK, PARTITIONS)
    publish(kafka, [(f"m-{n}", at(n), n % PARTITIONS) for n in range(N)])
    return kafka


def at(second: int) -> int:
    return BEGIN_MS + 1000 * second


def publish(kafka: str, answers: Sequence[tuple[str, int, int]]) -> None:
    """Answers as id, time and partition."""
    producer = Producer({"bootstrap.servers": kafka})
    for id_, at_ms, partition in answers:
        body = {"id": id_, "model_name": "mlp", "model_version": "7", "parameters": DECISION}
        producer.produce(
            predictions_topic(TASK), msgspec.json.encode(body), b"d", partition=partition,
            timestamp=at_ms,
        )  # fmt: skip
    assert producer.flush(60) == 0


def note(read: list[int], message: Message) -> None:
    read.append(message.timestamp()[1])


def find(kafka: str, id_: str, before_ms: int | None = None) -> Found:
    return find_decision({"bootstrap.servers": kafka}, TASK, id_, 20, before_ms)


def test_blocks_are_read_from_the_newest_on_each_message_once(answers: str) -> None:
    with closing(Consumer({**SETTINGS, "bootstrap.servers": answers})) as consumer:
        for reach, wanted in (
            (Reach(N), range(N)),
            (Reach(N, at(N - 30)), range(N - 30)),
            (Reach(6000, at(N - 30)), range(N - 6030, N - 30)),
        ):
            read: list[int] = []
            sizes, since = [], []
            blocks = read_backwards(
                consumer, predictions_topic(TASK), reach, 20, partial(note, read)
            )
            for since_ms in blocks:
                sizes.append(len(read))
                since.append(since_ms)
            assert sorted(read) == [at(n) for n in wanted]
            assert sizes[0] == FIRST_BLOCK - FIRST_BLOCK % PARTITIONS
            assert min(read[: sizes[0]]) > max(read[sizes[0] :])
            assert since[0] is not None
            assert set(range(since[0], at(wanted[-1]) + 1, 1000)) <= set(read[: sizes[0]])
            assert (since[-1] is None) is (wanted[0] == 0)


def test_an_answer_is_found_however_old_it_is(answers: str) -> None:
    for n in (0, N // 2, N - 1):
        found = find(answers, f"m-{n}")
        assert (found.id, found.timestamp_ms) == (f"m-{n}", at(n))


def test_of_several_answers_the_newest_before_a_time_counts(answers: str) -> None:
    """Also where a partition has more messages since then than are read first."""
    publish(answers, [("twice", at(N), 0), ("twice", at(N + 1), 2)])
    publish(answers, [(f"later-{n}", at(N + 2), 2) for n in range(FIRST_BLOCK)])
    assert find(answers, "twice").timestamp_ms == at(N + 1)
    assert find(answers, "twice", at(N + 1)).timestamp_ms == at(N)
    with pytest.raises(NotFoundError, match="none of all answers of task backwards before 20"):
        find(answers, "twice", at(N))


def test_what_was_aborted_hides_no_newer_answer(kafka: str, topics: OwnTopics) -> None:
    """It fills all of a partition that is read first."""
    topics.of_task(TASK, 2)
    publish(kafka, [("twice", at(1), 0), ("twice", at(2), 1)])
    aborting = Producer({"bootstrap.servers": kafka, "transactional.id": "test-aborting"})
    aborting.init_transactions(60)
    aborting.begin_transaction()
    for _ in range(FIRST_BLOCK):
        aborting.produce(predictions_topic(TASK), b"aborted", partition=1)
    aborting.flush(60)
    aborting.abort_transaction(60)
    assert find(kafka, "twice").timestamp_ms == at(2)


def test_a_topic_of_more_partitions_than_messages_to_read_is_searched(
    kafka: str, topics: OwnTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_search, "MOST_SEARCHED", 2)
    topics.of_task(TASK, PARTITIONS)
    publish(kafka, [("m", at(0), 2)])
    assert find(kafka, "m").timestamp_ms == at(0)


@pytest.mark.parametrize("id_", ['with "quotes" and \\', "zwölf/0", "\n"])
def test_an_id_is_found_as_a_worker_writes_it(kafka: str, topics: OwnTopics, id_: str) -> None:
    topics.of_task(TASK)
    publish(kafka, [(id_, at(0), 0)])
    assert find(kafka, id_).id == id_


def test_where_none_is_found_it_is_told_how_far_back_the_search_went(
    answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_search, "MOST_SEARCHED", 3000)
    oldest = datetime.fromtimestamp(at(N - 3000 + PARTITIONS - 1) / 1e3, UTC)
    told = (
        f"none of the newest 3,000 answers .* back to {oldest:%Y-%m-%d %H:%M:%S} UTC.* name a time"
    )
    with pytest.raises(NotFoundError, match=told):
        find(answers, "m-0")
    assert find(answers, "m-0", at(1)).timestamp_ms == at(0)
