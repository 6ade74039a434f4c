"""Models that are not loaded: what the decision is told of them, and when they are wanted."""

from collections.abc import Iterable

from ounce_edge.models.model_memory import ManagedModel
from ounce_edge.models.routes import Route
from ounce_edge.pipeline.edition import Edition
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.schedule import Group


def believe_loads(edition: Edition) -> None:
    """Tell an edition's plans how long the loads of its models take, where any are not loaded."""
    models = [served.loaded for served in edition.models]
    if any(isinstance(m, ManagedModel) for m in models):
        edition.plans.believe_loads(
            [m.load_left_ms if isinstance(m, ManagedModel) else 0.0 for m in models]
        )


def want_models(edition: Edition, route: Route, view: View, groups: Iterable[Group]) -> bool:
    """Have models loaded that messages of a route wait for; whether any do."""
    cold = {group.plan for group in groups} & view.cold
    want_plans(edition, route, cold)
    return bool(cold)


def want_plans(edition: Edition, route: Route, plans: Iterable[int]) -> None:
    """Have the models of some plans of a route loaded."""
    for plan in plans:
        for step in route.plans[plan].steps:
            model = edition.models[step.model].loaded
            if isinstance(model, ManagedModel):
                model.want()
