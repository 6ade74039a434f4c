"""When late messages count as piled up, and what the others get then."""

import numpy as np
import pytest
from ounce_edge.evidence.request_watch import CALM_S
from ounce_edge.pipeline.turn import Turn
from ounce_edge.recommender.pacing.overload import LASTS_S, PILE, Overload
from ounce_schemas.event import EventKind
from ounce_schemas.routing import Choice

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import GOOD, HEAVY, LIGHT, Clock, pipeline, prediction, process

N_ROOM = 1600
PILED_UP = int(PILE * N_ROOM)


def left_ms(n_late: int, n_timely: int = 0) -> np.ndarray:
    return np.concatenate([np.full(n_late, -1.0), np.full(n_timely, 5.0)])


@pytest.fixture
def overload() -> Overload:
    """One that lasts."""
    overload = Overload()
    assert not overload.look(left_ms(PILED_UP), 1 / N_ROOM, 0.0)
    assert not overload.look(left_ms(PILED_UP), 1 / N_ROOM, LASTS_S / 2)
    assert overload.look(left_ms(PILED_UP), 1 / N_ROOM, LASTS_S)
    return overload


def test_late_messages_have_to_take_much_of_the_room() -> None:
    overload = Overload()
    for i in range(10):
        assert not overload.look(left_ms(PILED_UP - 1, N_ROOM), 1 / N_ROOM, float(i))
        assert not overload.look(left_ms(PILED_UP), 0.9 / N_ROOM, float(i))


def test_what_is_in_time_is_no_pile() -> None:
    overload = Overload()
    for i in range(10):
        assert not overload.look(left_ms(0, N_ROOM), 1 / N_ROOM, float(i))


def test_it_has_to_last() -> None:
    overload = Overload()
    for i in range(100):
        n_late = 0 if i % 5 == 4 else PILED_UP
        assert not overload.look(left_ms(n_late), 1 / N_ROOM, i * LASTS_S / 4)


def test_it_is_over_when_half_of_the_pile_is_gone(overload: Overload) -> None:
    assert overload.look(left_ms(PILED_UP // 2), 1 / N_ROOM, 1.0)
    assert not overload.look(left_ms(PILED_UP // 2 - 1), 1 / N_ROOM, 2.0)
    # ... and the next one has to last as well
    assert not overload.look(left_ms(PILED_UP), 1 / N_ROOM, 3.0)


def test_large_messages_pile_up_sooner(overload: Overload) -> None:
    assert overload.look(left_ms(2), PILE / 2, 1.0)
    assert not overload.look(left_ms(0, 2), PILE / 2, 1.0)
    assert not overload.look(left_ms(0), PILE / 2, 1.0)


TIMELY, LATE_MS = 10, 100_000


@pytest.mark.parametrize("lasts", [False, True])
def test_while_it_lasts_dear_floors_are_given_up_and_people_told(lasts: bool) -> None:
    clock, outbox = Clock(), Outbox()
    ms = {"light": LIGHT["ms_per_item"], "heavy": HEAVY["ms_per_item"]}
    serving = pipeline(
        served(DIGITS, "light", clock.takes(ms, "light"), **LIGHT),
        served(DIGITS, "heavy", clock.takes(ms, "heavy"), **HEAVY),
        steady=clock,
    )
    low, high = ([("ce_minaccuracy", floor)] for floor in (b"0.5", b"0.95"))
    late = FakeRecord(GOOD, low, timestamp_ms=1_000_000 - LATE_MS)
    serving.admit([late] * 50, outbox)
    each_room = PILE / 20
    told = serving.step(outbox, Turn(slice_ms=0.1, each_room=each_room)).incidents
    assert (told, serving.overload_lasts) == ([], False)
    if lasts:
        clock.now_s += LASTS_S
    outbox.records.clear()
    serving.admit([*[FakeRecord(GOOD, low)] * TIMELY, *[FakeRecord(GOOD, high)] * TIMELY], outbox)
    report = serving.step(outbox, Turn(slice_ms=0.3, each_room=each_room))
    assert serving.overload_lasts is lasts
    while len(serving.waiting):
        serving.step(outbox, Turn(each_room=each_room))
    timely = [p for p in map(prediction, outbox.records) if p.parameters.latency_ms < LATE_MS]
    cheap, dear = timely[:TIMELY], timely[TIMELY:]
    assert {p.parameters.min_accuracy for p in cheap} == {0.5}
    assert {p.parameters.min_accuracy for p in dear} == {0.95}
    assert {p.model_name for p in cheap} == {"light"}
    assert not any(p.parameters.reason.is_fallback for p in cheap)
    assert len(dear) == TIMELY
    if not lasts:
        assert {(p.model_name, p.parameters.reason) for p in dear} == {
            ("heavy", Choice.LIGHTEST_FEASIBLE)
        }
        assert not report.incidents
        return
    # one call, and each answer says what it is to its message
    assert report.calls[0].n == 2 * TIMELY
    assert {(p.model_name, p.parameters.reason) for p in dear} == {
        ("light", Choice.FALLBACK_MOST_ACCURATE_IN_TIME)
    }
    assert [g.floor_misses for g in report.groups[:2]] == [0, TIMELY]
    assert [h.kind for h in report.incidents] == [EventKind.OVERLOAD]
    for later_s, kinds in ((CALM_S / 2, []), (CALM_S, [EventKind.OVERLOAD_OVER]), (CALM_S, [])):
        clock.now_s += later_s
        _, report = process(serving, FakeRecord(GOOD, low))
        assert [h.kind for h in report.incidents] == kinds
