"""What of a schedule is run before newer messages are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.routing import Choice

from ounce_edge.recommender.decision import Group, Schedule
from ounce_edge.recommender.plans import View

SLICE_MS = 5.0
"""Predicted compute of one slice: what arrives meanwhile waits that long before it is
considered."""
LATE = (Choice.FALLBACK_LATE, Choice.FALLBACK_FASTEST)
"""Reasons of messages that nothing answers in time."""


@dataclass(frozen=True)
class Slice:
    """The groups to run now, in this order."""

    groups: Sequence[Group]
    late_owed: bool
    """Late messages were put off: the next slice begins with them."""


def first_slice(
    view: View,
    schedule: Schedule,
    remaining_ms: NDArray[np.float64],
    slice_ms: float = SLICE_MS,
    late_owed: bool = False,
) -> Slice:
    """The groups of a schedule that fit into a slice; of one that is longer, the messages with the
    least time left. What is late comes last, but is not put off twice in a row.

    Args:
        view: what the schedule was decided on.
        schedule: what to run; at least one call of it is taken.
        remaining_ms: time left per message, milliseconds, shape (n,).
        slice_ms: predicted compute of the slice, milliseconds.
        late_owed: of the slice before.
    """
    queue = list(schedule.groups)
    if late_owed:
        queue.sort(key=lambda group: group.choice not in LATE)
    first: list[Group] = []
    spent_ms = 0.0
    for group in queue:
        n = len(group.items)
        most = view.most_within(group.plan, slice_ms - spent_ms, n)
        if not most and first:
            break
        if most < n:
            soonest = np.argsort(remaining_ms[group.items], kind="stable")[: max(most, 1)]
            group = Group(group.plan, group.choice, np.sort(group.items[soonest]))
        first.append(group)
        spent_ms += view.busy_ms(group.plan, len(group.items))
    n_late = sum(group.choice in LATE for group in queue)
    return Slice(first, n_late > sum(group.choice in LATE for group in first))
