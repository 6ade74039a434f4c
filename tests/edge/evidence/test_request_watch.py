"""What is told of accuracy floors, by the routes that requests have."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from ounce_edge.evidence.request_watch import RequestWatch
from ounce_schemas.event import EventKind

PROMISED = 0.97
LOST = EventKind.FLOOR_UNREACHABLE, "0.95"
FOUND = EventKind.FLOOR_REACHABLE, "0.95"


def look(watch: RequestWatch, route: int, highest: float) -> list[tuple[EventKind, str]]:
    """At a request with the floor 0.95, where a plan of its route is believed to meet `highest`."""
    view: Any = SimpleNamespace(highest_floor=highest)
    told = watch.look_at_floors(route, view, np.array([0.95]), PROMISED)
    return [(incident.kind, incident.subject) for incident in told]


def test_a_floor_is_told_once_until_it_is_met_again() -> None:
    watch = RequestWatch()
    assert [look(watch, 0, highest) for highest in (0.96, 0.94, 0.93, 0.95)] == [
        [],
        [LOST],
        [],
        [FOUND],
    ]


def test_a_floor_that_only_a_rule_missed_is_met_again_once_the_rule_is_gone() -> None:
    watch = RequestWatch()
    assert look(watch, 1, 0.9) == [LOST]
    watch.keep_routes(2)
    assert look(watch, 0, 0.96) == []
    watch.keep_routes(1)
    assert look(watch, 0, 0.96) == [FOUND]
