"""Noticing what becomes of requests: floors that nothing meets, overloads that last."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.event import EventKind

from ounce_edge.evidence.incidents import Incident
from ounce_edge.recommender.beliefs.view import View

MOST_FLOORS = 64
"""Floors come from outside: so many of a route are watched, others only counted as misses."""

CALM_S = 1.0
"""An overload is over when it has not come back for so long."""


class RequestWatch:
    """Watches one task's requests, whatever edition answers them."""

    def __init__(self) -> None:
        self._unreachable: defaultdict[int, set[float]] = defaultdict(set)
        """By route, since each permits other plans."""
        self._overloaded_at_s: float | None = None
        """When an overload lasted last, where people think that it does."""

    def keep_routes(self, n_routes: int) -> None:
        """Other rules are in force, with so many routes: floors of those that are gone count as
        the first one's."""
        for route in [number for number in self._unreachable if number >= n_routes]:
            floors = self._unreachable.pop(route)
            self._unreachable[0] |= floors

    def look_at_floors(
        self, route: int, view: View, floors: NDArray[np.float64], promised: float
    ) -> list[Incident]:
        """Tell of accuracy floors that some plan met once and none meets now, or one again.

        Args:
            route: number of the route that the requests have.
            view: what is believed now of its plans.
            floors: those of its requests that wait; shape (n,), n >= 1.
            promised: the highest floor that one of its plans met on validation data.
        """
        highest, incidents = view.highest_floor, list[Incident]()
        unreachable = self._unreachable[route]
        if highest < promised and floors.max() > highest:
            for floor in np.unique(floors[floors > highest]).tolist():
                new = floor <= promised and floor not in unreachable
                if new and len(unreachable) < MOST_FLOORS:
                    unreachable.add(floor)
                    text = (
                        f"no permitted plan meets accuracy {floor:g} any more; the best is "
                        f"believed to reach {highest:.4f}"
                    )
                    incidents.append(Incident(EventKind.FLOOR_UNREACHABLE, f"{floor:g}", text))
        for floor in [f for f in unreachable if f <= highest]:
            unreachable.remove(floor)
            text = f"accuracy {floor:g} is met again"
            incidents.append(Incident(EventKind.FLOOR_REACHABLE, f"{floor:g}", text))
        return incidents

    def look_at_overload(self, lasts: bool, at_s: float) -> list[Incident]:
        """Tell of an overload that lasts, or is over.

        Args:
            lasts: as `Overload` says.
            at_s: now, on any steady clock.
        """
        before_s = self._overloaded_at_s
        if lasts:
            self._overloaded_at_s = at_s
            if before_s is None:
                text = "late requests pile up: more comes than can be answered as asked"
                return [Incident(EventKind.OVERLOAD, "requests", text)]
        elif before_s is not None and at_s - before_s >= CALM_S:
            self._overloaded_at_s = None
            text = "late requests pile up no more"
            return [Incident(EventKind.OVERLOAD_OVER, "requests", text)]
        return []
