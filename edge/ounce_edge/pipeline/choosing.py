"""Which of the waiting requests are answered now, by which plans, and where."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.evidence.decided import Decided, Recorder
from ounce_edge.models.routes import Route
from ounce_edge.pipeline.cold_models import believe_loads, want_models
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.explaining import go_without
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.turn import Turn
from ounce_edge.pipeline.waiting import Waiting
from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.pacing.next_calls import (
    Circumstances,
    NextCallsMemory,
    choose_next_calls,
)
from ounce_edge.recommender.pacing.overload import Overload
from ounce_edge.recommender.pacing.precedence import Precedence, in_order, times_before
from ounce_edge.recommender.pacing.sharing import LanesNow
from ounce_edge.recommender.pacing.urgency import before_reading
from ounce_edge.recommender.rule.exploration import Draws
from ounce_edge.recommender.rule.schedule import Share

_LOAD_LOOK_S = 0.005


class Chosen(NamedTuple):
    """A decision, and what of it is done now."""

    view: View
    """What was believed."""
    decided: Decided
    route: Route
    """Of all its requests."""
    considered: Items | None
    """Indices of its requests among those that wait; None: they are all that waits."""
    now: Share

    @property
    def answered_items(self) -> list[Items]:
        """Requests that are answered or refused now: of groups beside, of groups here, and those
        refused, where there are any."""
        items = [group.items for group in (*self.now.beside, *self.now.here)]
        refused = self.decided.schedule.refused
        return [*items, refused] if len(refused) else items

    @property
    def waiting_items(self) -> list[Items]:
        """The same, as indices among all that waits."""
        if self.considered is None:
            return self.answered_items
        return [self.considered[items] for items in self.answered_items]

    def record(
        self,
        log: Recorder,
        at_ms: float,
        senders: NDArray[np.int32] | None,
        json_ids: Sequence[Sequence[bytes]],
    ) -> None:
        """Write the decision to a log.

        Args:
            log: takes it.
            at_ms: milliseconds since 1970.
            senders: of its requests; shape (n,).
            json_ids: ids as JSON text, in the order of `answered_items`.
        """
        decided = self.decided._replace(senders=senders)
        log.record(at_ms, decided, list(zip(self.answered_items, json_ids, strict=True)))


@dataclass
class _LeftOver:
    """What decisions on one route leave to the next."""

    memory: NextCallsMemory = field(default_factory=NextCallsMemory)
    late_credit_ms: float = 0.0


class Chooser:
    """Decides for one task; remembers what one decision leaves to the next.

    Args:
        waiting: what is decided on.
        lanes: may take long calls.
        rng: chooses what is explored.
    """

    def __init__(self, waiting: Waiting, lanes: Lanes, rng: np.random.Generator) -> None:
        self._waiting = waiting
        self._rng = rng
        self._ask_lanes: Mapping[bool, Callable[[], LanesNow] | None] = {
            keep_free: partial(_lanes_now, lanes, keep_free) if len(lanes) else None
            for keep_free in (False, True)
        }
        self._left_over: defaultdict[int, _LeftOver] = defaultdict(_LeftOver)
        """By route."""
        self.load_look_s = math.inf
        """From one look for a model that messages wait for to the next; infinite where none do."""
        self._overloads: Mapping[int, Overload] = {}
        """By priority: of requests of that priority or a higher one."""
        self._precedence = Precedence()

    @property
    def overload_lasts(self) -> bool:
        """Whether late requests had piled up, for a while, at the last look."""
        return any(overload.lasts for overload in self._overloads.values())

    def look_for_overload(
        self, edition: Edition, turn: Turn, now_ms: float, began_s: float
    ) -> None:
        """Notice whether late requests pile up, of all routes; arguments as in `choose`."""
        left_ms = self._waiting.deadline_ms - (now_ms + turn.reserve_ms)
        levels = edition.priorities
        self._overloads = {p: self._overloads.get(p) or Overload() for p in levels}
        for level, overload in self._overloads.items():
            some = left_ms
            if level > levels[0]:
                of_route = np.array([r.routing.priority for r in edition.routes])
                own = self._waiting.routes
                routes = np.zeros(1, np.intp) if own is None else own
                some = left_ms[np.broadcast_to(of_route[routes] >= level, len(left_ms))]
            overload.look(some, turn.each_room, began_s)

    def share(
        self, edition: Edition, turn: Turn, now_ms: float, began_s: float
    ) -> Sequence[tuple[int, Turn]]:
        """A turn for each route that requests wait of: those of the highest priority first, and of
        these those of the most urgent request. To each, the slices of the others are time that it
        does not have, but for those of a lower priority."""
        self._precedence.begin()
        believe_loads(edition)
        go_without(edition, self._waiting, now_ms + turn.reserve_ms, began_s)
        self.load_look_s = math.inf
        counts = self._waiting.routes_by_urgency()
        if len(counts) == 1:
            return [(route, turn) for route in counts]
        state = edition.plans.renew_state(began_s)
        priorities = {route: edition.routes[route].routing.priority for route in counts}
        takes_ms = {
            route: min(turn.slice_ms, edition.routes[route].view(state).soonest_ms(counts[route]))
            for route in in_order(list(counts), priorities)
        }
        return [
            (route, turn._replace(reserve_ms=turn.reserve_ms + others_ms))
            for route, others_ms in times_before(takes_ms, priorities).items()
        ]

    def choose(
        self, edition: Edition, route: int, turn: Turn, now_ms: float, began_s: float
    ) -> Chosen | None:
        """Decide for what waits of one route, at least one request.

        Args:
            edition: may answer.
            route: number of the route.
            turn: what may be done now.
            now_ms: milliseconds since 1970.
            began_s: now, on the pipeline's steady clock.

        Returns:
            The decision; None where all can wait for what is there to be read, or has to wait for
            requests of a higher priority.
        """
        here, before, waiting = edition.routes[route], self._left_over[route], self._waiting
        state = edition.plans.renew_state(began_s)
        view = here.view(state)
        left_ms = waiting.deadline_ms - (now_ms + turn.reserve_ms)
        floors = waiting.min_accuracy
        considered = waiting.items_of(route)
        if considered is not None:
            left_ms, floors = left_ms[considered], floors[considered]
        if turn.poll_ms:
            pressing = before_reading(view, left_ms, turn.poll_ms)
            if not len(pressing):
                return None
            left_ms, floors = left_ms[pressing], floors[pressing]
            considered = pressing if considered is None else considered[pressing]
        priority = here.routing.priority
        overload = self._overloads.get(priority)
        posteriors = edition.plans.posteriors if here.routing.exploration else ()
        circumstances = Circumstances(
            view=view,
            left_ms=left_ms,
            floors=floors,
            fallback=here.routing.fallback,
            overload_lasts=overload is not None and overload.lasts,
            draws=self._explore(here, posteriors, len(left_ms)),
            slice_ms=turn.slice_ms,
            ask_lanes=self._ask_lanes[turn.keep_free],
            late_credit_ms=before.late_credit_ms,
        )
        schedule, now = before.memory.find(circumstances) or choose_next_calls(circumstances)
        if len(edition.priorities) > 1:
            if not self._precedence.may_run(priority, view, now.here):
                return None
            self._precedence.add(priority, view, schedule, now, left_ms)
        before.late_credit_ms = now.late_credit_ms
        if view.cold and want_models(edition, here, view, schedule.groups):
            self.load_look_s = _LOAD_LOOK_S
        decided = Decided(
            state,
            left_ms,
            floors,
            schedule,
            circumstances.draws,
            circumstances.overload_lasts,
            route,
            posteriors=posteriors,
        )
        return Chosen(view, decided, here, considered, now)

    def _explore(
        self, route: Route, posteriors: Sequence[tuple[float, float]], n: int
    ) -> Draws | None:
        """What is random about exploring with `n` messages; None where none of them may."""
        if not route.routing.exploration:
            return None
        chosen = self._rng.random(n) < route.routing.exploration
        if not chosen.any():
            return None
        return Draws(chosen, [float(self._rng.beta(a, b)) for a, b in posteriors])


def _lanes_now(lanes: Lanes, keep_free: bool) -> LanesNow:
    return LanesNow(lanes.n_free, lanes.next_end_ms if keep_free else math.inf)
