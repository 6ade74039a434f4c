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
from ounce_edge.pipeline.gathering import gather_rows
from ounce_edge.pipeline.job import Job
from ounce_edge.pipeline.reports import GroupReport, Report
from ounce_edge.pipeline.tenants import tenant_shares
from ounce_edge.pipeline.trails import Trail
from ounce_edge.recommender.arrays import Items
from ounce_edge.recommender.beliefs.plans import Model
from ounce_edge.recommender.rule.explanation import passed_over, rejections
from ounce_edge.recommender.rule.exploration import regret
from ounce_edge.wire.batch import Rejected, RequestBatch, take
from ounce_edge.wire.encoding import GroupAnswer
from ounce_edge.wire.explained import ExplainedGroup, TextColumn
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

    def _predicted(self, result: NDArray[np.float32]) -> NDArray[Any]:
        """What answers say: label indices, or values in double precision; shape (n,)."""
        said: NDArray[Any] = result.argmax(axis=1) if self._classifies else result[:, 0]
        return said if self._classifies else said.astype(np.float64) + self._offset

    def _publish(
        self,
        job: Job,
        outcome: Outcome,
        answered: Answered,
        choice: Choice,
        publish: Publish,
        report: Report,
    ) -> list[Rejected]:
        rejected: list[Rejected] = []
        edition, view, group, batch = job.edition, job.view, job.group, job.taken.batch
        items, n = answered.items, len(answered.items)
        card = edition.models[answered.model].card
        result = outcome.result if n == len(batch) else outcome.result[items]
        explained = None
        if outcome.explained is not None and card.explanation is not None:
            own = card.explanation
            values = outcome.explained[items, : 1 + own.width]
            texts = {name: _texts(batch.inputs, text, items) for name, text in own.texts.items()}
            explained = ExplainedGroup(own.method, own.score, own.inputs, values, texts)
        cost_ms = outcome.cost(answered.n_steps)
        best_ms = _always_best_ms(job, outcome)
        accuracy, low = view.accuracy[group.plan], view.accuracy_low[group.plan]
        if answered.cut_short:  # the less confident share of a lighter model's answers
            accuracy = low = float(result.max(axis=1).mean())  # they are calibrated
        objective, version = job.route.routing.objective, job.route.routing.version
        cost, saved = _cost_of(job, outcome, answered, cost_ms, best_ms)
        # A clock may have been set back meanwhile.
        latency_ms = np.maximum(self._clocks.wall() * 1e3 - batch.timestamps_ms[items], 0.0)
        answer = GroupAnswer(
            model_name=card.model,
            model_version=card.version,
            policy_version=version,
            plan=view.names[group.plan],
            choice=choice,
            items=items,
            result=result,
            predicted=self._predicted(result),
            expected_accuracy=accuracy,
            accuracy_low=low,
            cost_ms=cost_ms,
            saved_ms=best_ms - cost_ms,
            gpu_ms=_gpu_ms(edition.plans.models, outcome, answered),
            objective=None if objective is Objective.CPU_TIME else objective,
            cost=cost,
            cost_saved=saved,
            rejected=partial(_rejections, job, choice),
            explained=explained,
            could_explain=batch.explained is not None and job.could_explain,
            beliefs=_beliefs(job, choice),
        )
        if batch.explained is not None:
            missed = (ExplanationOutcome.NO_MODEL, ExplanationOutcome.TARGETS)[answer.could_explain]
            became = ExplanationOutcome.GIVEN if explained else missed
            report.explanations[became] += int(batch.explained[items].sum())
        if not answered.cut_short:  # what a plan achieves is judged by what it decided itself
            by = AnsweredBy(edition.plan_keys[group.plan], version)
            self._remember(batch, items, by, answer.predicted)
        bodies = edition.encoder.bodies(batch, answer, latency_ms, job.taken.repeated)
        headers = edition.encoder.headers(batch, items)
        keys = take(batch.keys, items)
        requests, partitions = take(batch.records, items), batch.partitions[items]
        outgoing = Outgoing(self._topic, bodies, keys, headers, partitions, requests)
        if batch.rows is not None:
            gathered = gather_rows(
                outgoing, take(batch.rows, items), take(batch.heads, items), edition.encoder.join
            )
            outgoing = gathered.answers
            rejected += gathered.rejected
        if len(outgoing.values):
            publish(outgoing)
        floors = batch.min_accuracy[items]
        is_late, is_under = latency_ms > batch.max_latency_ms[items], low < floors
        report.groups.append(
            GroupReport(
                model=card.model,
                plan=view.names[group.plan],
                policy_version=version,
                choice=choice,
                n=n,
                run_ms=cost_ms * n,
                always_best_ms=best_ms * n,
                cost=cost * n,
                saved=saved * n,
                latency_ms=latency_ms,
                deadline_misses=int(np.count_nonzero(is_late)),
                floor_misses=int(np.count_nonzero(is_under)),
                refused=outgoing.refused,
                regret=regret(view, group.plan, floors) if choice is Choice.EXPLORATION else 0.0,
                trail=Trail(job, outcome, answered, low, self._clocks.steady())
                if report.keeps_trails
                else None,
                tenants=()
                if batch.all_bare
                else tenant_shares(take(batch.heads, items), is_late, is_under),
            )
        )
        return rejected

    def _remember(
        self, batch: RequestBatch, items: Items, by: "AnsweredBy", predicted: NDArray[Any]
    ) -> None:
        json_ids = [take(column, items) for column in batch.json_ids]
        origins = keys = None
        identities = take(batch.identities, items)
        if any(identities):
            origins = [POSITION if i is None else i.origin for i in identities]
            keys = [key or b"" for key in take(batch.keys, items)]
        self.memory.remember(AnswerGroup(json_ids, origins, keys, by, predicted))


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


