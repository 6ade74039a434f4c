"""Exactly once: how many records one transaction answers."""

import asyncio

import pytest
from ounce_edge.recommender.pacing.transaction_size import TransactionSize
from ounce_edge.worker.serving.serving import Serving
from ounce_edge.worker.serving.transacted import Transacted
from ounce_schemas.topics import requests_topic

from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import FakeDelivery, serving_of

TIGHT = [("ce_maxlatencyms", b"8")]
SETTING_MS, FIRST_GUESS_MS = 20.0, 10.0


def size_of(serving: Serving) -> TransactionSize:
    assert isinstance(serving._mode, Transacted)
    return serving._mode._size


@pytest.mark.parametrize(
    ("n", "is_more", "expected"),
    [
        (3, False, [(3, FIRST_GUESS_MS)]),
        (10, False, [(4, SETTING_MS), (4, SETTING_MS), (2, SETTING_MS)]),
        (4, True, [(4, SETTING_MS)]),
    ],
)
def test_tight_deadlines_make_transactions_small_unless_records_queue(
    n: int, is_more: bool, expected: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = serving_of(
        pipeline(served(DIGITS, "a")),
        delivery=FakeDelivery(is_transactional=True),
        transaction_ms=SETTING_MS,
    )
    size = size_of(serving)
    size.n_records = 4
    seen: list[tuple[int, float]] = []
    monkeypatch.setattr(size, "learn", lambda n, took_ms, budget: seen.append((n, budget)))

    def poll(n: int, first: int, *, is_more: bool) -> None:
        topic, body = requests_topic(DIGITS.name), raw(1, 2, 3, 4)
        records = [FakeRecord(body, TIGHT, offset_=first + i, topic_=topic) for i in range(n)]
        serving.polled(n, is_more, 0.001)
        asyncio.run(serving.take(records))

    poll(1, 0, is_more=False)  # the worker knows the deadlines from now on
    seen.clear()
    poll(n, 1, is_more=is_more)
    assert seen == expected


def test_what_takes_long_to_commit_makes_the_next_transactions_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery = FakeDelivery(is_transactional=True)
    serving = serving_of(
        pipeline(served(DIGITS, "a")), delivery=delivery, transaction_ms=SETTING_MS
    )
    size = size_of(serving)
    monkeypatch.setattr(size, "learn", lambda *_: None)  # how long it computes is not the question

    def poll(first: int) -> None:
        topic, body = requests_topic(DIGITS.name), raw(1, 2, 3, 4)
        records = [FakeRecord(body, offset_=first + i, topic_=topic) for i in range(64)]
        asyncio.run(serving.take(records))

    poll(0)
    assert size.n_records == 64
    delivery.confirm_ms = 8000.0
    poll(64)
    assert size.n_records == 32
    delivery.takes_nothing = True
    poll(96)
    delivery.takes_nothing, delivery.is_aborted = False, True
    serving.start_over()
    assert size.n_records == 16
