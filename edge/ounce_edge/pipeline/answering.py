"""Builds, publishes and reports predictions from a plan's output."""

from collections.abc import Hashable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.explanation import ExplainedText, ExplanationOutcome
from ounce_schemas.routing import Choice, Objective
from ounce_schemas.task import TaskSpec
from ounce_schemas.topics import predictions_topic

from ounce_edge.evidence.answer_block import POSITION, AnswerGroup
from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_edge.models.execution import Answered, Outcome
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.costs import Costs
from ounce_edge.pipeline.gathering import gather_rows
from ounce_edge.pipeline.job import Job
from ounce_edge.pipeline.reports import GroupReport, Report
from ounce_edge.pipeline.tenants import tenant_shares
from ounce_edge.pipeline.trails import Trail
from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.rule.explanation import passed_over, rejections
from ounce_edge.recommender.rule.exploration import regret
from ounce_edge.wire.answers.encoding import GroupAnswer
from ounce_edge.wire.answers.explained import ExplainedGroup, TextColumn
from ounce_edge.wire.batch import Rejected, take
from ounce_edge.wire.records import Outgoing, Publish


class AnsweredBy(NamedTuple):
    """What a label that comes later is about."""

    plan: Hashable
    """As in `Edition.plan_keys`."""
    policy_version: str


class Answering:
    """Publishes and reports predictions of one task, and remembers them.

    Args:
        task: what is answered.
        clocks: of the pipeline.
    """

    def __init__(self, task: TaskSpec, clocks: Clocks) -> None:
        self._clocks = clocks
        self._classifies = task.classifies
        self._offset = task.offset or 0.0
        self._topic = predictions_topic(task.name)
        self.memory = AnswerMemory(task)
        """What was answered, for labels that come later."""

    def publish(
        self, job: Job, outcome: Outcome, answered: Answered, publish: Publish, report: Report
    ) -> list[Rejected]:
        """Publish the predictions that came from one step of a plan.

        Returns:
            Messages of several rows that have come to their end, and of which one has no answer.
        """
        rejected: list[Rejected] = []
        choice = Choice.CUT_SHORT if answered.cut_short else job.group.choice
        for why, some in _by_reason(job, answered, choice):
            rejected += self._publish(job, outcome, some, why, publish, report)
        return rejected

    def _publish(
        self,
        job: Job,
        outcome: Outcome,
        answered: Answered,
        choice: Choice,
        publish: Publish,
        report: Report,
    ) -> list[Rejected]:
        """`publish`, for those that were answered for one reason."""
        batch, items = job.taken.batch, answered.items
        costs = Costs.of(job, outcome, answered)
        # A clock may have been set back meanwhile.
        latency_ms = np.maximum(self._clocks.wall() * 1e3 - batch.timestamps_ms[items], 0.0)
        answer = self._answer(job, outcome, answered, choice, costs)
        if batch.explained is not None:
            report.explanations[_explanation_outcome(answer)] += int(batch.explained[items].sum())
        if not answered.cut_short:  # what a plan achieves is judged by what it decided itself
            self._remember(job, answer)
        outgoing, rejected = self._write(job, answer, latency_ms)
        if len(outgoing.values):
            publish(outgoing)
        trail = None
        if report.keeps_trails:
            trail = Trail(job, outcome, answered, answer.accuracy_low, self._clocks.steady())
        refused = outgoing.refused
        report.groups.append(_group_report(job, answer, costs, latency_ms, refused, trail))
        return rejected

    def _answer(
        self, job: Job, outcome: Outcome, answered: Answered, choice: Choice, costs: Costs
    ) -> GroupAnswer:
        """What the requests are answered."""
        view, plan, batch, items = job.view, job.group.plan, job.taken.batch, answered.items
        card, routing = job.edition.models[answered.model].card, job.route.routing
        result = outcome.result if len(items) == len(batch) else outcome.result[items]
        accuracy, low = view.accuracy[plan], view.accuracy_low[plan]
        if answered.cut_short:  # the less confident share of a lighter model's answers
            accuracy = low = float(result.max(axis=1).mean())  # they are calibrated
        return GroupAnswer(
            model_name=card.model,
            model_version=card.version,
            policy_version=routing.version,
            plan=view.names[plan],
            choice=choice,
            items=items,
            result=result,
            predicted=self._predicted(result),
            expected_accuracy=accuracy,
            accuracy_low=low,
            cost_ms=costs.run_ms,
            saved_ms=costs.always_best_ms - costs.run_ms,
            gpu_ms=costs.gpu_ms,
            objective=None if routing.objective is Objective.CPU_TIME else routing.objective,
            cost=costs.in_objective,
            cost_saved=costs.saved,
            rejected=partial(_rejections, job, choice),
            explained=_explained(job, outcome, answered),
            could_explain=batch.explained is not None and job.could_explain,
            beliefs=_beliefs(job, choice),
        )

    def _predicted(self, result: NDArray[np.float32]) -> NDArray[Any]:
        """What answers say: label indices, or values in double precision; shape (n,)."""
        if not self._classifies:
            return result[:, 0].astype(np.float64) + self._offset
        labels: NDArray[np.intp] = result.argmax(axis=1)
        return labels

    def _write(
        self, job: Job, answer: GroupAnswer, latency_ms: NDArray[np.float64]
    ) -> tuple[Outgoing, list[Rejected]]:
        """Predictions, and messages of several rows of which one has no answer."""
        batch, items, encoder = job.taken.batch, answer.items, job.edition.encoder
        outgoing = Outgoing(
            self._topic,
            encoder.bodies(batch, answer, latency_ms, job.taken.repeated),
            take(batch.keys, items),
            encoder.headers(batch, items),
            batch.partitions[items],
            take(batch.records, items),
        )
        if batch.rows is None:
            return outgoing, []
        return gather_rows(
            outgoing, take(batch.rows, items), take(batch.heads, items), encoder.join
        )

    def _remember(self, job: Job, answer: GroupAnswer) -> None:
        batch, items = job.taken.batch, answer.items
        by = AnsweredBy(job.edition.plan_keys[job.group.plan], answer.policy_version)
        json_ids = [take(column, items) for column in batch.json_ids]
        origins = keys = None
        identities = take(batch.identities, items)
        if any(identities):
            origins = [POSITION if i is None else i.origin for i in identities]
            keys = [key or b"" for key in take(batch.keys, items)]
        self.memory.remember(AnswerGroup(json_ids, origins, keys, by, answer.predicted))


