"""Requests that ask for an explanation where no model that explains can keep their targets."""

import numpy as np
from numpy.typing import NDArray

from ounce_edge.pipeline.cold_models import want_plans
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.waiting import Waiting
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View


def go_without(edition: Edition, waiting: Waiting, at_ms: float, at_s: float) -> None:
    """Let requests be answered without an explanation where that is the price of their targets.

    Those are requests whose deadline and floor no plan that explains meets, while another plan
    does, or while they are late for all that explain. All are, where no such plan is in service.
    Where it is only that a model is not loaded yet, it is loaded for those that come later. Of many
    requests as many are explained as leave time to answer the others.

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
            goes |= ~_in_turn(view, other, left_ms) & pays
            if view.cold:
                want_plans(edition, route, _lightest(view, floors[goes]) & view.cold)
            items = items[goes]
        waiting.routes[items] = route.plain


def _meets(view: View, left_ms: Floats, floors: Floats) -> NDArray[np.bool_]:
    """Whether a plan in service meets both targets of each request, alone; shape (n,)."""
    met = np.zeros(len(left_ms), dtype=bool)
    for plan in view.usable:
        met |= (view.accuracy_low[plan] >= floors) & (view.calls[plan, 1].finish_ms <= left_ms)
    return met


def _in_turn(view: View, other: View, left_ms: Floats) -> NDArray[np.bool_]:
    """Which requests can be explained, one after the other, so that these and those that go without
    are answered in time; as many as possible, shape (n,).

    In the order of deadlines, the k-th is answered after the k - 1 before it. Of these so many may
    be explained as leave it that time, and as those behind it permit.
    """
    n = len(left_ms)
    if not other.usable:
        return np.ones(n, dtype=bool)
    explained_ms, plain_ms = (each.soonest_ms(n) / n for each in (view, other))
    order = left_ms.argsort(kind="stable")
    places = np.arange(1.0, n + 1)
    if explained_ms <= plain_ms or (places * explained_ms <= left_ms[order]).all():
        return np.ones(n, dtype=bool)
    most = (left_ms[order] - places * plain_ms) / (explained_ms - plain_ms)
    most = np.floor(np.maximum(np.minimum.accumulate(most[::-1])[::-1], 0.0))
    so_far = places + np.minimum(np.minimum.accumulate(most - places), 0.0)
    fits = np.zeros(n, dtype=bool)
    fits[order] = np.diff(so_far, prepend=0.0) > 0
    return fits


def _lightest(view: View, floors: Floats) -> set[int]:
    """The lightest plans that keep some floors, each alone."""
    ranking = view.ranking(1)
    places = set(ranking.rungs(floors).tolist())
    return {plan for place, plan in enumerate(ranking.frontier) if place in places}
