"""Messages of a higher priority go first, and the others wait where those have no time to spare.

Where time is plentiful, a priority changes nothing but the order. Where it is short, messages of a
lower priority get none of it before all of a higher priority that can be in time are answered. So
what has to make do with less, or to be late, is what matters least.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from ounce_edge.recommender.arrays import NONE, Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.slicing import is_late, usual_ms
from ounce_edge.recommender.rule.batches import Line
from ounce_edge.recommender.rule.schedule import Group, Schedule, Share


def in_order(routes: Sequence[int], priorities: Mapping[int, int]) -> Sequence[int]:
    """Routes by priority, the highest first; those of one priority in the order they come in."""
    return sorted(routes, key=lambda route: -priorities[route])


def times_before(
    takes_ms: Mapping[int, float], priorities: Mapping[int, int]
) -> Mapping[int, float]:
    """Time that a slice of each other route takes from a route's messages: all but those of a lower
    priority do.

    Args:
        takes_ms: predicted time of a slice, by route, in the order of `in_order`.
        priorities: by route.
    """
    found: dict[int, float] = {}
    higher_ms = 0.0
    for _, of_level in groupby(takes_ms, key=priorities.__getitem__):
        level = list(of_level)
        higher_ms += sum(takes_ms[route] for route in level)
        found.update({route: higher_ms - takes_ms[route] for route in level})
    return found


class Precedence:
    """Who waits for whom within one turn of a task, whose routes are decided on in order."""

    def __init__(self) -> None:
        self._spare_ms: dict[int, float] = {}
        """How long messages can wait that are decided on and wait, by their priority."""

    def begin(self) -> None:
        """Another turn."""
        self._spare_ms.clear()

    def may_run(self, priority: int, view: View, calls: Sequence[Group]) -> bool:
        """Whether calls for messages of a priority leave those of higher ones in time.

        Args:
            priority: of the messages.
            view: what is believed.
            calls: what is to be done on this thread.
        """
        if not self._spare_ms:
            return True
        spare_ms = min((ms for p, ms in self._spare_ms.items() if p > priority), default=math.inf)
        takes_ms = sum(usual_ms(view, group) for group in calls)
        if takes_ms > spare_ms:
            return False
        self._spare_ms = {p: ms - takes_ms for p, ms in self._spare_ms.items()}
        return True

    def add(
        self, priority: int, view: View, schedule: Schedule, now: Share, left_ms: Floats
    ) -> None:
        """Messages of a priority were decided on; arguments as in `spare_ms`."""
        before_ms = self._spare_ms.get(priority, math.inf)
        self._spare_ms[priority] = min(before_ms, spare_ms(view, schedule, now, left_ms))


def spare_ms(view: View, schedule: Schedule, now: Share, left_ms: Floats) -> float:
    """How long what is left of a decision can wait until some of it is late, milliseconds; infinite
    where nothing is left that is in time, or where it waits for a lane or a load.

    Args:
        view: what was believed.
        schedule: what was decided.
        now: what of it is done now.
        left_ms: time left per message when it was decided; shape (n,).
    """
    if now.n_held:
        return math.inf
    line, spare = Line(), math.inf
    done = np.concatenate([NONE, *(group.items for group in (*now.here, *now.beside))])
    for group in now.here:
        call = view.calls[group.plan, len(group.items)]
        line.join(call.usual_ms, call.finish_ms)
    for group in schedule.groups:
        rest = np.setdiff1d(group.items, done, assume_unique=True)
        if len(rest) and not is_late(group):
            call = view.calls[group.plan, len(rest)]
            ends_ms = line.join(call.usual_ms, call.finish_ms)
            spare = min(spare, float(left_ms[rest].min()) - ends_ms)
    return spare
