"""One worker with one core, in virtual time.

It works as the real one does: it reads what has arrived, decides for all that waits, makes the
calls that were chosen, publishes, and looks again. What arrives meanwhile is seen after that. Where
a rule reads on, polls are small, and while there is more only what can't wait is decided on. Plans
are run by the worker's own `run_plan`; only the models are replaced, by their recorded answers and
times, and the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.execution import run_plan
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.pacing.poll_size import LEAST_POLL
from ounce_edge.recommender.pacing.slicing import SLICE_MS
from ounce_edge.recommender.pacing.urgency import before_reading
from ounce_edge.worker.serving.sliced import POLL_SLICES

from benchmarks.routing.rules.base import MAX_WAITING, Queue, Rule
from benchmarks.routing.tables import ServiceTimes, Table
from benchmarks.routing.workloads import Workload

MAX_POLL = 16_384
"""As the worker's setting."""


@dataclass(frozen=True)
class Result:
    """What became of a workload's messages; arrays of shape (n_messages,)."""

    finish_ms: NDArray[np.float64]
    """When the answer was published; infinite where the simulation ended before."""
    answer: NDArray[np.intp]
    """Class answered."""
    plan: NDArray[np.intp]
    cut_short: NDArray[np.bool_]
    """Whether a cascade ended early because time ran out."""
    compute_ms: NDArray[np.float64]
    """Model time per message: of a call, its share."""
    busy_ms: float
    """Time that the server worked."""
    n_slices: int


class _Clock:
    """Virtual time, milliseconds."""

    def __init__(self, workload: Workload) -> None:
        self.now_ms = 0.0
        self._workload = workload

    def advance(self, ms: float) -> None:
        """Work that takes so long on a machine that is not slowed."""
        self.now_ms += ms * self._workload.slowdown(self.now_ms)

    def seconds(self) -> float:
        return self.now_ms / 1e3


class _Model:
    """A model's recorded answers; running it takes virtual time."""

    def __init__(self, table: Table, model: int, clock: _Clock, times: ServiceTimes) -> None:
        self.loaded = self
        self._answers = table.probabilities[model]
        self.card = SimpleNamespace(output=SimpleNamespace(size=self._answers.shape[1]))
        self._model = model
        self._clock = clock
        self._times = times

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Answers to the items with these indices."""
        items = inputs["item"]
        self._clock.advance(self._times.draw_ms(self._model, len(items)))
        return self._answers[items]


def simulate(
    workload: Workload,
    rule: Rule,
    seed: int = 0,
    transport_ms: float | NDArray[np.float64] = 0.0,
    excess_ms: Sequence[NDArray[np.float64]] = (),
    end_ms: float = np.inf,
) -> Result:
    """Serve a workload until every message is answered.

    Args:
        workload: what arrives.
        rule: decides what to run; it knows the models, and what the worker spends beside them.
        seed: of the service times.
        end_ms: stop then, and leave what waits unanswered: of a rule that is hopelessly behind,
            the rest says nothing new.
        transport_ms: time between a message's timestamp and when a worker can read it; one for
            all, or one each, shape (n,). A message never overtakes another.
        excess_ms: as `ServiceTimes` takes it.
    """
    n, table, overhead = len(workload), rule.table, rule.overhead
    clock = _Clock(workload)
    times = ServiceTimes(table, np.random.default_rng([seed, 1]), excess_ms)
    served = cast(
        "list[ServedModel]",
        [_Model(table, m, clock, times) for m in range(len(table.models))],
    )
    beliefs: Plans = rule.plans
    readable_ms = np.maximum.accumulate(workload.arrival_ms + transport_ms)
    deadline_ms = workload.deadline_ms
    finish_ms = np.full(n, np.inf)
    answer = np.full(n, -1, dtype=np.intp)
    plan_of = np.full(n, -1, dtype=np.intp)
    compute_ms = np.zeros(n)
    cut_short = np.zeros(n, dtype=bool)
    waiting = np.empty(0, dtype=np.intp)
    poll_items = max(int(POLL_SLICES * SLICE_MS / overhead.admit_ms), LEAST_POLL)
    read = n_slices = 0
    full = is_behind = False
    busy_ms = 0.0
    while (read < n or len(waiting)) and clock.now_ms <= end_ms:
        if not len(waiting) and readable_ms[read] > clock.now_ms:
            clock.now_ms = float(readable_ms[read])
        began_ms = clock.now_ms
        room = MAX_WAITING - len(waiting)
        any_timely = bool((deadline_ms[waiting] > clock.now_ms).any())
        full = room < MAX_WAITING // (2 if full and not any_timely else 8)
        was_behind, is_behind = is_behind, False
        if not full:
            most = min(room, MAX_POLL)
            if rule.reads_on and (any_timely or not was_behind):
                most = min(most, poll_items)
            there = int(np.searchsorted(readable_ms, clock.now_ms, side="right"))
            new = np.arange(read, min(there, read + most))
            is_behind = rule.reads_on and len(new) == most >= LEAST_POLL
            waiting = np.concatenate([waiting, new])
            read += len(new)
            clock.advance(overhead.poll_ms + overhead.admit_ms * len(new))
        considered = waiting
        if is_behind:
            left_ms = deadline_ms[waiting] - clock.now_ms
            view = beliefs.view(clock.seconds())
            considered = waiting[before_reading(view, left_ms, poll_items * overhead.admit_ms)]
        if not len(considered):
            busy_ms += clock.now_ms - began_ms
            continue
        clock.advance(overhead.step_ms)
        queue = Queue(considered, workload.item[considered], deadline_ms[considered],
                      workload.floor[considered], deadline_ms[waiting])  # fmt: skip
        decided_ms = clock.now_ms
        for work in rule.choose(decided_ms, queue):
            messages = considered[work.items]
            until_ms = deadline_ms[messages] - clock.now_ms if work.cuts else None
            outcome = run_plan(
                table.plans[work.plan].steps,
                served,
                beliefs.models,
                {"item": workload.item[messages]},
                until_ms,
                clock.seconds,
            )
            before_ms = clock.now_ms
            clock.advance(overhead.group_ms + overhead.answer_ms * len(messages))
            rule.learn(work, outcome, clock.now_ms - before_ms)
            finish_ms[messages] = clock.now_ms
            plan_of[messages] = work.plan
            answer[messages] = outcome.result.argmax(axis=1)
            for answered in outcome.answered:
                compute_ms[messages[answered.items]] = outcome.cost(answered.n_steps)
                cut_short[messages[answered.items]] = answered.cut_short
        waiting = waiting[np.isinf(finish_ms[waiting])]
        n_slices += 1
        busy_ms += clock.now_ms - began_ms
    return Result(finish_ms, answer, plan_of, cut_short, compute_ms, busy_ms, n_slices)
