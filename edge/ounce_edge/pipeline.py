"""decode -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.dead_letter import (
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_TEXT,
    HEADER_TIMESTAMP,
    HEADER_TOPIC,
)
from ounce_schemas.errors import InvalidMessageError, PolicyError, Reason
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.routing import Choice, Fallback
from ounce_schemas.topics import dead_letters_topic, predictions_topic

from ounce_edge.beliefs import measured_belief
from ounce_edge.catalogue import Ladder, ServedModel
from ounce_edge.decoding import Batch, Decoder, take
from ounce_edge.encoding import Encoder, GroupAnswer
from ounce_edge.recommender.decision import Group, decide
from ounce_edge.recommender.explanation import rejections
from ounce_edge.recommender.latency import LatencyBelief
from ounce_edge.recommender.plans import Plan, Plans
from ounce_edge.records import Columns, Publish, Record
from ounce_edge.repeats import RecentIds

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GroupReport:
    """What one call did, for metrics."""

    task: str
    model: str
    choice: Choice
    n: int
    run_ms: float
    always_best_ms: float
    """What the most accurate model would have taken, as believed at the same batch size."""
    latency_ms: NDArray[np.float64]
    """Timestamp to encoding, per message."""
    deadline_misses: int
    floor_misses: int


@dataclass(frozen=True)
class BatchReport:
    """What became of a task's records of one poll."""

    task: str
    groups: Sequence[GroupReport]
    waited_ms: NDArray[np.float64]
    """Timestamp to the start of decoding, per valid message."""
    decide_ms: float
    repeats: int
    rejected: Sequence[Reason]
    next_offsets: Mapping[int, int]
    """By partition, the offset that a successor goes on at."""


