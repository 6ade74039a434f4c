"""Noticing what becomes of requests: floors that nothing meets, overloads that last."""

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.event import EventKind

from ounce_edge.evidence.incidents import Incident
from ounce_edge.recommender.beliefs.view import View

MOST_FLOORS = 64
"""Floors come from outside: so many are watched, others only counted as misses."""

CALM_S = 1.0
"""An overload is over when it has not come back for so long."""


class RequestWatch:
    """Watches one task's requests, whatever edition answers them."""

    def __init__(self) -> None:
        self._unreachable: set[float] = set()
        self._overloaded_at_s: float | None = None
        """When an overload lasted last, where people think that it does."""

    def look_at_floors(
        self, view: View, floors: NDArray[np.float64], promised: float
    ) -> list[Incident]:
        """Tell of accuracy floors that some plan met once and none meets now, or one again.

        Args:
            view: what is believed now.
            floors: those of the requests that wait; shape (n,), n >= 1.
            promised: the highest floor that a plan met on validation data.
        """
        highest, incidents = view.highest_floor, list[Incident]()
        if highest < promised and floors.max() > highest:
            for floor in np.unique(floors[floors > highest]).tolist():
                new = floor <= promised and floor not in self._unreachable
                if new and len(self._unreachable) < MOST_FLOORS:
                    self._unreachable.add(floor)
                    text = (
                        f"no plan meets accuracy {floor:g} any more; the best is believed to reach "
                        f"{highest:.4f}"
                    )
                    incidents.append(Incident(EventKind.FLOOR_UNREACHABLE, f"{floor:g}", text))
        for floor in [f for f in self._unreachable if f <= highest]:
            self._unreachable.remove(floor)
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
