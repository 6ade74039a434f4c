"""What off-policy estimates need of recorded decisions: who could have answered, who did, and who
would under another policy."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import EffectivePolicy, Policy

from ounce_edge.dry_run.chances import Exploring, chances
from ounce_edge.dry_run.off_policy import REFUSED, Logged, stack
from ounce_edge.dry_run.recorded import RecordedDecision, Recording, require_task
from ounce_edge.dry_run.settling import SenderTable, Settled, in_turn, routes_on
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.tables import BeliefState
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.decision import decide


class ReadChances(NamedTuple):
    """Of all files of one task."""

    ids: Sequence[bytes]
    """Of the messages, as JSON text."""
    logged: Logged
    plans: Sequence[str]
    """Names of the plans."""
    uncovered: Mapping[str, float]
    """Messages by plan: the other policy may let it answer them, and the recorded one could not.
    Where the plan is one possibility of several, a part of the message counts."""


class ChanceReader:
    """Reads the decisions of one task.

    Args:
        policy: the other policy.
        task: its name.
    """

    def __init__(self, policy: Policy, task: str) -> None:
        self._policy = policy.for_task(task)
        self._ids: list[bytes] = []
        self._parts: list[Logged] = []
        self._columns: dict[str, int] = {}
        self._uncovered: defaultdict[str, float] = defaultdict(float)
        self._n_decisions = 0
        self.n_other = 0
        """Messages whose answer the rule does not give today: of another version."""
        self.n_in_parts = 0
        """Messages of decisions that left others waiting. What is tried goes first and the others
        are drawn for again, so that their probabilities are not exact."""

    def run(self, header: LogHeader, decisions: Iterable[RecordedDecision]) -> None:
        """Read one file.

        Raises:
            PolicyError: the policy leaves some messages no plan of those that the file tells of.
        """
        of_file = _FileChances(header, self._policy)
        columns = [self._columns.setdefault(n, len(self._columns)) for n in header.tables.names]
        for decision in decisions:
            was, would, silent_share = of_file.read(decision)
            answered = np.frombuffer(decision.answered, "<i4")
            self.n_in_parts += len(answered) * (len(answered) < len(was))
            plan = _plans(decision, len(was))[answered]
            was, would = was[answered], would[answered]
            refused_chance = 1.0 - was.sum(axis=1)
            chance = np.where(
                plan == REFUSED, refused_chance, was[np.arange(len(plan)), np.maximum(plan, 0)]
            )
            lacking = np.where(was > 0.0, 0.0, would)
            for p in np.flatnonzero(lacking.any(axis=0)).tolist():
                self._uncovered[header.tables.names[p]] += float(lacking[:, p].sum())
            uncovered = np.maximum(lacking.sum(axis=1), silent_share[answered])
            other = np.zeros((len(plan), len(self._columns)))
            other[:, columns] = would
            named = np.where(plan == REFUSED, REFUSED, np.array(columns)[np.maximum(plan, 0)])
            possible = chance > 0.0
            self.n_other += int((~possible).sum())
            number = np.full(len(plan), self._n_decisions, np.intp)
            self._n_decisions += 1
            ids = msgspec.msgpack.decode(decision.json_ids, type=list[bytes])
            self._ids += [id_ for id_, ok in zip(ids, possible.tolist(), strict=True) if ok]
            part = Logged(number, named, chance, other, uncovered)
            self._parts.append(part.of(possible))

    def found(self) -> ReadChances | None:
        """What was read so far; None: nothing that is of use."""
        if not self._ids:
            return None
        return ReadChances(self._ids, stack(self._parts), list(self._columns), self._uncovered)


def read_chances(
    policy: Policy, recording: Recording, task: str
) -> tuple[ReadChances, ChanceReader]:
    """All that is recorded of a task; and the reader, which counts what is of no use.

    Raises:
        ArtifactError: there is nothing that is of use.
        PolicyError: the policy leaves messages without a plan.
    """
    reader = ChanceReader(policy, task)
    for header, decisions in recording.read(task):
        reader.run(header, decisions)
    found = reader.found()
    if found is None:
        require_task(recording, task)
        raise ArtifactError(
            f"{recording}: no decisions of task {task} of this version: record them with "
            "`ounce worker --decisions`"
        )
    return found, reader


class _FileChances:
    """Reads one file, whose plans and numbers of senders are its own."""

    def __init__(self, header: LogHeader, policy: EffectivePolicy) -> None:
        self._header = header
        self._routes, of_settings = routes_on(header, policy)
        self._senders = SenderTable(policy, of_settings)
        self._raw_state = b""
        self._state: BeliefState | None = None
        self._before: dict[int, View] = {}
        self._after: dict[int, View] = {}

    def read(self, decision: RecordedDecision) -> tuple[Floats, Floats, Floats]:
        """Chances of each plan.

        Returns:
            Chances as it was, and under the other policy; both of shape (n, n_plans). Then the
            other's share of exploring where the log does not tell what it would draw from; shape
            (n,).
        """
        self._senders.add(decision.new_senders)
        route = self._header.routes[decision.route]
        left_ms = np.frombuffer(decision.left_ms, "<f8")
        floors = np.frombuffer(decision.min_accuracy, "<f8")
        numbers = np.frombuffer(decision.senders, "<i4")
        share = route.exploration
        state = self._renew(decision.state)
        view = self._before.get(decision.route)
        if view is None:
            view = self._before[decision.route] = self._header.view(decision.route, state)
        schedule = decide(view, left_ms, floors, route.fallback, decision.overload_lasts)
        exploring = Exploring(share, decision.posteriors) if share else None
        was = chances(view, schedule, left_ms, floors, exploring)
        would, silent = np.zeros_like(was), np.zeros(len(was))
        settled = self._senders.at(decision.at_ms)
        for items, found, silent_share in self._would(decision, state, settled, numbers, left_ms):
            would[items] += found
            silent[items] = silent_share
        return was, would, silent

    def _would(
        self,
        decision: RecordedDecision,
        state: BeliefState,
        settled: Settled,
        numbers: NDArray[np.int32],
        left_ms: Floats,
    ) -> Iterator[tuple[NDArray[np.intp], Floats, float]]:
        """Route by route: messages, and chances of the plans under the other policy."""
        left_ms = left_ms + settled.more_ms[numbers]
        floors, routes = settled.floor[numbers], settled.route[numbers]
        present = in_turn(routes, left_ms, self._routes)
        spent_ms = 0.0
        for route in present:
            routing = self._routes[route].routing
            view = self._after.get(route)
            if view is None:
                view = self._after[route] = self._routes[route].tables.view(state)
            share = routing.exploration
            exploring = Exploring(share, decision.posteriors) if decision.posteriors else None
            items = np.flatnonzero(routes == route)
            while len(items):  # of very many some are left for the next decision
                part_ms, part = left_ms[items] - spent_ms, floors[items]
                schedule = decide(view, part_ms, part, routing.fallback, decision.overload_lasts)
                found = chances(view, schedule, part_ms, part, exploring if share else None)
                yield items, found, share if exploring is None else 0.0
                placed = np.zeros(len(items), np.bool_)
                placed[schedule.refused] = True
                for group in schedule.groups:
                    placed[group.items] = True
                    spent_ms += view.calls[group.plan, len(group.items)].usual_ms
                items = items[~placed]

    def _renew(self, raw: msgspec.Raw) -> BeliefState:
        """What was believed; read where it is other than at the decision before."""
        content = bytes(raw)
        if self._state is None or content != self._raw_state:
            self._raw_state = content
            self._state = msgspec.msgpack.decode(content, type=BeliefState)
            self._before.clear()
            self._after.clear()
        return self._state


def _plans(decision: RecordedDecision, n: int) -> NDArray[np.intp]:
    """Plan of each considered message, or `REFUSED`; shape (n,)."""
    plans = np.full(n, REFUSED, np.intp)
    for plan, items in decision.calls():
        plans[items] = plan
    return plans
