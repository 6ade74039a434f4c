"""How many stored records go at once, and when, on a time of the test's own."""

import pytest
from ounce_edge.gateway.pace import TICK_S, Pace


def run(pace: Pace, took_s: float, n_batches: int, held_s: float = 0.0) -> list[int]:
    """The sizes of batches that all take as long, each at the first time that it may go."""
    sizes, now_s = [], 1000.0
    for _ in range(n_batches):
        now_s += pace.wait_s(now_s)
        sizes.append(pace.due(now_s))
        pace.went(now_s, now_s + took_s, held_s)
        now_s += took_s
    return sizes


def test_it_begins_with_a_tenth_and_doubles_up_to_what_is_set() -> None:
    assert run(Pace(5000, 10), 0.01, 6) == [50, 100, 200, 400, 500, 500]


def test_it_halves_while_live_messages_are_held_up_and_a_tenth_stays() -> None:
    pace = Pace(5000, 10)
    run(pace, 0.01, 5)
    assert run(pace, 0.01, 6, held_s=0.2) == [500, 250, 125, 62, 50, 50]
    assert run(pace, 0.01, 3) == [50, 100, 200]


def test_it_halves_while_transactions_are_longer_than_the_shortest() -> None:
    pace = Pace(5000, 10)
    run(pace, 0.02, 5)
    assert run(pace, 0.1, 3) == [500, 250, 125]


def test_a_broker_that_is_slow_for_good_gets_all() -> None:
    """Smaller batches would not make its transactions shorter."""
    pace = Pace(5000, 10)
    run(pace, 0.01, 5)
    assert run(pace, 0.09, 60)[-1] == 500


@pytest.mark.parametrize("took_s", [0.01, 0.04, 0.3])
def test_stored_records_take_at_most_half_of_the_time(took_s: float) -> None:
    pace = Pace(5000, 10)
    pace.went(10.0, 10.0 + took_s, 0.0)
    ended_s = 10.0 + took_s
    rest_s = pace.wait_s(ended_s)
    assert rest_s == pytest.approx(max(TICK_S - took_s, took_s))
    assert pace.due(ended_s + rest_s - 0.001) == 0
    assert pace.due(ended_s + rest_s + 0.001) > 0


def test_after_an_outage_it_begins_anew() -> None:
    pace = Pace(5000, 10)
    run(pace, 0.01, 5)
    pace.start_over()
    assert run(pace, 1.0, 2) == [50, 100]


def test_one_a_second_is_one_at_least() -> None:
    assert run(Pace(0.5, 10), 0.01, 3) == [1, 1, 1]


def test_fewer_go_together_on_a_line_that_is_too_slow_for_them_and_more_once_it_is_not() -> None:
    pace = Pace(5000, 10)
    run(pace, 0.01, 5)
    pace.failed(500, 1000)
    pace.failed(250, 1000)
    assert (pace.most, run(pace, 0.01, 1)) == (125, [125])
    pace.carried(125, 1000, 8.0)
    assert pace.most == 62
    pace.carried(62, 1000, 6.0)
    assert pace.most == 62, "it is in time, and more would not be"
    pace.carried(62, 1000, 3.0)
    assert pace.most == 69
    for _ in range(4):
        pace.carried(pace.most, 1000, 1.0)
    assert (pace.most, pace.limit) == (500, 500)
    for _ in range(20):
        pace.failed(1, 1000)
    assert pace.most == 1


def test_a_large_record_that_fails_alone_gets_the_time_that_it_needs_and_others_do_not() -> None:
    pace = Pace(5000, 10)
    pace.failed(2, 1_000_000)
    pace.failed(1, 1000)
    assert pace.more_s == 0, "it failed for another reason than its size"
    pace.failed(1, 400_000)
    assert pace.more_s == 100
    pace.carried(1, 400_000, 60.0)
    assert pace.more_s == 100
    pace.carried(1, 1000, 100.0)
    assert pace.more_s == 0
    for more_s in (100, 200, 400, 600, 600):
        pace.failed(1, 400_000)
        assert pace.more_s == more_s, "others share the line"
    pace.failed(1, 1000)
    assert not pace.lengthen(9.0)
    assert pace.lengthen(50.0)
    assert pace.more_s == 150
    assert not pace.lengthen(50.0), "it has that time"
    pace.refused()
    assert not pace.lengthen(50.0), "Kafka permits no more"
    assert pace.more_s == 75
    pace.start_over()
    pace.failed(1, 10**9)
    assert pace.more_s == 600
    for _ in range(10):
        pace.carried(1, 1000, 1.0)
    assert pace.more_s == 0
