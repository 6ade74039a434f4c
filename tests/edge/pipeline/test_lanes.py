"""Threads for long calls, without anything that they could know of what they call."""

import math
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from ounce_edge.pipeline.lanes import Lanes

WAIT_S = 60.0


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(2)
    yield own
    own.close()


def test_each_lane_takes_one_call_and_gives_what_it_returned(lanes: Lanes) -> None:
    go = threading.Event()

    def waits(answer: int) -> int:
        assert go.wait(WAIT_S)
        return answer

    calls = [lanes.start(partial(waits, i), 5.0) for i in range(2)]
    assert (len(lanes), lanes.n_free) == (2, 0)
    with pytest.raises(RuntimeError, match="none of 2 lanes is free; look at `n_free` first"):
        lanes.start(lambda: None, 1.0)
    go.set()
    assert [call.result(WAIT_S) for call in calls] == [0, 1]
    assert lanes.n_free == 2


def test_what_a_call_raises_its_future_raises(lanes: Lanes) -> None:
    def fails() -> None:
        raise ZeroDivisionError("a bug")

    call = lanes.start(fails, 1.0)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        call.result(WAIT_S)
    assert lanes.n_free == 2


def test_a_call_that_ended_before_the_wait_is_not_waited_for(lanes: Lanes) -> None:
    lanes.start(lambda: None, 1.0).result(WAIT_S)
    lanes.wait(WAIT_S)
    assert lanes.n_free == 2


def test_when_the_next_call_ends_is_predicted() -> None:
    now_s, go = 50.0, threading.Event()
    lanes = Lanes(2, steady=lambda: now_s)
    assert (lanes.next_end_ms, lanes.longest_s) == (math.inf, 0.0)
    calls = [lanes.start(lambda: go.wait(WAIT_S), takes_ms) for takes_ms in (30.0, 20.0)]
    now_s = 50.015
    assert lanes.next_end_ms == pytest.approx(5.0)
    now_s = 51.0  # it takes longer than predicted
    assert (lanes.next_end_ms, lanes.longest_s) == (0.0, 1.0)
    go.set()
    assert all(call.result(WAIT_S) for call in calls)
    lanes.close()


def test_none_is_none() -> None:
    lanes = Lanes(0)
    assert (len(lanes), lanes.n_free) == (0, 0)
    lanes.close()
