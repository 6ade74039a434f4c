"""Schedules are drawn from their seed alone, and hold what faults need."""

from collections import Counter
from itertools import pairwise

import pytest

from trials.chaos.schedule import OF_BROKER, Kind, make_schedule


def test_the_same_seed_gives_the_same_schedule() -> None:
    one, same, other = (make_schedule(seed, 200, gap_s=2.0, session_s=3.0) for seed in (7, 7, 8))
    assert one == same
    assert one != other


def test_every_kind_comes_at_once_and_in_its_share() -> None:
    faults = make_schedule(1, 1000, gap_s=2.0, session_s=3.0)
    assert [f.number for f in faults] == list(range(1000))
    assert {f.kind for f in faults[: 2 * len(Kind)]} == set(Kind)
    counts = Counter(f.kind for f in faults)
    assert counts[Kind.KILL] > counts[Kind.TERM] > counts[Kind.SLOW] > 20
    assert 1.9 < faults[-1].at_s / len(faults) < 2.2


def test_the_broker_has_time_to_serve_and_workers_that_come_can_go() -> None:
    faults = make_schedule(2, 500, gap_s=1.0, session_s=3.0)
    times = [f.at_s for f in faults]
    assert times == sorted(times)
    of_broker = [f.at_s for f in faults if f.kind in OF_BROKER]
    assert len(of_broker) > 10
    assert all(b - a >= 15 for a, b in pairwise(of_broker))
    added = 0
    for fault in faults:
        added += (fault.kind is Kind.ADD) - (fault.kind is Kind.REMOVE)
        assert 0 <= added <= 2


def test_zombies_sleep_longer_than_their_session_and_stalled_workers_do_not() -> None:
    faults = make_schedule(3, 500, gap_s=1.0, session_s=4.0)
    assert all(f.lasts_s > 4 for f in faults if f.kind in (Kind.ZOMBIE, Kind.TWIN))
    assert all(0 < f.lasts_s < 4 for f in faults if f.kind is Kind.STALL)
    cuts = [f.lasts_s for f in faults if f.kind is Kind.CUT]
    assert min(cuts) < 4 < max(cuts)


def test_kinds_can_be_chosen() -> None:
    faults = make_schedule(1, 30, gap_s=1.0, session_s=3.0, kinds=(Kind.KILL, Kind.BROKER_KILL))
    assert {f.kind for f in faults} == {Kind.KILL, Kind.BROKER_KILL}
    assert len(make_schedule(1, 5, gap_s=1.0, session_s=3.0, kinds=(Kind.ADD, Kind.REMOVE))) == 5
    assert len(make_schedule(1, 5, gap_s=1.0, session_s=3.0, kinds=(Kind.BROKER_STOP,))) == 5
    for kinds in ((Kind.REMOVE, Kind.KILL), ()):
        with pytest.raises(ValueError, match="come together"):
            make_schedule(1, 5, gap_s=1.0, session_s=3.0, kinds=kinds)