class Pipeline:
    """Serves one task.

    Args:
        ladder: the task and its verified models.
        policy: the rules for this task.
        clock: seconds since 1970; deadlines count from record timestamps on this clock.
        believe: gives the first belief of a model's latency.

    Raises:
        PolicyError: the policy permits none of the ladder's models, or names one it lacks.
    """

    def __init__(
        self,
        ladder: Ladder,
        policy: EffectivePolicy,
        clock: Callable[[], float] = time.time,
        believe: Callable[[ServedModel], LatencyBelief] = measured_belief,
    ) -> None:
        self.task = ladder.task
        self.ladder = ladder
        self._policy = policy
        self._clock = clock
        self._models = _permitted(ladder, policy)
        self.plans = Plans([_plan(model, believe(model)) for model in self._models])
        self._decoder = Decoder(ladder.task, policy)
        self._encoder = Encoder(ladder.task, policy.version, ladder.version)
        self._recent_ids = RecentIds()
        self._predictions = predictions_topic(ladder.task.name)
        self._dead_letters = dead_letters_topic(ladder.task.name)

    def process(self, records: Sequence[Record], publish: Publish) -> BatchReport:
        """Answer records of this task's requests topic.

        Every record leads to exactly one published record: a prediction or a dead letter.
        """
        now_ms = self._clock() * 1e3
        columns = Columns.of(records)
        batch = self._decoder.decode(columns, now_ms)
        rejected = list(batch.rejected)
        groups: list[GroupReport] = []
        decide_ms = 0.0
        repeats: set[int] = set()
        if len(batch):
            if any(batch.identities):
                repeats = self._recent_ids.repeats(batch.identities)
            start = time.perf_counter()
            self.plans.refresh(start)
            schedule = decide(
                self.plans,
                batch.timestamps_ms + batch.max_latency_ms - self._clock() * 1e3,
                batch.min_accuracy,
                self._policy.fallback,
            )
            decide_ms = (time.perf_counter() - start) * 1e3
            for group in schedule.groups:
                report, failed = self._answer(batch, group, schedule.by_cost, repeats, publish)
                groups += report
                rejected += failed
            rejected += [
                (
                    batch.records[i],
                    InvalidMessageError(
                        Reason.REFUSED,
                        f"no permitted model meets {batch.max_latency_ms[i]:g} ms and accuracy "
                        f"{batch.min_accuracy[i]:g}, and the policy's fallback is "
                        f"{Fallback.REFUSE}; loosen a target or the policy",
                    ),
                )
                for i in schedule.refused.tolist()
            ]
        for record, error in rejected:
            self._publish_dead_letter(record, error, publish)
        return BatchReport(
            task=self.task.name,
            groups=groups,
            waited_ms=now_ms - batch.timestamps_ms,
            decide_ms=decide_ms,
            repeats=len(repeats),
            rejected=[error.reason for _, error in rejected],
            next_offsets=columns.next_offsets(),
        )

    def _answer(
        self,
        batch: Batch,
        group: Group,
        by_cost: Sequence[int],
        repeats: set[int],
        publish: Publish,
    ) -> tuple[list[GroupReport], list[tuple[Record, InvalidMessageError]]]:
        """Run one group and publish its predictions; if the model fails, its records are given
        back with the reason."""
        model, plan = self._models[group.plan], self.plans[group.plan]
        n = len(group.items)
        whole = n == len(batch)
        start = time.perf_counter()
        try:
            result = model.loaded.run(
                batch.inputs if whole else {k: a[group.items] for k, a in batch.inputs.items()}
            )
            failure = None if np.isfinite(result).all() else "answered values that are not finite"
        except Exception as e:  # whatever a runtime raises costs this group, not the worker
            failure = " ".join(str(e).split())
        end = time.perf_counter()
        if failure is not None:
            logger.error("model failed task=%s model=%s: %s", self.task.name, plan.name, failure)
            error = InvalidMessageError(
                Reason.MODEL_FAILED, f"model {plan.name} {failure}; replay this record later"
            )
            return [], [(batch.records[i], error) for i in group.items.tolist()]
        run_ms = (end - start) * 1e3
        plan.latency.observe(n, run_ms, end)
        always_best_ms = self._always_best_ms(group.plan, n, run_ms)
        latency_ms = self._clock() * 1e3 - batch.timestamps_ms[group.items]
        answer = GroupAnswer(
            model_name=model.card.model,
            model_version=model.card.version,
            plan=plan.name,
            choice=group.choice,
            items=group.items,
            result=result,
            expected_accuracy=plan.accuracy,
            accuracy_low=plan.accuracy_low,
            cost_ms=run_ms / n,
            saved_ms=(always_best_ms - run_ms) / n,
            rejected=partial(rejections, self.plans, by_cost, group.plan, group.choice),
        )
        bodies = self._encoder.bodies(batch, answer, latency_ms, repeats)
        publish(
            self._predictions,
            bodies,
            take(batch.keys, group.items),
            self._encoder.headers(batch, group.items),
            batch.partitions[group.items].tolist(),
        )
        report = GroupReport(
            task=self.task.name,
            model=plan.name,
            choice=group.choice,
            n=n,
            run_ms=run_ms,
            always_best_ms=always_best_ms,
            latency_ms=latency_ms,
            deadline_misses=int((latency_ms > batch.max_latency_ms[group.items]).sum()),
            floor_misses=int((plan.accuracy_low < batch.min_accuracy[group.items]).sum()),
        )
        return [report], []

    def _always_best_ms(self, plan: int, n: int, run_ms: float) -> float:
        """What the most accurate model would have taken for `n` items that `plan` took `run_ms`.

        A call in service takes longer than the same call in a profile's tight loop, most of it a
        fixed time for cold caches. Where the most accurate model was not run lately, the excess of
        the one that ran is added to its profile: an estimate that does not flatter the saving.
        """
        most_accurate = self.plans.most_accurate(n)
        if plan == most_accurate:
            return run_ms
        best = self.plans[most_accurate].latency
        excess_ms = best.excess_ms(n)
        if excess_ms is None:
            excess_ms = max(self.plans[plan].latency.excess_ms(n) or 0.0, 0.0)
        return float(best.profile_ms(n)) + excess_ms

    def _publish_dead_letter(
        self, record: Record, error: InvalidMessageError, publish: Publish
    ) -> None:
        kind, timestamp_ms = record.timestamp()
        why = {
            HEADER_REASON: str(error.reason),
            HEADER_TEXT: error.text,
            HEADER_TOPIC: str(record.topic()),
            HEADER_PARTITION: str(record.partition()),
            HEADER_OFFSET: str(record.offset()),
            HEADER_TIMESTAMP: str(timestamp_ms if kind else -1),
        }
        headers = [*(record.headers() or ()), *((k, v.encode()) for k, v in why.items())]
        publish(self._dead_letters, [record.value()], [record.key()], [headers], None)


def _permitted(ladder: Ladder, policy: EffectivePolicy) -> list[ServedModel]:
    names = {m.card.model for m in ladder.models}
    refused = {line.split(":", 1)[0] for line in ladder.refused}
    unknown = (set(policy.allow or ()) | set(policy.deny)) - names - refused
    if unknown:
        raise PolicyError(
            f"policy {policy.version}: task {ladder.task.name} has no model {sorted(unknown)}; "
            f"it has {sorted(names)}"
        )
    permitted = [m for m in ladder.models if policy.permits(m.card.model)]
    if not permitted:
        raise PolicyError(
            f"policy {policy.version}: permits none of the models of task {ladder.task.name} "
            f"that can serve: {sorted(names)}"
        )
    return permitted


def _plan(model: ServedModel, latency: LatencyBelief) -> Plan:
    card = model.card
    return Plan(
        name=card.model,
        accuracy=card.validation_accuracy.value,
        accuracy_low=card.validation_accuracy.low,
        size_bytes=card.size_bytes,
        latency=latency,
    )
