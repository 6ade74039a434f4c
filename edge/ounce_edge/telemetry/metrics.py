"""What a worker tells Prometheus. The README lists every metric; label sets are bounded by tasks,
models, partitions and closed sets of reasons."""

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.event import EventKind
from ounce_schemas.label import LabelOutcome
from ounce_schemas.policy import Policy
from ounce_schemas.routing import Choice
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import GroupReport, Report

# A second series for each counter, which nobody here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

LATENCY_BUCKETS_S = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class BulkHistogram(Collector):
    """A histogram that takes a whole array at once; prometheus-client's takes single values, at a
    cost per message that would be the largest in the worker."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label_names = list(label_names)
        self._upper: NDArray[np.float64] = np.array([*buckets, np.inf])
        self._units = np.eye(len(self._upper), dtype=np.int64)
        """Counts of one value, by its bucket."""
        self._bounds = [*(str(float(b)) for b in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], tuple[NDArray[np.int64], float]] = {}
        registry.register(self)

    def observe(self, labels: tuple[str, ...], values: NDArray[np.float64]) -> None:
        """Add values of shape (n,) to one series."""
        if len(values) == 1:
            self.observe_one(labels, float(values[0]))
            return
        positions = self._upper.searchsorted(values)
        self._add(labels, np.bincount(positions, minlength=len(self._upper)), float(values.sum()))

    def observe_one(self, labels: tuple[str, ...], value: float) -> None:
        """Add one value to one series."""
        self._add(labels, self._units[bisect_left(self._upper, value)], value)

    def _add(self, labels: tuple[str, ...], counts: NDArray[np.int64], total: float) -> None:
        before, total_before = self._series.get(labels, (0, 0.0))
        self._series[labels] = (before + counts, total_before + total)

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The family without samples: the registry then need not collect to register."""
        yield self._family()

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The family with its samples."""
        family = self._family()
        for labels, (counts, total) in list(self._series.items()):
            cumulative = np.cumsum(counts).tolist()
            family.add_metric(labels, list(zip(self._bounds, cumulative, strict=True)), total)
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._label_names)


class Metrics:
    """All metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[Counter | Gauge | str, ...], Counter | Gauge] = {}
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        r = self.registry
        self._messages = Counter(
            "ounce_messages",
            "Records served, by outcome: answered, fallback or dead-letter",
            ["task", "model", "outcome"],
            registry=r,
        )
        self._deadline_misses = Counter(
            "ounce_deadline_misses", "Predictions encoded after their deadline", ["task", "model"],
            registry=r,
        )  # fmt: skip
        self._floor_misses = Counter(
            "ounce_floor_misses",
            "Predictions by a model whose accuracy is under the message's floor",
            ["task", "model"],
            registry=r,
        )
        self._fallbacks = Counter(
            "ounce_fallbacks", "Predictions by a fallback", ["task", "fallback"], registry=r
        )
        self._dead_letters = Counter(
            "ounce_dead_letters", "Records that could not be served", ["task", "reason"], registry=r
        )
        self._duplicates = Counter(
            "ounce_duplicates", "Requests whose id was answered lately", ["task"], registry=r
        )
        self._labels = Counter(
            "ounce_labels",
            "Labels read, by outcome: joined, unknown, repeated, invalid, undecodable or dropped",
            ["task", "outcome"],
            registry=r,
        )
        self._events = Counter(
            "ounce_events", "Events told to people", ["task", "kind"], registry=r
        )
        self._compute = Counter(
            "ounce_compute_seconds", "Time spent running models", ["task", "model"], registry=r
        )
        self._always_best = Counter(
            "ounce_compute_always_best_seconds",
            "Time that the most accurate model would have taken for the same messages",
            ["task"],
            registry=r,
        )
        self._plans = Counter(
            "ounce_plan_messages",
            "Predictions by plan, which may be a cascade, and by the reason for it",
            ["task", "plan", "reason"],
            registry=r,
        )
        self._escalations = Counter(
            "ounce_escalations",
            "Requests that went on to a further step of a cascade, once for each",
            ["task"],
            registry=r,
        )
        self._regret = Counter(
            "ounce_exploration_regret",
            "Wrong answers over what floors permit, expected of exploration",
            ["task"],
            registry=r,
        )
        self._cost = Counter(
            "ounce_cost",
            "Cost of predictions, in the unit of the policy's objective",
            ["task"],
            registry=r,
        )
        self._cost_saved = Gauge(
            "ounce_cost_saved",
            "Cost of the most accurate model less cost, in the unit of the policy's objective",
            ["task"],
            registry=r,
        )
        self._decision = Counter(
            "ounce_decision_seconds", "Processor time spent choosing models", ["task"], registry=r
        )
        self._saved = Gauge(
            "ounce_compute_saved_seconds",
            "Always-best compute less compute spent, since the worker started",
            ["task"],
            registry=r,
        )
        self._lag = Gauge(
            "ounce_consumer_lag", "Records not yet read", ["task", "partition"], registry=r
        )
        self._memory = Gauge(
            "ounce_model_memory_bytes", "Resident memory that a model added when loaded",
            ["task", "model"], registry=r,
        )  # fmt: skip
        self._expected_accuracy = Gauge(
            "ounce_plan_expected_accuracy", "Accuracy that is believed of a plan, in [0, 1]",
            ["task", "plan"], registry=r,
        )  # fmt: skip
        self._accuracy_low = Gauge(
            "ounce_plan_accuracy_low", "Lower bound of it, which floors are held against",
            ["task", "plan"], registry=r,
        )  # fmt: skip
        self._highest_floor = Gauge(
            "ounce_highest_floor", "Greatest accuracy floor that a plan in service meets",
            ["task"], registry=r,
        )  # fmt: skip
        self._suspended = Gauge(
            "ounce_model_suspended", "1 while a model is out of the plans, else 0",
            ["task", "model"], registry=r,
        )  # fmt: skip
        self._pauses = Counter(
            "ounce_pauses",
            "Times that no more was taken for a while: too many requests waited",
            registry=r,
        )
        self._waiting = Gauge(
            "ounce_waiting_requests", "Requests taken and not yet answered", ["task"], registry=r
        )
        self._overloaded = Gauge(
            "ounce_overloaded", "1 while late requests pile up, else 0", ["task"], registry=r
        )
        self._refused = Gauge(
            "ounce_models_refused", "Models refused at start-up", ["task"], registry=r
        )
        self._policy = Gauge(
            "ounce_policy_info", "1 for the policy in force", ["version"], registry=r
        )
        self._catalogue = Gauge(
            "ounce_catalogue_info", "1 for the models in force", ["task", "version"], registry=r
        )
        self._end_to_end = BulkHistogram(
            "ounce_end_to_end_latency_seconds",
            "Record timestamp to encoded prediction",
            ["task"],
            LATENCY_BUCKETS_S,
            r,
        )
        self._service = BulkHistogram(
            "ounce_service_latency_seconds",
            "One model call",
            ["task", "model"],
            LATENCY_BUCKETS_S,
            r,
        )
        self._queue_wait = BulkHistogram(
            "ounce_queue_wait_seconds",
            "Record timestamp to the start of its processing",
            ["task"],
            LATENCY_BUCKETS_S,
            r,
        )
        self._batch_size = BulkHistogram(
            "ounce_batch_size",
            "Messages of one model call",
            ["task", "model"],
            BATCH_SIZE_BUCKETS,
            r,
        )

    def describe(self, policy: Policy, pipelines: Iterable[Pipeline]) -> None:
        """Publish what is in force, and every series that can be known before it counts: a rate
        over a series that appears only with its first event misses that event."""
        self._policy.labels(policy.version).set(1)
        for pipeline in pipelines:
            task = pipeline.task.name
            self._refused.labels(task).set(len(pipeline.ladder.refused))
            self._catalogue.labels(task, pipeline.ladder.version).set(1)
            for per_task in (
                self._duplicates,
                self._always_best,
                self._decision,
                self._saved,
                self._escalations,
                self._regret,
                self._cost,
                self._cost_saved,
            ):
                per_task.labels(task)
            self.believe(pipeline)
            for outcome in LabelOutcome:
                self._labels.labels(task, outcome)
            for kind in EventKind:
                self._events.labels(task, kind)
            for served in pipeline.ladder.models:
                model = served.card.model
                self._memory.labels(task, model).set(served.memory_bytes)
                self._messages.labels(task, model, "answered")
                for per_model in (self._deadline_misses, self._floor_misses, self._compute):
                    per_model.labels(task, model)

    def observe(self, report: Report) -> None:
        """Count one batch."""
        task = report.task
        if len(report.waited_ms):
            self._queue_wait.observe((task,), report.waited_ms / 1e3)
            self._add(self._decision, report.decide_ms / 1e3, task)
        if report.repeats:
            self._add(self._duplicates, report.repeats, task)
        for reason in report.rejected:
            self._add(self._dead_letters, 1, task, reason)
            self._add(self._messages, 1, task, "none", "dead-letter")
        if report.escalated:
            self._add(self._escalations, report.escalated, task)
        for call in report.calls:
            self._service.observe_one((task, call.model), call.run_ms / 1e3)
            self._batch_size.observe_one((task, call.model), call.n)
            self._add(self._compute, call.run_ms / 1e3, task, call.model)
        for group in report.groups:
            self._observe_group(task, group)

    def _observe_group(self, task: str, group: GroupReport) -> None:
        model = group.model
        outcome = "fallback" if group.choice.is_fallback else "answered"
        self._add(self._messages, group.n, task, model, outcome)
        if group.choice.is_fallback:
            self._add(self._fallbacks, group.n, task, group.choice.removeprefix("fallback-"))
        if group.deadline_misses:
            self._add(self._deadline_misses, group.deadline_misses, task, model)
        if group.floor_misses:
            self._add(self._floor_misses, group.floor_misses, task, model)
        self._add(self._plans, group.n, task, group.plan, group.choice)
        if group.choice is Choice.EXPLORATION:
            self._add(self._regret, group.regret, task)
        self._add(self._cost, group.cost, task)
        self._add(self._cost_saved, group.saved, task)
        self._add(self._always_best, group.always_best_ms / 1e3, task)
        self._add(self._saved, (group.always_best_ms - group.run_ms) / 1e3, task)
        self._end_to_end.observe((task,), group.latency_ms / 1e3)

    def _add(self, metric: Counter | Gauge, amount: float, *labels: str) -> None:
        """Count. A series is looked up once: prometheus-client checks the labels and takes a lock
        each time, which for batches of one message adds up."""
        key = (metric, *labels)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = metric.labels(*labels)
        series.inc(amount)

    def observe_labels(self, task: str, outcomes: Mapping[LabelOutcome, int]) -> None:
        """Count labels of a task by what became of them."""
        for outcome, count in outcomes.items():
            self._labels.labels(task, outcome).inc(count)

    def observe_event(self, task: str, kind: EventKind) -> None:
        """Count one event."""
        self._events.labels(task, kind).inc()

    def believe(self, pipeline: Pipeline) -> None:
        """What is believed now of the plans, and how many requests wait."""
        task, plans = pipeline.task.name, pipeline.plans
        now_s = time.perf_counter()
        view = plans.view(now_s)
        for name, value, low in zip(view.names, view.accuracy, view.accuracy_low, strict=True):
            self._expected_accuracy.labels(task, name).set(value)
            self._accuracy_low.labels(task, name).set(low)
        self._highest_floor.labels(task).set(view.highest_floor)
        for model in plans.models:
            self._suspended.labels(task, model.name).set(model.suspension.is_open(now_s))
        self._waiting.labels(task).set(pipeline.n_open)
        self._overloaded.labels(task).set(pipeline.overload_lasts)

    def count_pause(self) -> None:
        """No more is taken for a while."""
        self._pauses.inc()

    def set_lag(self, lag: dict[tuple[str, int], int]) -> None:
        """Replace the lag of all partitions: those no longer assigned disappear."""
        self._lag.clear()
        for (task, partition), records in lag.items():
            self._lag.labels(task, str(partition)).set(records)
