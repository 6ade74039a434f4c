"""With which probability a policy lets each plan answer a message: of the rule and of exploring."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.dry_run.beta_tail import beta_tail
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.exploration import is_tried
from ounce_edge.recommender.rule.schedule import Schedule


class Exploring(NamedTuple):
    """What exploring draws from."""

    share: float
    """Of the messages."""
    posteriors: Sequence[tuple[float, float]]
    """Per plan, parameters of a Beta distribution."""


def chances(
    view: View, schedule: Schedule, left_ms: Floats, floors: Floats, exploring: Exploring | None
) -> NDArray[np.float64]:
    """Probability of each plan for each message, as `explore` draws.

    Args:
        view: what the schedule was decided on.
        schedule: the rule's decision, before exploring.
        left_ms: time left per message, shape (n,).
        floors: accuracy floor per message, shape (n,).
        exploring: None where nothing is explored.

    Returns:
        Shape (n, n_plans). A row sums to 1; to 0 where the message is refused or left for later.
    """
    found = np.zeros((len(floors), len(view.names)))
    for group in schedule.groups:
        found[group.items, group.plan] = 1.0
        if exploring is None or group.choice.is_fallback:
            continue
        lighter = schedule.by_cost[: schedule.by_cost.index(group.plan)]
        may_try = floors[group.items] <= view.accuracy_low[group.plan]
        for i in group.items[may_try].tolist():
            left = 1.0
            for plan in lighter:
                if is_tried(view, plan, left_ms[i], floors[i]):
                    good = beta_tail(*exploring.posteriors[plan], float(floors[i]))
                    found[i, plan] = exploring.share * left * good
                    left *= 1.0 - good
            found[i, group.plan] = 1.0 - exploring.share * (1.0 - left)
    return found
