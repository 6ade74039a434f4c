"""What messages settle for whose floors can't be kept."""

from collections.abc import Sequence

from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.beliefs.view import View

NEARLY_EQUAL = 0.002
"""Where no plan meets a floor, the lightest that is this close to the most accurate one answers."""
THRIFTY_MS = 4.0
"""While an overload lasts, that plan is taken which gives most in calls of about this time."""


def settle_for_less(
    view: View, fallback: Fallback, plans: Sequence[int], n_items: int
) -> tuple[int, Choice] | None:
    """The plan that the policy's fallback takes for a batch of `n_items`, and why; None where it is
    refused, or no plan is left.

    Args:
        view: what is believed of the plans.
        fallback: the policy's.
        plans: those to choose from, the lightest first.
        n_items: number of messages.
    """
    if not plans or fallback is Fallback.REFUSE:
        return None
    if fallback is Fallback.FASTEST:
        return min(plans, key=view.finish_each_ms(n_items).__getitem__), Choice.FALLBACK_FASTEST
    enough = max([view.accuracy[p] for p in plans]) - NEARLY_EQUAL
    plan = next(p for p in plans if view.accuracy[p] >= enough)
    return plan, Choice.FALLBACK_MOST_ACCURATE_IN_TIME


def worth_most(view: View, plans: Sequence[int], n_items: int) -> int:
    """Of some plans, the one that gives most for its time.

    A per cent of accuracy counts as much as two per cent of time. In a queue without end both would
    count the same, as right answers per second; but mostly not all of the time that is freed is
    needed.
    """
    return max(plans, key=lambda p: view.accuracy[p] ** 2 / view.calls[p, n_items].usual_ms)


def thriftiest(view: View, plans: Sequence[int], fallback: Fallback, n_items: int) -> int:
    """The plan for all that asks for a dearer one while an overload lasts, of `n_items` messages
    that wait."""
    at_once = max(1, min(view.largest_within(THRIFTY_MS), n_items))
    if fallback is Fallback.FASTEST:
        return min(plans, key=view.finish_each_ms(at_once).__getitem__)
    return worth_most(view, plans, at_once)
