"""What to do with a few messages, where that is one short call for all of them.

At moderate rates nearly every decision is such a one, and made with cold caches, when each thing
that is looked at costs. `decide` and `share` say the same, and take twice as long.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.sharing import is_long
from ounce_edge.recommender.pacing.slicing import LEAST_SHARE
from ounce_edge.recommender.rule.few import as_group, fewest_calls
from ounce_edge.recommender.rule.schedule import OneCall, Schedule, Share

_MOST_KNOWN = 1024


def at_once(
    view: View, left_ms: Sequence[float], floors: Sequence[float], slice_ms: float
) -> OneCall | None:
    """The schedule for some messages, where it is a short call that all of them can wait for, made
    here; None where it takes more than a look.

    Args:
        view: what is believed of the plans; it learns what is worked out here.
        left_ms: time left per message, negative when late.
        floors: accuracy floor per message.
        slice_ms: predicted time of a slice, milliseconds.
    """
    bounds = view.compared(len(floors)).floors
    rungs = tuple(sorted([bisect_left(bounds, floor) for floor in floors]))
    try:
        one = view.one_calls[rungs]
    except KeyError:
        one = _learn(view, rungs)
    if one is None or one.finish_ms > min(left_ms) or one.usual_ms > LEAST_SHARE * slice_ms:
        return None
    return one


def _learn(view: View, rungs: tuple[int, ...]) -> OneCall | None:
    """What `View.one_calls` says of messages with these rungs; from now on it is known."""
    one, compared = None, view.compared(len(rungs))
    calls = fewest_calls(view, compared, rungs) if rungs[-1] < len(compared.floors) else []
    if len(calls) == 1 and not is_long(view, group := as_group(calls[0])):
        call = view.calls[group.plan, len(rungs)]
        schedule = Schedule([group], np.empty(0, np.intp), compared.by_cost)
        here = Share(schedule.groups, (), 0, 0.0)
        one = OneCall(schedule, here, call.finish_ms, call.usual_ms)
    if len(view.one_calls) >= _MOST_KNOWN:
        view.one_calls.clear()
    view.one_calls[rungs] = one
    return one
