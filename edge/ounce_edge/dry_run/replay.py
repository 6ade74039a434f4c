"""What would change under another policy: recorded decisions, made again by the pure core.

For each decision the messages get the targets, plans and fallback that the other policy gives
them, and the rule decides on what was believed at the time. Each message counts once: at the
decision that answered it.

Not foreseen is what follows from the other answers: a queue that would have been shorter, or what
labels would have taught.
"""

from collections.abc import Iterable
from heapq import heappush, heappushpop

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.policy import EffectivePolicy, Policy

from ounce_edge.dry_run.figures import REFUSED, Figures, OutcomeBuilder
from ounce_edge.dry_run.foresight import MOST_CHANGES, Change, Foresight
from ounce_edge.dry_run.plentiful import PlentifulMemory
from ounce_edge.dry_run.recorded import RecordedDecision
from ounce_edge.dry_run.settling import SenderTable, in_turn, routes_on
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.tables import BeliefState
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore


class Replay:
    """Replays the decisions of one task.

    Args:
        policy: the other policy.
        task: its name.
    """

    def __init__(self, policy: Policy, task: str) -> None:
        self._policy = policy.for_task(task)
        self._found = Foresight()
        self._heap: list[Change] = []

    def run(self, header: LogHeader, decisions: Iterable[RecordedDecision]) -> None:
        """Replay one file.

        Raises:
            PolicyError: the policy leaves some messages no plan of those that the file tells of.
        """
        of_file = self.open(header)
        for decision in decisions:
            of_file.replay(decision)

    def open(self, header: LogHeader) -> "FileReplay":
        """Begin a file whose decisions are handed in one by one.

        Raises:
            PolicyError: as in `run`.
        """
        return FileReplay(header, self._policy, self._found, self._heap)

    def foresight(self) -> Foresight:
        """What was found so far."""
        self._found.changes = sorted(self._heap, reverse=True)
        return self._found


