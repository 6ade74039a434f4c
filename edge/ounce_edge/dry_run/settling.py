"""What another policy says of the senders of recorded requests."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import EffectivePolicy, Routing
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.policy_rules import Prices

from ounce_edge.dry_run.meeting import within
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.evidence.senders import Sender
from ounce_edge.models.runtimes.base import GPU_KINDS
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.beliefs.tables import Tables


class ReplayRoute(NamedTuple):
    """Messages that are decided on together."""

    routing: Routing
    tables: Tables


def routes_on(header: LogHeader, policy: EffectivePolicy) -> tuple[list[ReplayRoute], list[int]]:
    """Routes of a policy on the plans that a log tells of, and the route by a message's settings.

    Raises:
        PolicyError: some messages are left without a plan.
    """
    priced = _priced(header, policy.prices)
    routes: dict[Routing, ReplayRoute] = {}
    numbers: dict[Routing, int] = {}
    of_settings = []
    for name, settings in [("", policy), *((rule.name, rule.policy) for rule in policy.rules)]:
        routing = settings.routing
        if routing not in routes:
            permitted = _permitted(header, settings)
            if not permitted:
                where = f"rule {name}" if name else f"task {header.task}"
                raise PolicyError(
                    f"{where}: permits none of the plans of the recorded decisions: "
                    f"{list(header.tables.names)}"
                )
            tables = replace(priced, objective=routing.objective, permitted=permitted)
            routes[routing] = ReplayRoute(routing, tables)
            numbers[routing] = len(numbers)
        of_settings.append(numbers[routing])
    return list(routes.values()), of_settings


def in_turn(
    of_messages: NDArray[np.intp], left_ms: Floats, routes: Sequence[ReplayRoute]
) -> list[int]:
    """Routes of some messages in the order in which they are decided on: by priority, then by the
    most urgent message.

    Args:
        of_messages: route of each message; shape (n,), n >= 1.
        left_ms: time left per message; shape (n,).
        routes: all.
    """
    of_each = of_messages.tolist()
    if of_each.count(of_each[0]) == len(of_each):
        return [int(of_each[0])]
    least_ms: dict[int, float] = {}
    for route, ms in zip(of_each, left_ms.tolist(), strict=True):
        least_ms[route] = min(ms, least_ms.get(route, np.inf))
    return sorted(sorted(least_ms), key=lambda r: (-routes[r].routing.priority, least_ms[r]))


def _priced(header: LogHeader, prices: Prices) -> Tables:
    """The plans at other prices, with the power that they had."""
    tables, on_gpu = header.tables, [runtime in GPU_KINDS for runtime in header.runtimes]
    per_ms = [
        [prices.per_ms(on_gpu[m], w) for m, w in zip(models, watts, strict=True)]
        for models, watts in zip(tables.model, tables.watts, strict=True)
    ]
    return replace(tables, price_per_ms=per_ms)


def _permitted(header: LogHeader, settings: EffectivePolicy) -> list[int]:
    tables = header.tables
    may = [
        settings.permits(name, family, runtime)
        for (name, family), runtime in zip(header.models, header.runtimes, strict=True)
    ]
    return [
        p
        for p, n in enumerate(tables.n_steps)
        if all(may[m] for m in tables.model[p][:n]) and (settings.cascades or n == 1)
    ]


@dataclass
class Settled:
    """By the number of a sender; arrays as long as the greatest number."""

    more_ms: NDArray[np.float64]
    """Time that its requests get beyond what they had."""
    floor: NDArray[np.float64]
    route: NDArray[np.intp]
    kind: NDArray[np.int32]
    """Equal where all of these are."""


class SenderTable:
    """Settles the senders of one file.

    Args:
        policy: of the task.
        of_settings: route by the number of a message's settings.
    """

    def __init__(self, policy: EffectivePolicy, of_settings: list[int]) -> None:
        self._matcher = RuleMatcher(policy)
        self._every = [policy, *(rule.policy for rule in policy.rules)]
        self._of_settings = of_settings
        times = {t for r in policy.rules for t in (r.when.valid_from, r.when.valid_until) if t}
        self._changes_ms = sorted(time.timestamp() * 1e3 for time in times)
        self.senders: dict[int, Sender] = {}
        self._kinds: dict[tuple[float, float, int], int] = {}
        self._settled: dict[int, Settled] = {}
        """By the span of time within which the same rules are valid."""

    def add(self, senders: Sequence[tuple[int, Sender]]) -> None:
        """Learn of more senders."""
        if not senders:
            return
        new = dict(senders)
        self.senders.update(new)
        for span, settled in self._settled.items():
            self._settled[span] = self._grown(settled, new, self._inside(span))

    def at(self, at_ms: float) -> Settled:
        """What holds at a time, milliseconds since 1970."""
        span = bisect_right(self._changes_ms, at_ms) if self._changes_ms else 0
        settled = self._settled.get(span)
        if settled is None:
            empty = Settled(np.empty(0), np.empty(0), np.empty(0, np.intp), np.empty(0, np.int32))
            settled = self._grown(empty, self.senders, self._inside(span))
            self._settled[span] = settled
        return settled

    def _inside(self, span: int) -> float:
        return self._changes_ms[span - 1] if span else -np.inf

    def _grown(self, settled: Settled, new: Mapping[int, Sender], at_ms: float) -> Settled:
        size = max(new, default=-1) + 1
        if size > len(settled.floor):
            more = max(size, 2 * len(settled.floor)) - len(settled.floor)
            settled = Settled(
                np.concatenate([settled.more_ms, np.zeros(more)]),
                np.concatenate([settled.floor, np.zeros(more)]),
                np.concatenate([settled.route, np.zeros(more, np.intp)]),
                np.concatenate([settled.kind, np.zeros(more, np.int32)]),
            )
        for number, sender in new.items():
            found = self._matcher.number(sender.device, dict(sender.extensions), at_ms)
            own = self._every[found]
            asked_ms, floor = sender.asked_latency_ms, sender.asked_accuracy
            latency_ms = within(
                own.max_latency_ms if asked_ms is None else asked_ms, own.limits.max_latency_ms
            )
            kind = (
                latency_ms - sender.max_latency_ms,
                within(own.min_accuracy if floor is None else floor, own.limits.min_accuracy),
                self._of_settings[found],
            )
            settled.more_ms[number], settled.floor[number], settled.route[number] = kind
            settled.kind[number] = self._kinds.setdefault(kind, len(self._kinds))
        return settled
