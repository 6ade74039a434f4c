"""How many records one transaction answers, and how long that may take."""

import pytest
from ounce_edge.recommender.pacing.transaction_size import (
    LONGEST_MS,
    TransactionSize,
    TransactionTime,
    budget_ms,
)


def settle(size: TransactionSize, fixed_ms: float, record_ms: float, budget_ms: float) -> int:
    for _ in range(40):
        n = size.n_records
        size.learn(n, fixed_ms + n * record_ms, budget_ms)
    return size.n_records


@pytest.mark.parametrize(("fixed_ms", "record_ms"), [(0.0, 0.01), (5.0, 0.01), (0.5, 1.0)])
def test_the_budget_is_used_and_kept(fixed_ms: float, record_ms: float) -> None:
    n = settle(TransactionSize(), fixed_ms, record_ms, 20.0)
    assert 10.0 * 0.9 <= fixed_ms + n * record_ms <= 20.0


def test_a_high_fixed_cost_does_not_keep_transactions_small() -> None:
    size = TransactionSize()
    assert settle(size, 30.0, 0.1, 20.0) == 1  # even one record is more than the budget
    assert settle(size, 30.0, 0.1, 100.0) > 100  # ... and as soon as it is not, there are many


def test_a_poll_of_few_records_says_nothing_about_many() -> None:
    size = TransactionSize(first=64)
    for _ in range(10):
        size.learn(3, 0.1, 20.0)
    assert size.n_records == 64


def test_a_slow_machine_makes_them_smaller_and_a_quick_one_larger_up_to_a_limit() -> None:
    size = TransactionSize(first=1000, most=4000)
    assert settle(size, 0.0, 1.0, 20.0) <= 20
    assert settle(size, 0.0, 0.001, 20.0) == 4000


@pytest.mark.parametrize(
    ("tightest_ms", "transaction_ms", "expected_ms"),
    [
        (1000.0, 5.0, 20.0),  # the setting
        (40.0, 5.0, 10.0),  # a quarter of the tightest deadline
        (40.0, 15.0, 15.0),  # records wait that long anyway
        (1000.0, 60.0, 60.0),
        (40.0, 5000.0, 100.0),  # ... up to five times the setting
        (1.0, 0.1, 1.0),
    ],
)
def test_the_budget_follows_setting_deadlines_and_what_a_transaction_takes(
    tightest_ms: float, transaction_ms: float, expected_ms: float
) -> None:
    assert budget_ms(20.0, tightest_ms, transaction_ms, is_queueing=False) == expected_ms


@pytest.mark.parametrize(("transaction_ms", "expected_ms"), [(5.0, 20.0), (60.0, 60.0)])
def test_where_records_queue_tight_deadlines_make_no_transaction_smaller(
    transaction_ms: float, expected_ms: float
) -> None:
    assert budget_ms(20.0, 1.0, transaction_ms, is_queueing=True) == expected_ms


def test_slow_ones_at_first_and_now_and_then_say_nothing_of_the_next() -> None:
    time = TransactionTime()
    for took_ms in (3800.0, 82.0, 17.7, 14.2, 9.0, 9.0, 500.0, 9.0, 9.0):
        time.learn(took_ms)
        assert time.typical_ms < 20.0
    for _ in range(5):
        time.learn(60.0)  # a machine that is slow all the time
    assert time.typical_ms == 60.0


GIVEN_UP_MS = 10_000.0
"""After this the broker aborts a transaction."""


def commit(size: TransactionSize, record_ms: float) -> bool:
    """Transactions under a backlog whose records are computed at once, on a line that takes so long
    for each record; whether the next one is committed."""
    n = size.n_records
    size.learn(n, 0.01, 20.0)
    if n * record_ms > GIVEN_UP_MS:
        size.learn_abort(n)
        return False
    size.learn_commit(n, n * record_ms)
    return True


@pytest.mark.parametrize("record_ms", [0.5, 3.0, 40.0, 6000.0])
def test_a_slow_line_makes_transactions_as_small_as_the_broker_waits_for(record_ms: float) -> None:
    size = TransactionSize()
    done = [commit(size, record_ms) for _ in range(60)]
    assert all(done[10:])
    assert size.n_records * record_ms <= max(LONGEST_MS, record_ms)
    assert size.n_records * record_ms > LONGEST_MS / 4 or size.n_records == 1


def test_a_large_one_that_was_computed_before_says_nothing_for_larger_ones() -> None:
    # The next transaction is computed while the one before is committed.
    size = TransactionSize()
    size.learn_commit(100, 8000.0)
    size.learn_abort(400)
    size.learn(size.n_records, 0.01, 20.0)
    assert size.n_records == 50


def test_a_line_that_is_quick_again_carries_large_ones_again() -> None:
    size = TransactionSize()
    for _ in range(60):
        commit(size, 40.0)
    assert size.n_records <= 100
    for _ in range(20):
        commit(size, 0.001)
    assert size.n_records == 16_384