def _group_report(
    job: Job,
    answer: GroupAnswer,
    costs: Costs,
    latency_ms: NDArray[np.float64],
    refused: Sequence[int],
    trail: Trail | None,
) -> GroupReport:
    batch, items, n = job.taken.batch, answer.items, len(answer.items)
    floors = batch.min_accuracy[items]
    is_late = latency_ms > batch.max_latency_ms[items]
    is_under = answer.accuracy_low < floors
    explores = answer.choice is Choice.EXPLORATION
    return GroupReport(
        model=answer.model_name,
        plan=answer.plan,
        policy_version=answer.policy_version,
        choice=answer.choice,
        n=n,
        run_ms=costs.run_ms * n,
        always_best_ms=costs.always_best_ms * n,
        cost=costs.in_objective * n,
        saved=costs.saved * n,
        latency_ms=latency_ms,
        deadline_misses=int(np.count_nonzero(is_late)),
        floor_misses=int(np.count_nonzero(is_under)),
        refused=refused,
        regret=regret(job.view, job.group.plan, floors) if explores else 0.0,
        trail=trail,
        tenants=()
        if batch.all_bare
        else tenant_shares(take(batch.heads, items), is_late, is_under),
    )


def _explained(job: Job, outcome: Outcome, answered: Answered) -> ExplainedGroup | None:
    """What each input contributed, where the model says it."""
    own = job.edition.models[answered.model].card.explanation
    if outcome.explained is None or own is None:
        return None
    items, inputs = answered.items, job.taken.batch.inputs
    values = outcome.explained[items, : 1 + own.width]
    texts = {name: _texts(inputs, text, items) for name, text in own.texts.items()}
    return ExplainedGroup(own.method, own.score, own.inputs, values, texts)


def _explanation_outcome(answer: GroupAnswer) -> ExplanationOutcome:
    if answer.explained is not None:
        return ExplanationOutcome.GIVEN
    return ExplanationOutcome.TARGETS if answer.could_explain else ExplanationOutcome.NO_MODEL


def _texts(inputs: Inputs, text: ExplainedText, items: Items) -> TextColumn:
    column = inputs[text.tensor].reshape(len(inputs[text.tensor]), -1)[items, text.place]
    return TextColumn(column.tolist(), text.size_bytes)


def _rejections(job: Job, choice: Choice, min_accuracy: float) -> dict[str, str]:
    """As `rejections` says, where the policy wants it said."""
    if not job.route.routing.reasons:
        return {}
    return rejections(job.view, job.by_cost, job.group.plan, choice, min_accuracy)


def _beliefs(job: Job, choice: Choice) -> Hashable:
    """What `_rejections` depends on besides plan, choice and floor."""
    if not job.route.routing.reasons:
        return None
    over = passed_over(job.by_cost, job.group.plan, choice)
    return tuple(over), tuple(job.view.accuracy_low)


def _by_reason(job: Job, answered: Answered, choice: Choice) -> Iterable[tuple[Choice, Answered]]:
    """What was answered, by the reason for it: where a call is shared, it is another one for those
    whose floor it does not keep."""
    if choice.below_floor is choice:
        return [(choice, answered)]
    low = job.view.accuracy_low[job.group.plan]
    kept = job.taken.batch.min_accuracy[answered.items] <= low
    if kept.all():
        return [(choice, answered)]
    parts = ((choice, answered.items[kept]), (choice.below_floor, answered.items[~kept]))
    return [(why, answered._replace(items=items)) for why, items in parts if len(items)]
