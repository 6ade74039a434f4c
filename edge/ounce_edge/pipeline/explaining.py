"""Requests that ask for an explanation where no model that explains can keep their targets."""

import numpy as np

from ounce_edge.pipeline.cold_models import want_plans
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.waiting import Waiting
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View


def go_without(edition: Edition, waiting: Waiting, at_ms: float, at_s: float) -> None:
    """Let requests be answered without an explanation where that is the price of their targets.

    Those are requests whose deadline and floor no plan that explains meets, while another plan
    does, or while they are late for all that explain. All are, where no such plan is in service.
    Where it is only that a model is not loaded yet, it is loaded for those that come later.

    Args:
        edition: may answer.
        waiting: who may answer changes here.
        at_ms: when deadlines are held against, milliseconds since 1970.
        at_s: now, on the pipeline's steady clock.
    """
    if waiting.routes is None or waiting.routes.max() < edition.n_plain_routes:
        return
    state = edition.plans.renew_state(at_s)
    suspended = set(state.suspended)
    for number in np.unique(waiting.routes).tolist():
        route = edition.routes[number]
        if route.plain is None:
            continue
        items = np.flatnonzero(waiting.routes == number)
        in_service = any(
            suspended.isdisjoint(step.model for step in route.plans[plan].steps)
            for plan in route.permitted
        )
        if in_service:
            left_ms, floors = waiting.deadline_ms[items] - at_ms, waiting.min_accuracy[items]
            view, other = route.view(state), edition.routes[route.plain].view(state)
            is_late = left_ms < view.fastest_alone_ms
            pays = is_late | _meets(other, left_ms, floors)
            goes = ~_meets(view, left_ms, floors) & pays
            if view.cold:
                want_plans(edition, route, _lightest(view, floors[goes]) & view.cold)
            items = items[goes]
        waiting.routes[items] = route.plain


def _meets(
    view: View, left_ms: Floats, floors: Floats
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether a plan in service meets both targets of each request, alone; shape (n,)."""
    met = np.zeros(len(left_ms), dtype=bool)
    for plan in view.usable:
        met |= (view.accuracy_low[plan] >= floors) & (view.finish_alone_ms(plan) <= left_ms)
    return met


def _lightest(view: View, floors: Floats) -> set[int]:
    """The lightest plans that keep some floors, each alone."""
    compared = view.compared(1)
    places = set(compared.rungs(floors).tolist())
    return {plan for place, plan in enumerate(compared.frontier) if place in places}