class FileReplay:
    """Replays one file, whose plans and numbers of senders are its own."""

    def __init__(
        self, header: LogHeader, policy: EffectivePolicy, found: Foresight, heap: list[Change]
    ) -> None:
        self._header = header
        self._routes, of_settings = routes_on(header, policy)
        self._senders = SenderTable(policy, of_settings)
        self._found = found
        self._heap = heap
        self._raw_state = b""
        self._state: BeliefState | None = None
        self._views_before: dict[int, View] = {}
        self._views_after: dict[int, tuple[View, PlentifulMemory]] = {}

    def pass_over(self, decision: RecordedDecision) -> None:
        """Take from a decision only what later ones refer to."""
        self._senders.add(decision.new_senders)

    def replay(self, decision: RecordedDecision) -> None:
        """Count one decision, as it was and as it would be."""
        self._senders.add(decision.new_senders)
        self._found.n_decisions += 1
        left_ms, floors = (
            np.frombuffer(part, "<f8") for part in (decision.left_ms, decision.min_accuracy)
        )
        numbers = np.frombuffer(decision.senders, "<i4")
        if len(numbers) != len(left_ms):
            self._found.n_unusable += 1
            return
        self._renew(decision.state)
        answered = np.frombuffer(decision.answered, "<i4")
        counted = np.zeros(len(left_ms), np.bool_)
        counted[answered] = True
        before = OutcomeBuilder(len(left_ms), counted, self._found.before)
        self._as_it_was(before, decision, left_ms, floors)
        after = OutcomeBuilder(len(left_ms), counted, self._found.after)
        self._as_it_would_be(after, decision, left_ms, numbers)
        version, n = self._header.policy_version, len(answered)
        self._found.versions[version] = self._found.versions.get(version, 0) + n
        for figures, builder in ((self._found.before, before), (self._found.after, after)):
            _count(figures, builder.plan[answered])
        self._compare(decision, before, after, answered, numbers)

    def _as_it_was(
        self, into: OutcomeBuilder, decision: RecordedDecision, left_ms: Floats, floors: Floats
    ) -> None:
        route = self._header.route(decision.route)
        view = self._views_before.get(decision.route)
        if view is None and self._state is not None:
            view = self._header.view(decision.route, self._state)
            self._views_before[decision.route] = view
        if view is not None:
            for plan, _, items in decision.groups:
                into.add(view, plan, np.frombuffer(items, "<i4"), left_ms, floors, route.objective)

    def _as_it_would_be(
        self,
        into: OutcomeBuilder,
        decision: RecordedDecision,
        left_ms: Floats,
        numbers: NDArray[np.int32],
    ) -> None:
        settled = self._senders.at(decision.at_ms)
        left_ms = left_ms + settled.more_ms[numbers]
        floors, routes = settled.floor[numbers], settled.route[numbers]
        present = in_turn(routes, left_ms, self._routes)
        draws = _draws(decision)
        for route in present:
            chosen = np.flatnonzero(routes == route) if len(present) > 1 else slice(None)
            view, memory = self._view_after(route)
            routing = self._routes[route].routing
            if draws is None and not decision.overload_lasts:
                found = memory.look_up(left_ms[chosen] - into.spent_ms, floors[chosen])
                if found is not None:
                    into.add_plentiful(view, *found, chosen, routing.objective)
                    continue
            items = np.arange(len(numbers))[chosen]
            while len(items):  # of very many some are left for the next decision
                part_ms = left_ms[items] - into.spent_ms
                explores = draws is not None and routing.exploration
                schedule = decide_and_explore(
                    view,
                    part_ms,
                    floors[items],
                    routing.fallback,
                    decision.overload_lasts,
                    Draws(draws.chosen[items], draws.drawn) if draws and explores else None,
                )
                placed = np.zeros(len(items), np.bool_)
                placed[schedule.refused] = True
                for group in schedule.groups:
                    placed[group.items] = True
                    some = items[group.items]
                    into.add(view, group.plan, some, left_ms, floors, routing.objective)
                items = items[~placed]

    def _renew(self, raw: msgspec.Raw) -> None:
        """Take what was believed, where it is other than at the decision before."""
        content = bytes(raw)
        if content != self._raw_state:
            self._raw_state = content
            self._state = msgspec.msgpack.decode(content, type=BeliefState)
            self._views_before.clear()
            self._views_after.clear()

    def _view_after(self, route: int) -> tuple[View, PlentifulMemory]:
        found = self._views_after.get(route)
        if found is None:
            if self._state is None:
                raise ValueError("no decision was read yet")
            view = self._routes[route].tables.view(self._state)
            memory = PlentifulMemory(view, self._routes[route].routing.fallback)
            found = self._views_after[route] = view, memory
        return found

    def _compare(
        self,
        decision: RecordedDecision,
        before: OutcomeBuilder,
        after: OutcomeBuilder,
        answered: NDArray[np.int32],
        numbers: NDArray[np.int32],
    ) -> None:
        """Count the messages that another plan would answer; keep those that change most."""
        changed = np.flatnonzero(before.plan[answered] != after.plan[answered])
        if not len(changed):
            return
        self._found.n_changed += len(changed)
        at = answered[changed]
        weights = before.differences(after)[at]
        least = self._heap[0].weight if len(self._heap) >= MOST_CHANGES else -1.0
        ids: list[bytes] | None = None
        for k in np.argsort(-weights)[:MOST_CHANGES].tolist():
            if weights[k] <= least:
                return
            ids = ids or msgspec.msgpack.decode(decision.json_ids, type=list[bytes])
            place = int(at[k])
            sender = self._senders.senders.get(int(numbers[place]))
            change = Change(
                float(weights[k]),
                -self._found.n_decisions,
                ids[int(changed[k])].decode(errors="replace").strip('"'),
                (sender.device or b"").decode(errors="replace") if sender else "",
                self._name(before, place),
                self._name(after, place),
                before.describe(after, place),
            )
            push = heappush if len(self._heap) < MOST_CHANGES else heappushpop
            push(self._heap, change)
            least = self._heap[0].weight if len(self._heap) >= MOST_CHANGES else -1.0

    def _name(self, of: OutcomeBuilder, place: int) -> str:
        plan = int(of.plan[place])
        return "refused" if plan == REFUSED else self._header.tables.names[plan]


def _count(figures: Figures, plans: NDArray[np.intp]) -> None:
    figures.n += len(plans)
    figures.n_refused += int((plans == REFUSED).sum())


def _draws(decision: RecordedDecision) -> Draws | None:
    if decision.exploration is None:
        return None
    chosen, drawn = decision.exploration
    return Draws(np.frombuffer(chosen, np.bool_), drawn)
