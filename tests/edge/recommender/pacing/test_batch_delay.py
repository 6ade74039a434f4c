"""How long a request waits for others that could share its call."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.recommender.pacing.batch_delay import DELAY_SHARE, LEAST_MS, MEMORY_S, BatchDelay

from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import GOOD, pipeline
from tests.support.edge.serving import FakeDelivery, serving_of
from tests.support.kafka.consumer import Draining, FakeClient


def after(*polls: tuple[float, int, float], most_ms: float = 5.0) -> BatchDelay:
    """Of polls: when, how many records, and the tightest deadline lately."""
    delay = BatchDelay(most_ms)
    for at_s, n_records, tightest_ms in polls:
        delay.polled(n_records, tightest_ms, at_s)
    return delay


def steadily(
    per_s: int, tightest_ms: float, since_s: float = 100.0
) -> list[tuple[float, int, float]]:
    """Polls of three seconds, ten a second."""
    return [(since_s + i / 10, per_s // 10, tightest_ms) for i in range(30)]


def test_a_request_waits_for_a_share_of_the_tightest_deadline() -> None:
    assert after(*steadily(1000, 60.0)).seconds == pytest.approx(DELAY_SHARE * 0.060)
    assert after(*steadily(1000, 10_000.0)).seconds == pytest.approx(0.005)
    assert after(*steadily(1000, 10_000.0), most_ms=50.0).seconds == pytest.approx(0.050)


def test_none_waits_where_deadlines_are_tight_or_it_is_switched_off() -> None:
    assert after(*steadily(1000, LEAST_MS / DELAY_SHARE * 0.99)).seconds == 0.0
    assert after(*steadily(1000, 1000.0), most_ms=0.0).seconds == 0.0


def test_none_waits_for_what_hardly_comes() -> None:
    assert after(*steadily(210, 1000.0)).seconds > 0.0
    assert after(*steadily(190, 1000.0)).seconds == 0.0
    assert BatchDelay(5.0).seconds == 0.0


def test_after_a_silence_none_waits() -> None:
    assert after(*steadily(1000, 1000.0), (200.0, 1, 1000.0)).seconds == 0.0


def test_a_tight_deadline_counts_for_a_minute() -> None:
    urgent = (100.0, 1, 5.0)
    soon = after(urgent, *steadily(1000, 1000.0, 100.0 + MEMORY_S - 5.0))
    assert soon.seconds == 0.0
    late = after(urgent, *steadily(1000, 1000.0, 100.0 + MEMORY_S), *steadily(
        1000, 1000.0, 100.0 + 2.0 * MEMORY_S))  # fmt: skip
    assert late.seconds > 0.0


@given(
    st.lists(st.tuples(st.floats(0.0, 2.0), st.integers(0, 5000), st.floats(0.1, 1e6)), min_size=1),
    st.floats(0.0, 1000.0),
)
def test_never_longer_than_the_latest_deadlines_allow(polls: list, most_ms: float) -> None:
    delay, at_s = BatchDelay(most_ms), 0.0
    for gap_s, n_records, tightest_ms in polls:
        at_s += gap_s
        delay.polled(n_records, tightest_ms, at_s)
        assert delay.seconds * 1e3 <= min(most_ms, DELAY_SHARE * tightest_ms) * (1 + 1e-9)


def test_a_worker_learns_it_from_what_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    model = served(DIGITS, "light", accuracy=0.85, ms_per_item=0.01)
    serving = serving_of(pipeline(model), delivery=FakeDelivery())
    now_s = time.perf_counter()
    monkeypatch.setattr("ounce_edge.worker.serving.serving.time.perf_counter", lambda: now_s)
    for _ in range(30):
        serving.polled(100, False, 0.0)
        now_s += 0.1
    assert serving.batch_delay_s() == 0.005  # the policy's deadline is 100 ms
    urgent = FakeRecord(GOOD, headers_=[("ce_maxlatencyms", b"10")])
    asyncio.run(serving.take([urgent]))
    serving.polled(100, False, 0.0)
    assert serving.batch_delay_s() == 0.0


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("ounce_edge.broker.reading.consumer.time.sleep", seconds.append)
    return seconds


class LateClient(FakeClient):
    """Has nothing for who does not wait, then one record, then the others."""

    def consume(self, most: int, timeout: float) -> list:
        return super().consume(most, timeout) if timeout or self.waited else []

    waited = False


def test_a_poll_that_found_nothing_waits_behind_the_first_record(slept: list[float]) -> None:
    client = LateClient(5)
    draining = Draining(client, [100], delay_s=0.005)
    assert draining._take(0.0, 100)[0] == []
    assert slept == []

    def come(seconds: float) -> None:
        slept.append(seconds)
        client.waited = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", come)
        taken, is_more, _ = draining._take(0.1, 100)
    assert (len(taken), is_more, slept) == (5, False, [0.005])


def test_no_poll_waits_where_records_are_there_or_there_is_work(slept: list[float]) -> None:
    assert len(Draining(FakeClient(5), [100], delay_s=0.005)._take(0.1, 100)[0]) == 5
    assert slept == []
    Draining(LateClient(5), [100], delay_s=0.005)._take(0.002, 100)
    assert slept[0] <= 0.002
