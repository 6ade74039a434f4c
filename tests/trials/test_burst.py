"""A burst's order is that in which requests were taken, not that of the answers' arrival."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.process.wait import wait_until
from trials.chaos import burst
from trials.chaos.accounting import Entry
from trials.chaos.burst import Burst, burst_table, holds, taken_of
from trials.chaos.deadline_order import Order, find_order
from trials.chaos.kept_decisions import keep_decisions


def request(offset: int, within_ms: int) -> Entry:
    headers = [("ce_maxlatencyms", b"%d" % within_ms)]
    return Entry(0, offset, b"key", b"", headers, timestamp_ms=1000)


def decided(at_ms: float, *offsets: int) -> tuple[None, SimpleNamespace]:
    ids = [b'"ounce.digits.requests-0-%d"' % offset for offset in offsets]
    return None, SimpleNamespace(at_ms=at_ms, json_ids=ids)


def order_of(*decisions: tuple[None, SimpleNamespace], monkeypatch: pytest.MonkeyPatch) -> Order:
    requests = [request(offset, 100 + 100 * offset) for offset in range(4)]
    monkeypatch.setattr(burst, "read_decisions", lambda folder, task: decisions)
    return find_order(taken_of(requests, Path("nowhere"), "digits"))


def test_two_calls_at_once_are_in_order_and_a_reversed_order_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The last one is taken with the first ones, so that all are known to wait from then on.
    known = decided(1001.0, 0, 3)
    kept = order_of(known, decided(1002.0, 1), decided(1003.0, 2), monkeypatch=monkeypatch)
    reversed_ = order_of(known, decided(1002.0, 2), decided(1003.0, 1), monkeypatch=monkeypatch)
    assert kept.pairs == reversed_.pairs > 0
    assert reversed_.out_of_order == kept.out_of_order + 1


def test_only_the_first_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    once = [decided(1001.0, 0, 3), decided(1002.0, 1), decided(1003.0, 2)]
    again = [*once, decided(1004.0, 0)]
    assert order_of(*again, monkeypatch=monkeypatch) == order_of(*once, monkeypatch=monkeypatch)


def test_a_log_that_lacks_requests_is_no_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="tells of 3 requests and lacks 1"):
        order_of(decided(1001.0, 0, 1, 2), monkeypatch=monkeypatch)


def test_a_broken_order_a_lost_answer_and_too_much_memory_fail() -> None:
    order = Order(pairs=10_000, out_of_order=10, chosen=5, chosen_late=1)
    good = Burst("big", 400.0, 12_000, 3.0, 30.0, 12_000, 140.0, 170.0, order)
    assert holds(good)
    assert not holds(Burst(*[*vars(good).values()][:-1], order=Order(10_000, 11, 5, 1)))
    assert not holds(Burst(**{**vars(good), "answered": 11_999}))
    assert not holds(Burst(**{**vars(good), "peak_mb": 140.0 + burst.BOUND_MB + 1}))
    [row] = burst_table(good).rows
    assert row[1] == "12,000 in 3.0 s, 10.0 times the capacity"
    assert row[2] == "all, in 30 s"
    assert row[-1] == "99.900% of 0 million"


def test_what_a_worker_removes_of_its_log_is_kept(tmp_path: Path) -> None:
    recorded, kept = tmp_path / "recorded", tmp_path / "kept"
    recorded.mkdir()
    first = recorded / "digits-1.decisions"
    with keep_decisions(recorded, kept), first.open("w") as file:
        file.write("begun, ")
        wait_until((kept / first.name).exists, lambda: "nothing is kept")
        file.write("gone on with")
        first.unlink()
        (recorded / "digits-2.decisions").write_text("the last one")
    assert {path.name: path.read_text() for path in kept.iterdir()} == {
        "digits-1.decisions": "begun, gone on with",
        "digits-2.decisions": "the last one",
    }
