"""Devices get answers here while Kafka is away, from the worker's own pipeline.

Inputs and answers are stored, and go to Kafka later: an input to a topic that no worker reads, so
that it is answered once.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topics import answered_topic, predictions_topic, requests_topic

from ounce_edge.gateway.arrivals import Arrived, KafkaRecord
from ounce_edge.gateway.forwarder import Forwarder
from ounce_edge.wire.records import Headers
from ounce_edge.worker.local import LocalResult, LocalWorker

logger = logging.getLogger(__name__)

Asked = tuple[KafkaRecord, Arrived]


class LocalServing:
    """Answers requests of some tasks.

    Args:
        models: folder that `ounce train` writes.
        tasks: to answer.
        policy: a routing policy's file; None: the built-in policy.
        forwarder: takes inputs and answers.
        publish: takes the body and headers of each answer or dead letter, for the device.

    Raises:
        OunceError: models or policy can't be used.
    """

    def __init__(
        self,
        models: Path,
        tasks: Sequence[str],
        policy: Path | None,
        forwarder: Forwarder,
        publish: Callable[[bytes | None, Headers], object],
    ) -> None:
        # A request without an id is called by its offset: no start may use those of another one.
        first = time.time_ns() // 1000
        self._workers = {
            requests_topic(task): (
                task,
                LocalWorker(models, task, policy, first, explains_later=True),
            )
            for task in tasks
        }
        self._forwarder = forwarder
        self._publish = publish

    def serves(self, topic: str) -> bool:
        """Whether requests of a topic can be answered here."""
        return topic in self._workers

    def answer(self, asked: Sequence[Asked]) -> int:
        """Answer requests, all of tasks that are served; how many were."""
        n_answered = 0
        for topic, (task, worker) in self._workers.items():
            own = [one for one in asked if one[0].topic == topic]
            if own:
                n_answered += self._answer(task, worker, own)
        return n_answered

    def _answer(self, task: str, worker: LocalWorker, asked: Sequence[Asked]) -> int:
        try:
            results = worker.serve([(r.key, r.value, r.headers, r.timestamp_ms) for r, _ in asked])
        except Exception:  # a fault of ours: the far end answers these, and devices wait
            logger.exception("%d requests of %s are not answered here", len(asked), task)
            for record, arrived in asked:
                self._forwarder.take(record, arrived)
            return 0
        first = min((result.request.offset() or 0 for result in results), default=0)
        for result in results:
            record, arrived = asked[(result.request.offset() or 0) - first]
            self._publish(result.value, result.headers)
            if result.topic == predictions_topic(task):
                answered = record._replace(topic=answered_topic(task))
                self._forwarder.take(_without_reply(answered), arrived, must_store=True)
                arrived_with_answer = None
            else:
                arrived_with_answer = arrived  # the letter holds its input
            self._forwarder.take(_as_record(record, result), arrived_with_answer, must_store=True)
        return len(results)


def _as_record(asked: KafkaRecord, result: LocalResult) -> KafkaRecord:
    """An answer as a worker would publish it, at this time."""
    found = KafkaRecord(
        result.topic, asked.key, result.value, [*result.headers], round(time.time() * 1e3)
    )
    return _without_reply(found)


def _without_reply(record: KafkaRecord) -> KafkaRecord:
    """Its device was answered: nobody shall answer it again."""
    return record._replace(headers=[h for h in record.headers if h[0] != HEADER_REPLY])
