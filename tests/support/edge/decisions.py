"""Made-up ladders, and what is decided on them."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from ounce_edge.evidence.decision_entry import FORMAT, LogHeader
from ounce_edge.evidence.logged_route import LoggedRoute
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.beliefs.tables import Tables
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.schedule import Schedule
from ounce_schemas.routing import Choice, Fallback

MOST_ACCURATE = Fallback.MOST_ACCURATE_IN_TIME


def view(*plans: tuple[str, float, float, int]) -> View:
    """A view of single models: name, milliseconds per item, lower bound of accuracy, bytes."""
    models = [
        Model(name, size, LatencyBelief([1, 100], [ms, 100 * ms], [ms, 100 * ms]))
        for name, ms, _, size in plans
    ]
    return Plans(
        models,
        [
            Plan(name, [PlanStep(i)], AccuracyPrior(min(1.0, low + 0.01), low, 1.0, 100))
            for i, (name, _, low, _) in enumerate(plans)
        ],
    ).view(0.0)


def crossing(
    *models: tuple[float, float, float], overhead_ms: float = 0.0, tail: float = 1.0
) -> View:
    """A view of single models: milliseconds alone, milliseconds per further item, lower bound.

    Args:
        models: the plans.
        overhead_ms: per item, beside the call; a group takes 16 of it more.
        tail: 99th percentile of a call over its median.
    """
    curves = [np.array([ms, ms + 100 * more]) for ms, more, _ in models]
    plans = Plans(
        [
            Model(f"m{i}", 1, LatencyBelief([1, 101], curve, tail * curve))
            for i, curve in enumerate(curves)
        ],
        [
            Plan(f"m{i}", [PlanStep(i)], AccuracyPrior(min(1.0, low + 0.01), low, 1.0, 100))
            for i, (_, _, low) in enumerate(models)
        ],
    )
    if overhead_ms:
        for _ in range(10_000):
            plans.overhead.observe(1, 17.0 * overhead_ms, 0.0)
    return plans.view(0.0)


def header_of(tables: Tables, fallback: Fallback) -> LogHeader:
    """Of a log of decisions of digits, by one rule that permits all plans."""
    route = LoggedRoute([*range(len(tables.names))], tables.objective, fallback, 0.0, False)
    return LogHeader(FORMAT, "digits", "p", "c", fallback, tables, [route], [], "accuracy", [])


LADDER = view(("heavy", 10, 0.98, 1), ("light", 0.1, 0.80, 1), ("middle", 1, 0.93, 1))
HEAVY, LIGHT, MIDDLE = range(3)


def choose(plans: View, remaining: list[float], floors: list[float], fallback=MOST_ACCURATE):
    schedule = decide(plans, np.array(remaining, float), np.array(floors, float), fallback)
    return schedule, by_item(plans, schedule, floors)


def by_item(
    plans: View, schedule: Schedule, floors: Sequence[float]
) -> list[tuple[int, Choice] | None]:
    """Plan and reason per message; None where refused; each message exactly once."""
    n = len(floors)
    found: list[tuple[int, Choice] | None] = [None] * n
    seen = list(schedule.refused)
    for group in schedule.groups:
        for i in group.items:
            keeps = plans.accuracy_low[group.plan] >= floors[i]
            found[i] = (group.plan, group.choice if keeps else group.choice.below_floor)
        seen += list(group.items)
    assert sorted(seen) == list(range(n))
    return found


def plain(schedule: Schedule) -> tuple[list, list]:
    """To compare."""
    return [(g.plan, g.choice, g.items.tolist()) for g in schedule.groups], [*schedule.refused]


_single = st.tuples(st.floats(0.01, 50), st.floats(0, 0.99), st.integers(1, 5))
_crossing = st.tuples(st.floats(0.01, 50), st.floats(0.0, 5.0), st.floats(0, 0.99))
ladders = st.lists(_single, min_size=1, max_size=6).map(
    lambda rows: view(*((f"m{i}", *row) for i, row in enumerate(rows)))
) | st.builds(
    lambda rows, tail: crossing(*rows, tail=tail),
    st.lists(_crossing, min_size=1, max_size=8),
    st.sampled_from([1.0, 1.5, 4.0]),
)
messages = st.lists(
    st.tuples(st.floats(-50, 1000), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])),
    min_size=1,
    max_size=40,
)