def _always_best_ms(job: Job, outcome: Outcome) -> float:
    """What the most accurate model would have taken per item of a group.

    A call in service takes longer than the same call in a profile's tight loop: caches are cold.
    The excess is mostly a fixed time. Where the most accurate model was not run lately, the excess
    of the one that ran is added to its profile. So the saving is not flattered.
    """
    plans, n = job.edition.plans, len(job.group.items)
    best = job.route.plans[job.view.always_best(n)].steps[0].model
    first = outcome.calls[0]
    if best == first.model:
        return outcome.cost(1)
    latency = plans.models[best].latency
    excess_ms = latency.excess_ms(n)
    if excess_ms is None:
        excess_ms = max(plans.models[first.model].latency.excess_ms(n) or 0.0, 0.0)
    return (latency.profile_of(n) + excess_ms) / n


def _gpu_ms(models: Sequence[Model], outcome: Outcome, answered: Answered) -> float:
    """What an item took on a GPU."""
    if not any(models[call.model].is_on_gpu for call in outcome.calls):
        return 0.0
    return outcome.cost(answered.n_steps, [float(model.is_on_gpu) for model in models])


def _cost_of(
    job: Job, outcome: Outcome, answered: Answered, cost_ms: float, best_ms: float
) -> tuple[float, float]:
    """What an item cost, and saved against the most accurate model, in the policy's objective."""
    plans, view, group = job.edition.plans, job.view, job.group
    objective = job.route.routing.objective
    if objective is Objective.CPU_TIME:
        return cost_ms, best_ms - cost_ms
    best = view.always_best(len(group.items))
    if objective is not Objective.MEMORY:
        per_ms = [model.cost_per_ms(objective) for model in plans.models]
        cost = outcome.cost(answered.n_steps, per_ms)
        return cost, best_ms * per_ms[job.route.plans[best].steps[0].model] - cost
    memory = view.cost_of(group.plan, 1)
    return memory, view.cost_of(best, 1) - memory


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
