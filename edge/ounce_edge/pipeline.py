"""decode -> wait -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.prediction import Cost
from ounce_schemas.routing import Choice, Fallback, Objective
from ounce_schemas.topics import dead_letters_topic, predictions_topic

from ounce_edge.beliefs import measured_belief
from ounce_edge.catalogue import Ladder, ServedModel
from ounce_edge.decision_log import FORMAT, DecisionLog, Exploration, LogHeader
from ounce_edge.decoding import Decoder, take
from ounce_edge.encoding import Encoder, GroupAnswer
from ounce_edge.execution import Answered, Outcome, run_plan
from ounce_edge.letters import MAX_MESSAGE_BYTES, write_letter
from ounce_edge.planning import make_plans
from ounce_edge.recommender.decision import decide
from ounce_edge.recommender.explanation import passed_over, rejections
from ounce_edge.recommender.exploration import explore, regret
from ounce_edge.recommender.latency import LatencyBelief
from ounce_edge.recommender.plans import View
from ounce_edge.recommender.schedule import Group, Schedule
from ounce_edge.recommender.slicing import LATE, SLICE_MS, first_slice
from ounce_edge.records import Columns, Publish, Record
from ounce_edge.repeats import RecentIds
from ounce_edge.reports import GroupReport, ModelCall, Report
from ounce_edge.truth import AnswerMemory
from ounce_edge.vigilance import Vigilance
from ounce_edge.waiting import Lately, Progress, Taken, Waiting

logger = logging.getLogger(__name__)

Draws = tuple[NDArray[np.bool_], list[float]]
Rejected = tuple[Record, InvalidMessageError]


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
        self._encoder = Encoder(ladder.task, policy.version, ladder.version)
        self._recent_ids = RecentIds()
        self._progress = Progress()
        self._vigilance = Vigilance(self.plans)
        self._memory = AnswerMemory(ladder.task)
        self._plan_index = {plan.name: i for i, plan in enumerate(self.plans.plans)}
        self._late_owed = False
        self._max_message_bytes = max_message_bytes
        self._tightest = Lately(policy.max_latency_ms)
        self._classifies = ladder.task.kind == "classification"
        models = self.plans.models
        self._ones = [1.0] * len(models)
        self._joules_per_ms = [model.watts / 1e3 for model in models]
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
        self._predictions = predictions_topic(ladder.task.name)
        self._dead_letters = dead_letters_topic(ladder.task.name)

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
        self._reject(batch.rejected, publish, report)
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
            self._answer(view, schedule, group, some, left - spent_ms, publish, report)
        if len(schedule.refused):
            self._refuse(taken[-1], publish, report)
        report.next_offsets = self._progress.advance()
        return report

    def learn(self, labels: Sequence[Label]) -> Mapping[LabelOutcome, int]:
        """Hold labels against the answers that they are about; what became of them."""
        joined = self._memory.join(labels)
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

    def _answer(
        self,
        view: View,
        schedule: Schedule,
        group: Group,
        taken: Taken,
        left_ms: NDArray[np.float64],
        publish: Publish,
        report: Report,
    ) -> None:
        """Run one group and publish its predictions; what a model fails on waits for another one,
        or becomes dead letters where none is left."""
        plan = self.plans[group.plan]
        waits = group.choice in LATE
        outcome = run_plan(
            plan.steps,
            self._models,
            self.plans.models,
            taken.batch.inputs,
            None if waits else left_ms,
        )
        ran_s = time.perf_counter()
        taken.settle()
        report.happenings += self._vigilance.learn(group.plan, outcome)
        report.calls += [ModelCall.of(c, self.plans.models[c.model].name) for c in outcome.calls]
        report.escalated += outcome.escalated
        for answered in outcome.answered:
            self._publish(view, schedule, group, taken, outcome, answered, publish, report)
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
            self._reject([(record, error) for record in records], publish, report)
        self.plans.observe_overhead(len(taken.batch), (time.perf_counter() - ran_s) * 1e3)

    def _publish(
        self,
        view: View,
        schedule: Schedule,
        group: Group,
        taken: Taken,
        outcome: Outcome,
        answered: Answered,
        publish: Publish,
        report: Report,
    ) -> None:
        """Publish the predictions that came from one step of a plan."""
        batch, items, n = taken.batch, answered.items, len(answered.items)
        choice = Choice.CUT_SHORT if answered.cut_short else group.choice
        card = self._models[answered.model].card
        result = outcome.result if n == len(batch) else outcome.result[items]
        cost_ms = outcome.cost(answered.n_steps, self._ones)
        best_ms = self._always_best_ms(view, group, outcome)
        accuracy, low = view.accuracy[group.plan], view.accuracy_low[group.plan]
        if answered.cut_short:  # the less confident share of a lighter model's answers
            accuracy = low = float(result.max(axis=1).mean())  # they are calibrated
        else:
            self.plans.accuracy.observe_answers(group.plan, result)
        objective = self.plans.objective
        cost, saved = self._cost(view, group, outcome, answered, cost_ms, best_ms)
        # A clock may have been set back meanwhile.
        latency_ms = np.maximum(self._clock() * 1e3 - batch.timestamps_ms[items], 0.0)
        answer = GroupAnswer(
            model_name=card.model,
            model_version=card.version,
            plan=view.names[group.plan],
            choice=choice,
            items=items,
            result=result,
            predicted=result.argmax(axis=1) if self._classifies else result[:, 0],
            expected_accuracy=accuracy,
            accuracy_low=low,
            cost_ms=cost_ms,
            saved_ms=best_ms - cost_ms,
            cost=None if objective is Objective.CPU_TIME else Cost(objective, cost, saved),
            rejected=partial(rejections, view, schedule.by_cost, group.plan, choice),
            beliefs=(
                tuple(passed_over(schedule.by_cost, group.plan, choice)),
                tuple(view.accuracy_low),
            ),
        )
        if not answered.cut_short:  # what a plan achieves is judged by what it decided itself
            json_ids = [take(column, items) for column in batch.json_ids]
            self._memory.remember(json_ids, answer.plan, answer.predicted)
        bodies = self._encoder.bodies(batch, answer, latency_ms, taken.repeated)
        headers = self._encoder.headers(batch, items)
        keys = take(batch.keys, items)
        publish(self._predictions, bodies, keys, headers, batch.partitions[items])
        floors = batch.min_accuracy[items]
        report.groups.append(
            GroupReport(
                model=card.model,
                plan=view.names[group.plan],
                choice=choice,
                n=n,
                run_ms=cost_ms * n,
                always_best_ms=best_ms * n,
                cost=cost * n,
                saved=saved * n,
                latency_ms=latency_ms,
                deadline_misses=int(np.count_nonzero(latency_ms > batch.max_latency_ms[items])),
                floor_misses=int(np.count_nonzero(low < floors)),
                regret=regret(view, group.plan, floors) if choice is Choice.EXPLORATION else 0.0,
            )
        )

    def _always_best_ms(self, view: View, group: Group, outcome: Outcome) -> float:
        """What the most accurate model would have taken per item of a group.

        A call in service takes longer than the same call in a profile's tight loop, most of it a
        fixed time for cold caches. Where the most accurate model was not run lately, the excess of
        the one that ran is added to its profile: an estimate that does not flatter the saving.
        """
        n = len(group.items)
        best = self.plans[view.always_best(n)].steps[0].model
        first = outcome.calls[0]
        if best == first.model:
            return first.run_ms / first.n
        latency = self.plans.models[best].latency
        excess_ms = latency.excess_ms(n)
        if excess_ms is None:
            excess_ms = max(self.plans.models[first.model].latency.excess_ms(n) or 0.0, 0.0)
        return (latency.profile_of(n) + excess_ms) / n

    def _cost(
        self,
        view: View,
        group: Group,
        outcome: Outcome,
        answered: Answered,
        cost_ms: float,
        best_ms: float,
    ) -> tuple[float, float]:
        """What an item cost, and saved against the most accurate model, in the policy's
        objective."""
        objective = self.plans.objective
        if objective is Objective.CPU_TIME:
            return cost_ms, best_ms - cost_ms
        best = view.always_best(len(group.items))
        if objective is Objective.ENERGY:
            joules = outcome.cost(answered.n_steps, self._joules_per_ms)
            best_joules = best_ms * self._joules_per_ms[self.plans[best].steps[0].model]
            return joules, best_joules - joules
        memory = view.cost_of(group.plan, 1)
        return memory, view.cost_of(best, 1) - memory

    def _refuse(self, taken: Taken, publish: Publish, report: Report) -> None:
        batch = taken.batch
        taken.settle()
        rejected = [
            (
                record,
                InvalidMessageError(
                    Reason.REFUSED,
                    f"no permitted plan meets {batch.max_latency_ms[i]:g} ms and accuracy "
                    f"{batch.min_accuracy[i]:g}, and the policy's fallback is "
                    f"{Fallback.REFUSE}; loosen a target or the policy",
                ),
            )
            for i, record in enumerate(batch.records)
        ]
        self._reject(rejected, publish, report)

    def _reject(self, rejected: Sequence[Rejected], publish: Publish, report: Report) -> None:
        for record, error in rejected:
            letter = write_letter(record, error, self._max_message_bytes)
            publish(self._dead_letters, [letter.value], [letter.key], [letter.headers], None)
        report.rejected = [*report.rejected, *(error.reason for _, error in rejected)]
