"""The consumer's side of a worker: partitions come and go, and offsets of theirs are committed.

All of it runs on the consumer's thread, between or within its polls, as `consumption` demands;
only `forget` does not.
"""

import logging
import time
from collections.abc import Callable, Mapping

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from ounce_schemas.errors import OunceError

from ounce_edge.broker.base import Delivery
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.serving import Serving

logger = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.1
"""At most so often: each commit is a write of the broker, and at low rates nearly every poll would
make one. What was answered meanwhile is answered again after a crash."""
_LAG_EVERY_S = 1.0
_REWIND_S = 10.0


class Partitions:
    """The partitions that are ours: what is read of them, and what is committed.

    At least once, what the broker holds all answers to is committed here; exactly-once it is
    committed with the answers, and after an abort read again.

    Args:
        serving: answers what is read.
        delivery: that of `serving`; knows what may be committed.
        metrics: shows the lag.
        health: is told of partitions, lag, and progress.
        fail: called with an error that ends the worker.
    """

    def __init__(
        self,
        serving: Serving,
        delivery: Delivery,
        metrics: Metrics,
        health: Health,
        fail: Callable[[OunceError], None],
    ) -> None:
        self._serving = serving
        self._delivery = delivery
        self._metrics = metrics
        self._health = health
        self._fail = fail
        self._assigned: set[tuple[str, int]] = set()
        self._committing: list[TopicPartition] = []
        """What the commit that is not answered yet is of."""
        self._commit_due_s = self._lag_due_s = 0.0
        self.positions: Mapping[tuple[str, int], int] = {}
        """Next offset to read, of the assigned partitions, as of the last look at the lag."""

    def tend(self, consumer: Consumer) -> None:
        """Between two polls: now and then commit, and look at the lag."""
        now_s = time.monotonic()
        self._delivery.follow(consumer)
        if self._delivery.is_aborted:
            self._rewind(consumer)
        elif not self._committing and now_s >= self._commit_due_s:
            self._start_commit(consumer, now_s)
        if now_s >= self._lag_due_s:
            self._lag_due_s = now_s + _LAG_EVERY_S
            lag = self._lag(consumer)
            self._health.lag = sum(lag.values())
            self._metrics.set_lag(lag)
            self._serving.tell()

    def on_commit(self, was_refused: bool) -> None:
        """A commit is answered. Amid a rebalance they are refused, of partitions that stay, too."""
        if was_refused:
            self._give_back(self._committing)
        self._committing = []

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """These are ours now, too."""
        self._delivery.follow(consumer)  # the generation is another one now
        self._assigned |= {_place(at) for at in partitions}
        self._health.partitions = len(self._assigned)
        self._health.progressed()
        logger.info("assigned partitions=%s", _show(partitions))

    def on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The next owner starts at the committed offset: commit all that was answered first."""
        offsets: list[TopicPartition] = []
        try:
            self._serving.finish()
            self._serving.drop(partitions)
            offsets = self._owned(self._delivery.take_acknowledged())
            if offsets:
                consumer.commit(offsets=offsets, asynchronous=False)
        except OunceError as e:
            self._fail(e)
        except KafkaException as e:
            self._give_back(offsets)
            logger.warning("offsets not committed, their new owner repeats: %s", e.args[0].str())
        self._give_up(partitions, "revoked")

    def on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Others own them already, and nothing of them can be committed."""
        self._serving.drop(partitions)
        self._give_up(partitions, "lost")

    def forget(self) -> None:
        """The consumer was stopped: none is ours."""
        self._assigned.clear()

    def _start_commit(self, consumer: Consumer, now_s: float) -> None:
        """One at a time: more would queue up at the broker, without end."""
        offsets = self._owned(self._delivery.take_acknowledged())
        if offsets:
            try:
                consumer.commit(offsets=offsets, asynchronous=True)
                self._committing, self._commit_due_s = offsets, now_s + COMMIT_EVERY_S
            except KafkaException as e:
                self._give_back(offsets)
                logger.warning("offsets not committed: %s", e.args[0].str())

    def _owned(self, offsets: list[TopicPartition]) -> list[TopicPartition]:
        """Those of partitions that are still ours: others' are for their owners to commit."""
        return [at for at in offsets if _place(at) in self._assigned]

    def _give_back(self, offsets: list[TopicPartition]) -> None:
        """Commit them again, as far as their partitions are ours then."""
        if offsets:
            self._delivery.give_back(offsets)

    def _give_up(self, partitions: list[TopicPartition], how: str) -> None:
        gone = {_place(at) for at in partitions}
        self._assigned -= gone
        # They may come back, when others have committed later offsets.
        self._delivery.disown(partitions)
        self._committing = [at for at in self._committing if _place(at) not in gone]
        self._health.partitions = len(self._assigned)
        logger.info("%s partitions=%s", how, _show(partitions))

    def _rewind(self, consumer: Consumer) -> None:
        """After an abort: read again from the committed offsets."""
        assigned = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        try:
            if not self._delivery.wait(_REWIND_S):
                return
            committed = consumer.committed(assigned, timeout=_REWIND_S) if assigned else []
            for at in committed:
                if at.error is not None:  # not told is not the same as nothing committed
                    raise KafkaException(at.error)
            for at in committed:
                if at.offset < 0:
                    at.offset = OFFSET_BEGINNING
                consumer.seek(at)
        except OunceError as e:
            self._fail(e)
        except KafkaException as e:  # what is read meanwhile is not answered
            logger.warning("can't go back to the committed offsets yet: %s", e.args[0].str())
        else:
            self._serving.start_over()
            self._delivery.start_over()

    def _lag(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        """By task and partition, records between our position and the end, as of the last fetch: no
        request is made."""
        lag = {}
        positions = {}
        asked = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        for at in consumer.position(asked):
            marks = consumer.get_watermark_offsets(at, cached=True)
            if marks is None or marks[1] < 0:
                continue
            position = at.offset if at.offset >= 0 else max(marks[0], 0)
            positions[at.topic, at.partition] = position
            lag[self._serving.tasks[at.topic], at.partition] = max(marks[1] - position, 0)
        self.positions = positions
        return lag


def _place(at: TopicPartition) -> tuple[str, int]:
    return at.topic, at.partition


def _show(partitions: list[TopicPartition]) -> str:
    return ",".join(f"{p.topic}[{p.partition}]" for p in partitions) or "none"
