"""A group of requests on its way through the models."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ounce_edge.models.execution import Outcome, run_plan
from ounce_edge.models.routes import Route
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.waiting import Taken
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.slicing import LATE
from ounce_edge.recommender.rule.schedule import Group


class Job(NamedTuple):
    """A group of requests that is to be answered, and what was believed when that was decided."""

    edition: Edition
    """What answers it, also where another one has taken its place meanwhile."""
    route: Route
    """Whose messages they are, of that edition."""
    view: View
    by_cost: Sequence[int]
    """Plans from the lightest to the heaviest, as they were ranked."""
    group: Group
    taken: Taken
    chosen_s: tuple[float, float] = (0.0, 0.0)
    """When choosing began and ended, on the pipeline's steady clock."""

    @property
    def explains(self) -> bool:
        """Whether its models explain their answers."""
        return self.route.plain is not None

    @property
    def could_explain(self) -> bool:
        """Whether a model that may answer its messages explains."""
        routes = self.edition.routes
        return any(r.plain is not None and routes[r.plain] is self.route for r in routes)

    def run(self, left_ms: Floats, clock: Callable[[], float]) -> Outcome:
        """Call the models of the group's plan. Changes nothing here; on a lane, it reads beliefs of
        latency that may change meanwhile.

        Args:
            left_ms: time left per request, milliseconds, shape (n,).
            clock: seconds on a steady clock.
        """
        plans, waits = self.edition.plans, self.group.choice in LATE
        return run_plan(
            self.route.plans[self.group.plan].steps,
            self.edition.models,
            plans.models,
            self.taken.batch.inputs,
            None if waits else left_ms,
            clock,
        )
