"""Messages that no plan answers in time."""

from collections.abc import Sequence

import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.view import Ranking, View
from ounce_edge.recommender.rule.schedule import Group

LATE_BUDGET_MS = 5.0
"""Time per decision for keeping the floors of messages that are late anyway."""


def late_groups(
    view: View, ranking: Ranking, items: Items, min_accuracy: Floats, fallback: Fallback
) -> Sequence[Group]:
    """Calls for messages that nothing answers in time.

    With `most-accurate-in-time` they still get the lightest plan that keeps their floor, as long as
    they together take little time from those that follow. The fastest plan answers the others, so
    that a backlog is caught up instead of carried on.

    Args:
        view: what is believed of the plans.
        ranking: of the plans, at the number of all messages.
        items: the messages, ascending.
        min_accuracy: of each, the floor that is to be kept, shape (len(items),).
        fallback: not `refuse`.
    """
    groups: list[Group] = []
    budget_ms = LATE_BUDGET_MS if fallback is Fallback.MOST_ACCURATE_IN_TIME else 0.0
    rungs = ranking.rungs(min_accuracy)
    rest = items[:0]
    for rung in sorted(set(rungs.tolist())):
        here = items[rungs == rung]
        if len(rest):
            here = np.sort(np.concatenate([rest, here]))
        fits = 0
        if rung < len(ranking.frontier) and budget_ms >= view.fastest_alone_ms:
            plan = ranking.frontier[rung]
            fits = view.most_within(plan, budget_ms, len(here))
            if fits:
                groups.append(Group(plan, Choice.FALLBACK_LATE, here[:fits]))
                budget_ms -= view.calls[plan, fits].finish_ms
        rest = here[fits:]
    if len(rest):  # lose as little of others' time as possible
        fastest = min(ranking.by_cost, key=view.finish_each_ms(len(rest)).__getitem__)
        groups.append(Group(fastest, Choice.FALLBACK_FASTEST, rest))
    return groups
