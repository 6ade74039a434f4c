"""What is recorded of a decision, and how it is made again."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.evidence.logged_route import LoggedRoute
from ounce_edge.evidence.senders import Sender
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.tables import BeliefState, Tables
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.schedule import Schedule

FORMAT = 6
"""Of a file. It rises when a field is added, goes, or means something else."""


class LogHeader(msgspec.Struct, frozen=True):
    """What does not change within a file."""

    format: int
    task: str
    policy_version: str
    catalogue_version: str
    fallback: Fallback
    """Of messages that meet no rule."""
    tables: Tables
    """Of all plans, also those that may not answer."""
    routes: Sequence[LoggedRoute]
    """Of the policy; the first is that of messages which meet no rule."""
    models: Sequence[tuple[str, str]]
    """Names and families of the models that the tables tell of."""
    measure: str
    """What accuracies mean."""
    runtimes: Sequence[str | None]
    """What runs each of the models, as policies call it."""
    explained_tables: Tables | None = None
    """Of plans whose models explain their answers; None: none do."""

    def tables_of(self, route: int) -> Tables:
        """Tables of a route's plans. They work things out once, so keep them for several views."""
        here = self.routes[route]
        explained = self.explained_tables if here.explains else None
        return replace(explained or self.tables, objective=here.objective, permitted=here.permitted)

    def view(self, route: int, state: BeliefState) -> View:
        """What is believed of the plans of a route."""
        return self.tables_of(route).view(state)


class DecisionEntry(msgspec.Struct, frozen=True):
    """One decision: all that it depended on, and the outcome."""

    at_ms: float
    """Milliseconds since 1970."""
    state: BeliefState
    n_waiting: int
    """Requests that waited; where there are very many, only some are considered."""
    left_ms: bytes
    """Time left per considered request, little-endian float64."""
    min_accuracy: bytes
    """Floor per considered request, likewise."""
    groups: list[tuple[int, Choice, bytes]]
    """Plan, reason, and requests as little-endian int32: places among the considered ones."""
    refused: bytes
    answered: bytes
    """Requests that were answered or refused then, likewise."""
    json_ids: list[bytes]
    """Their ids as JSON text."""
    exploration: tuple[bytes, Sequence[float]] | None = None
    """`Draws`, where the policy explores: bool bytes, one per considered request; accuracies."""
    overload_lasts: bool = False
    route: int = 0
    """Of all considered requests, by the header's `routes`."""
    senders: bytes = b""
    """Number of the sender per considered request, little-endian int32."""
    new_senders: Sequence[tuple[int, Sender]] = ()
    """Senders that no entry of the file before this one tells of, by their numbers."""
    posteriors: Sequence[tuple[float, float]] = ()
    """Per plan, parameters of the Beta distribution that exploring draws from; empty where the
    route does not explore."""

    def remaining(self) -> Floats:
        """Time left per considered request, milliseconds; shape (n,)."""
        return np.frombuffer(self.left_ms, "<f8")

    def floors(self) -> Floats:
        """Floor per considered request; shape (n,)."""
        return np.frombuffer(self.min_accuracy, "<f8")

    def place_of(self, json_id: bytes) -> int | None:
        """Where an answered request is among the considered ones; None: it was not answered then.

        Args:
            json_id: its id as JSON text.
        """
        if json_id not in self.json_ids:
            return None
        return int(np.frombuffer(self.answered, "<i4")[self.json_ids.index(json_id)])

    def schedule_groups(self) -> list[tuple[int, Choice, list[int]]]:
        """Plan, reason and requests of each group, in order."""
        return [(p, c, np.frombuffer(items, "<i4").tolist()) for p, c, items in self.groups]


def replay(header: LogHeader, entry: DecisionEntry) -> tuple[View, Schedule]:
    """Make a recorded decision again.

    Returns:
        What was believed, and the schedule that the core gives for it today.
    """
    view = header.view(entry.route, entry.state)
    left_ms, floors = entry.remaining(), entry.floors()
    draws = None
    if entry.exploration is not None:
        chosen, drawn = entry.exploration
        draws = Draws(np.frombuffer(chosen, np.bool_), drawn)
    schedule = decide_and_explore(
        view,
        left_ms,
        floors,
        header.routes[entry.route].fallback,
        entry.overload_lasts,
        draws,
    )
    return view, schedule
