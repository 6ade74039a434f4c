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

from ounce_edge.dry_run.figures import REFUSED, OutcomeBuilder
from ounce_edge.dry_run.foresight import MOST_CHANGES, Change, Foresight
from ounce_edge.dry_run.outcomes import SLACK_MS, Outcome, OutcomeMemory
from ounce_edge.dry_run.plentiful import PlentifulMemory
from ounce_edge.dry_run.recorded import RecordedDecision
from ounce_edge.dry_run.settling import SenderTable, in_turn, routes_on
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.tables import BeliefState, Tables
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
        self._memory = OutcomeMemory()
        self._tables_before: dict[int, Tables] = {}
        self._views_before: dict[int, View] = {}
        self._views_after: dict[int, tuple[View, PlentifulMemory]] = {}

    def pass_over(self, decision: RecordedDecision) -> None:
        """Take from a decision only what later ones refer to."""
        self._senders.add(decision.new_senders)

    def replay(self, decision: RecordedDecision) -> None:
        """Count one decision, as it was and as it would be."""
        self._senders.add(decision.new_senders)
        self._found.n_decisions += 1
        numbers = np.frombuffer(decision.senders, "<i4")
        self._renew(decision.state)
        situation = self._memory.situation(decision, self._senders.at(decision.at_ms), numbers)
        outcome = None
        if situation is not None:
            outcome = self._memory.look_up(situation, decision.left_ms)
        if outcome is None or (outcome.n_changed and outcome.most_change > self._least_kept()):
            outcome = self._make_again(decision, numbers)
            if situation is not None:
                self._memory.keep(situation, outcome)
        self._found.before.add(outcome.before)
        self._found.after.add(outcome.after)
        self._found.n_changed += outcome.n_changed
        version = self._header.policy_version
        self._found.versions[version] = self._found.versions.get(version, 0) + outcome.before.n

    def _make_again(self, decision: RecordedDecision, numbers: NDArray[np.int32]) -> Outcome:
        left_ms, floors = (
            np.frombuffer(part, "<f8") for part in (decision.left_ms, decision.min_accuracy)
        )
        answered = np.frombuffer(decision.answered, "<i4")
        counted = None
        if len(answered) < len(left_ms):
            counted = np.zeros(len(left_ms), np.bool_)
            counted[answered] = True
        before, after = (OutcomeBuilder(len(left_ms), counted) for _ in range(2))
        needs_ms = (
            self._as_it_was(before, decision, left_ms, floors),
            self._as_it_would_be(after, decision, left_ms, numbers),
        )
        (changed,) = (before.plan[answered] != after.plan[answered]).nonzero()
        most = self._compare(decision, before, after, changed) if len(changed) else 0.0
        n_answered = len(answered)
        return Outcome(
            before.tally(n_answered), after.tally(n_answered), len(changed), most, max(needs_ms)
        )

    def _as_it_was(
        self, into: OutcomeBuilder, decision: RecordedDecision, left_ms: Floats, floors: Floats
    ) -> float:
        """Put together what was; the time left from which on it does not depend on the time."""
        route = self._header.routes[decision.route]
        view = self._views_before.get(decision.route)
        if view is None and self._state is not None:
            if decision.route not in self._tables_before:
                self._tables_before[decision.route] = self._header.tables_of(decision.route)
            view = self._tables_before[decision.route].view(self._state)
            self._views_before[decision.route] = view
        if view is None:
            return np.inf
        in_time = True
        for plan, items in decision.calls():
            into.add(view, plan, items, left_ms, floors, route.objective)
            in_time = in_time and bool(into.in_time[items].all())
        return into.spent_ms + SLACK_MS if in_time else np.inf

    def _as_it_would_be(
        self,
        into: OutcomeBuilder,
        decision: RecordedDecision,
        left_ms: Floats,
        numbers: NDArray[np.int32],
    ) -> float:
        """Put together what would be; returns as `_as_it_was`, for any order of the routes."""
        short_ms: list[float] = []
        settled = self._senders.at(decision.at_ms)
        more_ms = settled.more_ms[numbers]
        left_ms = left_ms + more_ms
        floors, routes = settled.floor[numbers], settled.route[numbers]
        present = in_turn(routes, left_ms, self._routes)
        draws = _draws(decision)
        for route in present:
            chosen = (routes == route).nonzero()[0] if len(present) > 1 else slice(None)
            view, memory = self._view_after(route)
            routing = self._routes[route].routing
            if draws is None and not decision.overload_lasts:
                found = memory.look_up(left_ms[chosen] - into.spent_ms, floors[chosen])
                if found is not None:
                    before_ms = into.spent_ms
                    into.add_plentiful(view, *found, chosen, routing.objective)
                    own_ms = into.spent_ms - before_ms
                    least_more_ms = float(np.minimum.reduce(more_ms[chosen]))
                    short_ms.append(found[0].finish_ms - own_ms - least_more_ms)
                    continue
            short_ms.append(np.inf)
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
        return into.spent_ms + max(short_ms) + SLACK_MS

    def _renew(self, raw: msgspec.Raw) -> None:
        """Take what was believed, where it is other than at the decision before."""
        content = bytes(raw)
        if content != self._raw_state:
            self._raw_state = content
            self._state = msgspec.msgpack.decode(content, type=BeliefState)
            self._views_before.clear()
            self._views_after.clear()
            self._memory.forget()

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
        changed: NDArray[np.intp],
    ) -> float:
        """Keep the messages that change most; the weight of the greatest change.

        Args:
            decision: that is replayed.
            before: what was.
            after: what would be.
            changed: which of the answered messages another plan would answer.
        """
        at = np.frombuffer(decision.answered, "<i4")[changed]
        weights = before.differences(after)[at]
        most = float(np.maximum.reduce(weights))
        if most <= self._least_kept():
            return most
        ids: list[bytes] | None = None
        for k in np.argsort(-weights)[:MOST_CHANGES].tolist():
            if weights[k] <= self._least_kept():
                break
            ids = ids or msgspec.msgpack.decode(decision.json_ids, type=list[bytes])
            place = int(at[k])
            number = int(np.frombuffer(decision.senders, "<i4")[place])
            sender = self._senders.senders.get(number)
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
        return most

    def _least_kept(self) -> float:
        """A change of a greater weight is kept."""
        return self._heap[0].weight if len(self._heap) >= MOST_CHANGES else -1.0

    def _name(self, of: OutcomeBuilder, place: int) -> str:
        plan = int(of.plan[place])
        return "refused" if plan == REFUSED else self._header.tables.names[plan]


def _draws(decision: RecordedDecision) -> Draws | None:
    if decision.exploration is None:
        return None
    chosen, drawn = decision.exploration
    return Draws(np.frombuffer(chosen, np.bool_), drawn)
