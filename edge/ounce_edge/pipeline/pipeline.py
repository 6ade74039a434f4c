"""decode -> wait -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.policy import EffectivePolicy

from ounce_edge.evidence.decision_log import FORMAT, DecisionLog, LogHeader
from ounce_edge.evidence.incidents import Vigilance
from ounce_edge.models.catalogue import Ladder, ServedModel
from ounce_edge.models.execution import Outcome, run_plan
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.pipeline.answering import Answering, Job
from ounce_edge.pipeline.duplicates import RecentIds
from ounce_edge.pipeline.in_flight import Flights
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.reports import ModelCall, Report
from ounce_edge.pipeline.snapshot import PlanSnapshot, Snapshot
from ounce_edge.pipeline.waiting import Progress, Waiting
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.pacing.lately import Lately
from ounce_edge.recommender.pacing.overload import Overload
from ounce_edge.recommender.pacing.sharing import LanesNow, has_long, share
from ounce_edge.recommender.pacing.slicing import LATE, SLICE_MS
from ounce_edge.recommender.pacing.urgency import before_reading
from ounce_edge.recommender.rule.at_once import at_once
from ounce_edge.recommender.rule.cells import FEW
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.exploration import Draws, explore
from ounce_edge.recommender.rule.schedule import Items
from ounce_edge.wire.dead_letters import MAX_MESSAGE_BYTES
from ounce_edge.wire.decoding import Decoder, take
from ounce_edge.wire.records import Columns, Publish, Record

logger = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.001
"""How often a lane is looked at whose call takes longer than predicted."""


class Pipeline:
    """Serves one task: `admit` takes records, `step` answers some of what waits.

    Args:
        ladder: the task and its verified models and plans.
        policy: the rules for this task.
        clock: seconds since 1970; deadlines count from record timestamps on this clock.
        believe: gives the first belief of a model's latency.
        watts: power that a model draws while it runs; where it is not measured, the policy's.
        rng: chooses what is explored.
        decisions: folder to record decisions in.
        max_message_bytes: of a dead letter.
        lanes: make long calls beside; without them every call is made within `step`.

    Raises:
        PolicyError: the policy permits none of the ladder's models, or names one it lacks.
    """

    def __init__(
        self,
        ladder: Ladder,
        policy: EffectivePolicy,
        clock: Callable[[], float] = time.time,
        believe: Callable[[ServedModel], LatencyBelief] = measured_belief,
        watts: Callable[[ServedModel], float | None] = lambda model: None,
        rng: np.random.Generator | None = None,
        decisions: Path | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        lanes: Lanes | None = None,
    ) -> None:
        self.task = ladder.task
        self.ladder = ladder
        self.waiting = Waiting()
        self.plans, self._models = make_plans(ladder, policy, believe, watts)
        self._policy = policy
        self._clock = clock
        self._rng = np.random.default_rng() if rng is None else rng
        self._decoder = Decoder(ladder.task, policy)
        self._recent_ids = RecentIds()
        self._progress = Progress()
        self._vigilance = Vigilance(self.plans)
        self._answering = Answering(
            ladder, policy, self.plans, self._models, clock, max_message_bytes
        )
        self._plan_index = {plan.name: i for i, plan in enumerate(self.plans.plans)}
        self._lanes = Lanes(0) if lanes is None else lanes
        self._flights = Flights(self._lanes)
        self._late_credit_ms = 0.0
        self._overload = Overload()
        self._due_at_s = 0.0
        self._tightest = Lately(policy.max_latency_ms)
        self._log: DecisionLog | None = None
        if decisions is not None:
            header = LogHeader(
                FORMAT,
                ladder.task.name,
                policy.version,
                ladder.version,
                policy.fallback,
                self.plans.tables,
            )
            self._log = DecisionLog(decisions, header)

    def admit(self, records: Sequence[Record], publish: Publish) -> Report:
        """Take records of this task's requests topic: valid ones wait, others become dead letters.

        In the end every record leads to exactly one published record: a prediction or a dead
        letter.
        """
        columns = Columns.of(records)
        batch = self._decoder.decode(columns, self._clock() * 1e3)
        poll = self._progress.begin(columns.next_offsets(), len(records))
        report = Report(self.task.name)
        if len(batch):
            repeated = set[int]()
            if any(batch.identities):
                repeated = self._recent_ids.repeats(batch.identities)
            self.waiting.add(batch, repeated, poll)
            self._tightest.add(float(batch.max_latency_ms.min()), time.perf_counter())
            report.repeats = len(repeated)
        self._answering.reject(batch.rejected, publish, report)
        poll.open -= len(batch.rejected)
        self._due_at_s = 0.0
        report.next_offsets = self._progress.advance()
        return report

    def step(
        self,
        publish: Publish,
        slice_ms: float = SLICE_MS,
        reserve_ms: float = 0.0,
        keep_free: bool = True,
        poll_ms: float = 0.0,
        each_room: float = 0.0,
    ) -> Report:
        """Take what lanes have answered, decide for all that waits, and answer what comes first.

        Args:
            publish: takes predictions and dead letters.
            slice_ms: predicted compute after which to return, so that newer requests are seen; at
                least one call is made, here or on a lane, unless all that waits can wait for one.
            reserve_ms: time that others will take in between; deadlines are held against it.
            keep_free: newer requests may come meanwhile: long calls should wait for a lane, rather
                than be made here, where their deadlines allow it.
            poll_ms: predicted time of the next poll, where more is there to be read; then only
                what can't wait for that is answered, which may be nothing.
            each_room: share of the room for waiting requests that each of them takes.
        """
        report = Report(self.task.name)
        for job, outcome in self._flights.land():
            self._answer(job, outcome, publish, report)
        n_held = 0
        if len(self.waiting):
            n_held = self._serve(
                publish, slice_ms, reserve_ms, keep_free, poll_ms, each_room, report
            )
        self._due_at_s = 0.0
        if len(self.waiting) <= n_held:  # nothing else to do before a lane has ended its call
            next_end_s = self._lanes.next_end_ms / 1e3
            self._due_at_s = time.perf_counter() + max(next_end_s, LOOK_AGAIN_S)
        report.next_offsets = self._progress.advance()
        return report

    def _serve(
        self,
        publish: Publish,
        slice_ms: float,
        reserve_ms: float,
        keep_free: bool,
        poll_ms: float,
        each_room: float,
        report: Report,
    ) -> int:
        """Decide, hand long calls over, and make the first of the others; how many requests wait
        for a lane."""
        began_s, spent_s = time.perf_counter(), time.thread_time()
        now_ms = self._clock() * 1e3
        view = self.plans.view(began_s)
        state = self.plans.state
        left_ms = self.waiting.deadline_ms - (now_ms + reserve_ms)
        floors = self.waiting.min_accuracy
        overload_lasts = self._overload.look(left_ms, each_room, began_s)
        pressing: Items | None = None
        if poll_ms:
            pressing = before_reading(view, left_ms, poll_ms)
            if not len(pressing):
                return 0
            left_ms, floors = left_ms[pressing], floors[pressing]
        known = None
        if len(left_ms) <= FEW and not self._policy.exploration:
            known = at_once(view, left_ms.tolist(), floors.tolist(), slice_ms)
        exploration: Draws | None = None
        if known is not None:
            schedule, now = known.schedule, known.share
        else:
            schedule = decide(view, left_ms, floors, self._policy.fallback, overload_lasts)
            exploration = self._explore(len(left_ms)) if self._policy.exploration else None
            if exploration is not None:
                schedule = explore(view, schedule, left_ms, floors, exploration)
            lanes = None
            if len(self._lanes) and has_long(view, schedule):
                free_in_ms = self._lanes.next_end_ms if keep_free else math.inf
                lanes = LanesNow(self._lanes.n_free, free_in_ms)
            now = share(view, schedule, left_ms, slice_ms, lanes, self._late_credit_ms)
        self._late_credit_ms = now.late_credit_ms
        report.decide_ms = (time.thread_time() - spent_s) * 1e3
        report.happenings += [
            *self._vigilance.look_at_accuracy(),
            *self._vigilance.look_at_floors(view, floors),
            *self._vigilance.look_at_overload(overload_lasts, began_s),
        ]
        groups = [*now.beside, *now.here]
        items = [group.items for group in groups]
        if len(schedule.refused):
            items.append(schedule.refused)
        left_of_groups = [left_ms[group.items] for group in groups]
        taken = self.waiting.take(items if pressing is None else [pressing[of] for of in items])
        waited_ms = [now_ms - t.batch.timestamps_ms for t in taken]
        report.waited_ms = np.maximum(np.concatenate([np.empty(0), *waited_ms]), 0.0)
        for i, (group, some, left) in enumerate(zip(groups, taken, left_of_groups, strict=False)):
            job = Job(view, schedule.by_cost, group, some)
            left = left - (time.perf_counter() - began_s) * 1e3
            if i < len(now.beside):
                takes_ms = view.expected_ms(group.plan, len(group.items))
                self._flights.depart(job, partial(self._run, job, left), takes_ms)
            else:
                self._answer(job, self._run(job, left), publish, report)
        if len(schedule.refused):
            self._answering.refuse(taken[-1], publish, report)
        if self._log is not None:
            ids = [of_one.batch.whole_ids() for of_one in taken]
            self._log.record(
                now_ms,
                state,
                left_ms,
                floors,
                schedule,
                answered=list(zip(items, ids, strict=True)),
                exploration=exploration,
                overload_lasts=overload_lasts,
            )
        return now.n_held

    def learn(self, labels: Sequence[Label]) -> Mapping[LabelOutcome, int]:
        """Hold labels against the answers that they are about; what became of them."""
        joined = self._answering.memory.join(labels)
        now_s = time.perf_counter()
        for plan, truth in joined.plans.items():
            self.plans.accuracy.observe_labels(self._plan_index[plan], truth.good, truth.bad, now_s)
        return joined.outcomes

    def snapshot(self) -> Snapshot:
        """What is believed and held here at this moment."""
        now_s = time.perf_counter()
        view = self.plans.view(now_s)
        plans = zip(view.names, view.accuracy, view.accuracy_low, strict=True)
        return Snapshot(
            task=self.task.name,
            plans=[PlanSnapshot(*plan) for plan in plans],
            highest_floor=view.highest_floor,
            suspended={m.name: m.suspension.is_open(now_s) for m in self.plans.models},
            n_open=self.n_open,
            is_overloaded=self.overload_lasts,
        )

    def flush(self) -> None:
        """Let readers see the decisions recorded so far."""
        if self._log is not None:
            self._log.flush()

    def close(self) -> None:
        """Write what is buffered of the decisions."""
        if self._log is not None:
            self._log.close()

    def drop(self, partitions: Iterable[int]) -> int:
        """Forget what is open of partitions that others own now; how many requests."""
        lost = set(partitions)
        self._progress.disown(lost)
        return self.waiting.drop(lost) + self._flights.drop(lost)

    def forget_ids(self) -> None:
        """What was answered lately is answered again: it is no repetition."""
        self._recent_ids = RecentIds()

    @property
    def n_open(self) -> int:
        """Requests that wait or are on a lane."""
        return len(self.waiting) + len(self._flights)

    @property
    def n_bytes(self) -> int:
        """Bodies held of open requests."""
        return self.waiting.n_bytes(self._flights.taken)

    @property
    def took_lane_at_s(self) -> float:
        """When a call of this task went to a lane last, on the clock of `time.perf_counter`."""
        return self._flights.departed_at_s

    def due_in_s(self) -> float:
        """Seconds until `step` has something to do; infinite when nothing is open."""
        if not self.n_open:
            return math.inf
        if self._flights.any_landed or (len(self.waiting) and self._lanes.n_free):
            return 0.0
        return max(self._due_at_s - time.perf_counter(), 0.0)

    @property
    def overload_lasts(self) -> bool:
        """Whether late requests have piled up, for a while."""
        return self._overload.lasts and len(self.waiting) > 0

    @property
    def any_timely(self) -> bool:
        """Whether a request waits that is not late yet."""
        return bool(len(self.waiting) and self.waiting.deadline_ms.max() > self._clock() * 1e3)

    @property
    def tightest_ms(self) -> float:
        """The tightest deadline of the requests that came lately, in milliseconds."""
        return self._tightest.least

    def _explore(self, n: int) -> Draws | None:
        """What is random about exploring with `n` messages; None where none of them may."""
        chosen = self._rng.random(n) < self._policy.exploration
        if not chosen.any():
            return None
        posteriors = [self.plans.accuracy.posterior(p) for p in range(len(self.plans))]
        return Draws(chosen, [float(self._rng.beta(a, b)) for a, b in posteriors])

    def _run(self, job: Job, left_ms: NDArray[np.float64]) -> Outcome:
        """Call the models of a group's plan. Changes nothing here; on a lane, it reads beliefs of
        latency that may change meanwhile."""
        waits = job.group.choice in LATE
        return run_plan(
            self.plans[job.group.plan].steps,
            self._models,
            self.plans.models,
            job.taken.batch.inputs,
            None if waits else left_ms,
        )

    def _answer(self, job: Job, outcome: Outcome, publish: Publish, report: Report) -> None:
        """Learn from a group that was run, and publish its predictions; what a model fails on waits
        for another one, or becomes dead letters where none is left."""
        began_s = time.perf_counter()
        taken = job.taken
        taken.settle()
        report.happenings += self._vigilance.learn(job.group.plan, outcome)
        report.calls += [ModelCall.of(c, self.plans.models[c.model].name) for c in outcome.calls]
        report.escalated += outcome.escalated
        for answered in outcome.answered:
            self._answering.publish(job, outcome, answered, publish, report)
        for failure in outcome.failures:
            if failure.is_models_fault and self._vigilance.others_serve(failure.model):
                self.waiting.give_back(taken, failure.items)
                continue
            error = InvalidMessageError(
                Reason.MODEL_FAILED,
                f"model {self.plans.models[failure.model].name} {failure.text}; "
                "replay this record later",
            )
            records = take(taken.batch.records, failure.items)
            self._answering.reject([(record, error) for record in records], publish, report)
        self.plans.observe_overhead(len(taken.batch), (time.perf_counter() - began_s) * 1e3)
