"""What a policy makes of the plans: which of them may answer which messages, and by what rule."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import EffectivePolicy, Routing
from ounce_schemas.policy_rules import many

from ounce_edge.models.catalogue import Ladder
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Plan
from ounce_edge.recommender.beliefs.tables import BeliefState, Tables
from ounce_edge.recommender.beliefs.view import View


@dataclass
class Route:
    """Messages that the same plans may answer by the same rule; they are decided on together."""

    routing: Routing
    permitted: Sequence[int]
    """Indices of the plans that may answer, ascending; at least one."""
    tables: Tables
    """Of all plans, in the route's objective."""
    plans: Sequence[Plan]
    """As they run here: with models that explain their answers, or without."""
    plain: int | None = None
    """Where answers are explained: the route of the same messages without it."""
    _made: tuple[BeliefState, View] | None = field(default=None, repr=False)

    def view(self, state: BeliefState) -> View:
        """What is believed of the plans that may answer; made once for each state."""
        if self._made is None or self._made[0] is not state:
            self._made = state, self.tables.view(state)
        return self._made[1]


@dataclass(frozen=True)
class Routes:
    """The routes of one task under one policy."""

    routes: Sequence[Route]
    """The first is that of messages which meet no rule."""
    of_settings: Sequence[int]
    """Route by the number of a message's settings, as `RuleMatcher` says."""
    explaining: Sequence[int]
    """The same, of messages that ask for an explanation; where no plan that may answer explains,
    their route is that of the others."""

    @property
    def permitted(self) -> Sequence[int]:
        """Plans that may answer some messages, ascending."""
        return sorted({plan for route in self.routes for plan in route.permitted})


def make_routes(ladder: Ladder, policy: EffectivePolicy, plans: Plans) -> Routes:
    """The routes of a policy, on plans of all models of a ladder.

    Raises:
        PolicyError: it permits none of the models to some messages, or names one that is not there.
    """
    _check_names(ladder, policy)
    routes: list[Route] = []
    of_settings = []
    numbers = dict[Routing, int]()
    for name, settings in [("", policy), *((rule.name, rule.policy) for rule in policy.rules)]:
        routing = settings.routing
        if routing not in numbers:
            permitted = _permitted(ladder, settings, plans, name)
            tables = replace(plans.tables, objective=routing.objective, permitted=permitted)
            routes.append(Route(routing, permitted, tables, plans.plans))
            numbers[routing] = len(numbers)
        of_settings.append(numbers[routing])
    explaining = dict[int, int]()
    for number, route in enumerate(tuple(routes)):
        permitted = [p for p in route.permitted if p in plans.explaining]
        explaining[number] = len(routes) if permitted else number
        if permitted:
            objective = route.routing.objective
            tables = replace(plans.explained_tables, objective=objective, permitted=permitted)
            routes.append(Route(route.routing, permitted, tables, plans.explained_plans, number))
    return Routes(routes, of_settings, [explaining[number] for number in of_settings])


def _permitted(ladder: Ladder, settings: EffectivePolicy, plans: Plans, rule: str) -> Sequence[int]:
    served = {m.card.model: m for m in ladder.models}
    is_permitted = [
        settings.permits(m.name, served[m.name].card.family, served[m.name].runtime)
        for m in plans.models[: len(served)]
    ]
    found = [
        i
        for i, plan in enumerate(plans.plans)
        if all(is_permitted[step.model] for step in plan.steps)
        and (settings.cascades or len(plan.steps) == 1)
    ]
    if not found:
        where = f"rule {rule}: " if rule else ""
        raise PolicyError(
            f"policy {settings.version}: {where}permits none of the models of task "
            f"{ladder.task.name} that can serve: {sorted(served)}"
        )
    return found


def _check_names(ladder: Ladder, policy: EffectivePolicy) -> None:
    """Models that the task's own settings allow must be known. A rule may be of other tasks, too,
    so what it names need not be. A model that is denied may come later, and answers nobody then."""
    known = _known_names(ladder)
    own = [rule for rule in policy.rules if len(many(rule.when.task or ())) == 1]
    for name, settings in [("", policy), *((rule.name, rule.policy) for rule in own)]:
        unknown = set(settings.allow or ()) - known
        if unknown:
            where = f"rule {name}: " if name else ""
            raise PolicyError(
                f"policy {policy.version}: {where}task {ladder.task.name} has no model "
                f"{sorted(unknown)}; it has {sorted(m.card.model for m in ladder.models)}"
            )


def absent_denials(ladder: Ladder, policy: EffectivePolicy) -> list[str]:
    """Models that a policy denies and that are not there: mistyped, or to come later."""
    return sorted(set(policy.deny) - _known_names(ladder))


def _known_names(ladder: Ladder) -> set[str]:
    """Models of a ladder, with those that were refused."""
    refused = {line.split(":", 1)[0] for line in ladder.refused}
    return {m.card.model for m in ladder.models} | refused
