"""decode -> wait -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.policy import EffectivePolicy

from ounce_edge.answering import Answering, Job
from ounce_edge.beliefs import measured_belief
from ounce_edge.catalogue import Ladder, ServedModel
from ounce_edge.decision_log import FORMAT, DecisionLog, Exploration, LogHeader
from ounce_edge.decoding import Decoder, take
from ounce_edge.execution import Outcome, run_plan
from ounce_edge.letters import MAX_MESSAGE_BYTES
from ounce_edge.planning import make_plans
from ounce_edge.recommender.decision import Schedule, decide
from ounce_edge.recommender.exploration import explore
from ounce_edge.recommender.latency import LatencyBelief
from ounce_edge.recommender.slicing import LATE, SLICE_MS, first_slice
from ounce_edge.records import Columns, Publish, Record
from ounce_edge.repeats import RecentIds
from ounce_edge.reports import ModelCall, Report
from ounce_edge.vigilance import Vigilance
from ounce_edge.waiting import Lately, Progress, Waiting

logger = logging.getLogger(__name__)

Draws = tuple[NDArray[np.bool_], list[float]]


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
        self._late_owed = False
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
        report.next_offsets = self._progress.advance()
        return report

    def step(self, publish: Publish, slice_ms: float = SLICE_MS, reserve_ms: float = 0.0) -> Report:
        """Decide for all that waits, and answer what comes first.

        Args:
            publish: takes predictions and dead letters.
            slice_ms: predicted compute after which to return, so that newer requests are seen; at
                least one call is made.
            reserve_ms: time that others will take in between; deadlines are held against it.
        """
        report = Report(self.task.name)
        if not len(self.waiting):
            return report
        began_s = time.perf_counter()
        now_ms = self._clock() * 1e3
        view = self.plans.view(began_s)
        left_ms = self.waiting.deadline_ms - (now_ms + reserve_ms)
        schedule = decide(view, left_ms, self.waiting.min_accuracy, self._policy.fallback)
        exploration = self._explore(len(left_ms)) if self._policy.exploration else None
        if exploration is not None:
            floors = self.waiting.min_accuracy
            schedule = explore(view, schedule, left_ms, floors, *exploration)
        if self._log is not None:
            self._record(now_ms, left_ms, schedule, exploration)
        now = first_slice(view, schedule, left_ms, slice_ms, self._late_owed)
        groups, self._late_owed = now.groups, now.late_owed
        report.decide_ms = (time.perf_counter() - began_s) * 1e3
        report.happenings = [
            *self._vigilance.look_at_accuracy(),
            *self._vigilance.look_at_floors(view, self.waiting.min_accuracy),
        ]
        items = [group.items for group in groups]
        if len(schedule.refused):
            items.append(schedule.refused)
        left_of_groups = [left_ms[group.items] for group in groups]
        taken = self.waiting.take(items)
        waited_ms = np.concatenate([now_ms - t.batch.timestamps_ms for t in taken])
        report.waited_ms = np.maximum(waited_ms, 0.0)
        for group, some, left in zip(groups, taken, left_of_groups, strict=False):
            spent_ms = (time.perf_counter() - began_s) * 1e3
            job = Job(view, schedule.by_cost, group, some)
            self._answer(job, self._run(job, left - spent_ms), publish, report)
        if len(schedule.refused):
            self._answering.refuse(taken[-1], publish, report)
        report.next_offsets = self._progress.advance()
        return report

    def learn(self, labels: Sequence[Label]) -> Mapping[LabelOutcome, int]:
        """Hold labels against the answers that they are about; what became of them."""
        joined = self._answering.memory.join(labels)
        now_s = time.perf_counter()
        for plan, truth in joined.plans.items():
            self.plans.accuracy.observe_labels(self._plan_index[plan], truth.good, truth.bad, now_s)
        return joined.outcomes

    def flush(self) -> None:
        """Let readers see the decisions recorded so far."""
        if self._log is not None:
            self._log.flush()

    def close(self) -> None:
        """Write what is buffered of the decisions."""
        if self._log is not None:
            self._log.close()

    def drop(self, partitions: Iterable[int]) -> int:
        """Forget what waits of partitions that others own now; how many requests."""
        lost = set(partitions)
        self._progress.disown(lost)
        return self.waiting.drop(lost)

    def forget_ids(self) -> None:
        """What was answered lately is answered again: it is no repetition."""
        self._recent_ids = RecentIds()

    @property
    def tightest_ms(self) -> float:
        """The tightest deadline of the requests that came lately, in milliseconds."""
        return self._tightest.least

    def _explore(self, n: int) -> Draws | None:
        """Which of `n` messages may explore, and an accuracy per plan drawn from its posterior."""
        chosen = self._rng.random(n) < self._policy.exploration
        if not chosen.any():
            return None
        posteriors = [self.plans.accuracy.posterior(p) for p in range(len(self.plans))]
        return chosen, [float(self._rng.beta(a, b)) for a, b in posteriors]

    def _record(
        self,
        now_ms: float,
        left_ms: NDArray[np.float64],
        schedule: Schedule,
        draws: Draws | None,
    ) -> None:
        assert self._log is not None
        self._log.record(
            now_ms,
            self.plans.state,
            left_ms,
            self.waiting.min_accuracy,
            self.waiting.json_ids(),
            schedule,
            None if draws is None else Exploration(draws[0].tobytes(), draws[1]),
        )

    def _run(self, job: Job, left_ms: NDArray[np.float64]) -> Outcome:
        """Call the models of a group's plan. Touches nothing that this object changes."""
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
