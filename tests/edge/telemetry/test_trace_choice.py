"""Which messages are traced."""

import random

import pytest
from ounce_edge.telemetry.trace_choice import RateLimit, TraceChoice
from ounce_edge.telemetry.trace_context import context_of, parse_traceparent

from tests.support.edge.pipelines import Clock
from tests.support.edge.traces import PARENT, TRACE


def choice(share: float, per_s: float = 10.0) -> TraceChoice:
    return TraceChoice(share, per_s, Clock(), random.Random(3))


def test_the_share_of_what_is_drawn_is_right_whatever_the_size_of_groups() -> None:
    chooser = choice(0.01)
    for size in (1, 10, 1000):
        n = 200_000
        drawn = [chooser.draw(size) for _ in range(n // size)]
        assert sum(map(len, drawn)) == pytest.approx(0.01 * n, rel=0.1)
        assert all(found == sorted(set(found)) and found[-1:] < [size] for found in drawn)
    assert choice(0.0).draw(100) == []
    assert choice(1.0).draw(3) == [0, 1, 2]


def test_a_rate_limit_saves_up_one_second() -> None:
    clock = Clock()
    limit = RateLimit(10, clock)
    assert [limit.take(7), limit.take(7)] == [7, 3]
    clock.now_s += 0.55
    assert limit.take(7) == 5
    clock.now_s += 100
    assert limit.take(50) == 10


def test_a_steady_clock_that_is_set_back_lets_nothing_through_and_raises_nothing() -> None:
    clock = Clock()
    limit = RateLimit(10, clock)
    assert limit.take(10) == 10
    clock.now_s -= 1000
    assert limit.take(10) == 0
    clock.now_s += 1
    assert limit.take(10) == 10


def test_what_missed_has_a_rate_of_its_own() -> None:
    chooser = choice(1.0, per_s=2)
    assert chooser.limit([0, 1, 2, 3], [3]) == ([0, 1, 3], 1)
    assert chooser.limit([0], [5]) == ([5], 1)
    assert chooser.limit([], [5]) == ([], 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-a-b-01",
        f"00-{TRACE}-{PARENT}".encode(),
        f"00-{'0' * 32}-{PARENT}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-{PARENT}-01".encode(),
        f"00-{TRACE}-{PARENT}-01-more".encode(),
        f"00-{TRACE.upper()}-{PARENT}-01".encode(),
        b"\xff" * 55,
        b'00-"\n' * 11,
    ],
)
def test_what_is_no_trace_context_is_none(value: bytes) -> None:
    assert parse_traceparent(value) is None


def test_a_trace_context_is_read() -> None:
    found = parse_traceparent(f"00-{TRACE}-{PARENT}-01".encode(), b"vendor=1")
    assert found == (int(TRACE, 16), int(PARENT, 16), True, "vendor=1")
    later = parse_traceparent(f"cc-{TRACE}-{PARENT}-02-more".encode(), b"x" * 600)
    assert later == (int(TRACE, 16), int(PARENT, 16), False, "")


def test_cloudevents_extension_counts_where_the_header_is_none() -> None:
    extension = ("ce_traceparent", f"00-{TRACE}-{PARENT}-01".encode())
    for given in (None, b"nonsense"):
        found = context_of(given, [extension, ("ce_tracestate", b"a=1")])
        assert found is not None
        assert (found.is_sampled, found.state) == (True, "a=1")
    assert context_of(None, [("other", None)]) is None
    assert context_of(None, None) is None
