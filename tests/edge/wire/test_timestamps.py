"""When requests were sent, with clocks of devices that are right, a little off, or absurd."""

import numpy as np
import pytest
from ounce_edge.wire.requests.timestamps import MOST_AHEAD_MS, MOST_BEHIND_MS, sent_at_ms

from tests.support.edge.ladders import FakeRecord

NOW_MS = 1_800_000_000_000.25
DAY_MS = 86_400_000


class Stamped(FakeRecord):
    """A record whose timestamp has another kind than a device's."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind

    def timestamp(self) -> tuple[int, int]:
        return self.kind, 0


def sent(*times_ms: float, kind: int = 1) -> tuple[list[float], list[bool] | None]:
    records = [Stamped(kind) for _ in times_ms]
    at_ms, is_off = sent_at_ms(np.array(times_ms, dtype=np.int64), NOW_MS, records)
    return at_ms.tolist(), None if is_off is None else is_off.tolist()


def test_times_near_the_workers_clock_are_believed() -> None:
    now = int(NOW_MS)
    times = (now, now - 5, now - int(MOST_BEHIND_MS) + 1)
    assert sent(*times) == ([float(t) for t in times], None)
    assert sent() == ([], None)


def test_a_record_without_a_time_and_one_a_little_ahead_count_from_now() -> None:
    now = int(NOW_MS)
    assert sent(-1, now + 1, now + int(MOST_AHEAD_MS), now - 9) == (
        [NOW_MS, NOW_MS, NOW_MS, now - 9.0],
        None,
    )


@pytest.mark.parametrize(
    "time_ms",
    [
        0,
        1,
        946_684_800_000,
        int(NOW_MS) - DAY_MS,
        int(NOW_MS - MOST_BEHIND_MS),
        int(NOW_MS + MOST_AHEAD_MS) + 1,
        4_102_444_800_000,
        2**62,
    ],
)
def test_a_time_that_is_off_counts_from_now_and_costs_the_others_nothing(time_ms: int) -> None:
    good = int(NOW_MS) - 7
    assert sent(good, time_ms, -1) == ([float(good), NOW_MS, NOW_MS], [False, True, False])


def test_what_the_broker_stamped_is_believed_however_old() -> None:
    old = int(NOW_MS) - 30 * DAY_MS
    assert sent(old, kind=2) == ([float(old)], None)
