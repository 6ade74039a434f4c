"""Counting what became of requests, once the broker has their answers."""

import threading
from collections.abc import Mapping, Sequence

from ounce_schemas.event import EventKind

from ounce_edge.broker.delivery.refusals import Refused
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.tenants import tenant_of
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tracing import Tracing
from ounce_edge.telemetry.trial_counts import TrialCounts


class Tally:
    """Counts confirmed batches, and tells of answers that the broker refused.

    Args:
        tasks: names of the tasks, by the topic of their requests.
        metrics: counts.
        events: is told.
        trial_counts: counts by version of the policy.
        tracing: makes traces; None: there are none.
    """

    def __init__(
        self,
        tasks: Mapping[str, str],
        metrics: Metrics,
        events: Events,
        trial_counts: TrialCounts,
        tracing: Tracing | None = None,
    ) -> None:
        self._tasks = tasks
        self._metrics = metrics
        self._events = events
        self._trial_counts = trial_counts
        self._tracing = tracing
        self._lock = threading.Lock()

    def count(self, reports: Sequence[Report], refused: Sequence[Refused]) -> None:
        """Count a batch that the broker holds; on any thread."""
        with self._lock:
            for report in reports:
                self._metrics.observe(report)
                self._trial_counts.observe(report)
                if self._tracing is not None:
                    self._tracing.observe(report)
            for of_one in refused:
                self._count_refused(of_one)

    def _count_refused(self, refused: Refused) -> None:
        request = refused.request
        task = self._tasks[str(request.topic())]
        self._metrics.observe_refused(task, refused.has_letter, tenant_of(request.headers()))
        place = f"{request.topic()}[{request.partition()}] at {request.offset()}"
        what = (
            "became a dead letter" if refused.has_letter else "is set aside, nothing is published"
        )
        self._events.tell(
            EventKind.ANSWER_REFUSED, task, "requests", f"{place} {what}: {refused.why}"
        )
