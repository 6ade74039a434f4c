"""Counts what a worker did, and shows what it believes, on `/metrics`."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from ounce_schemas import __version__
from ounce_schemas.canary import Criterion
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.label import LabelOutcome
from ounce_schemas.routing import Choice

from ounce_edge.broker.delivery.transaction_failures import AbortCause
from ounce_edge.models.catalogue import Ladder
from ounce_edge.pipeline.reports import GroupReport, Report
from ounce_edge.pipeline.snapshot import Snapshot
from ounce_edge.telemetry.group_series import GroupSeries, group_series
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.instruments import Instruments
from ounce_edge.telemetry.ladder_series import LadderSeries
from ounce_edge.telemetry.process_registry import process_registry
from ounce_edge.telemetry.tenant_counts import TenantCounts
from ounce_edge.telemetry.trace_sender import TRACE_OUTCOMES


class Metrics:
    """All metrics of one worker, in a registry of their own.

    Args:
        tenants: those that have series of their own; none: the first that are seen.
    """

    def __init__(self, tenants: Collection[str] = ()) -> None:
        self.registry = process_registry()
        self._to = Instruments(self.registry)
        self._tenants = TenantCounts(self._to, tenants)
        self.ladders = LadderSeries(self._to, self._tenants)
        """What is shown of the models that serve."""
        self._of_groups: dict[tuple[str, str, str, Choice], GroupSeries] = {}
        self._to.build.labels(__version__).set(1)
        for cause in AbortCause:
            self._to.aborted.labels(cause)
        for outcome in TRACE_OUTCOMES:
            self._to.traced.labels(outcome)

    def watch(self, health: Health) -> None:
        """Show what the probes answer, asked at each scrape."""
        self._to.ready.set_function(lambda: health.ready()[0])
        self._to.healthy.set_function(lambda: health.healthy()[0])

    def describe(self, policy_version: str, ladders: Iterable[Ladder]) -> None:
        """Publish what is in force, and every series that can be known before it counts. A rate
        over a series misses the event with which the series appears."""
        self._to.policy.labels(policy_version).set(1)
        for ladder in ladders:
            self.ladders.describe(ladder)

    def show_policy(self, version: str) -> None:
        """Another policy is in force."""
        self._to.policy.replace({(version,): 1})

    def exemplify(self, task: str, latency_ms: float, trace_id: str) -> None:
        """Name the trace of an answer that was counted."""
        self._to.end_to_end.exemplify((task,), latency_ms / 1e3, trace_id, time.time())

    def count_abort(self, cause: AbortCause) -> None:
        """Count a transaction that was aborted; on any thread."""
        self._to.aborted.labels(cause).inc()

    def show_certificates(self, expiry_s: Mapping[str, float]) -> None:
        """Show when certificates expire, by the setting that names them; seconds since 1970."""
        for name, at_s in expiry_s.items():
            self._to.certificates.labels(name).set(at_s)

    def count_traced(self, outcome: str, n: int) -> None:
        """Count messages that were to be traced; on any thread."""
        self._to.traced.labels(outcome).inc(n)

    def show_policy_stale(self, is_stale: bool) -> None:
        """Whether the policy in force may be another one than the latest."""
        self._to.policy_stale.set(is_stale)

    def count_passed_over(self, topic: str) -> Callable[[], None]:
        """Counts records of a topic of settings that can't be used; on any thread."""
        return self._to.passed_over.labels(topic).inc

    def show_canary(self, evidence: Mapping[tuple[str, Criterion], float]) -> None:
        """Show what was seen of a policy on trial.

        Args:
            evidence: by task and criterion, as a share of what stops it; empty: there is none.
        """
        self._to.canary_evidence.replace({(t, str(c)): share for (t, c), share in evidence.items()})

    def count_shadow(self, task: str, outcome: str, n: int) -> None:
        """Count messages that a shadow answered, or did not."""
        self._to.shadow.labels(task, outcome).inc(n)

    def observe(self, report: Report) -> None:
        """Count what became of some requests, once the broker has their answers."""
        task = report.task
        if len(report.waited_ms):
            self._to.queue_wait.observe((task,), report.waited_ms / 1e3)
        if report.decide_ms:
            self._to.decision.labels(task).inc(report.decide_ms / 1e3)
        if report.repeats:
            self._to.duplicates.labels(task).inc(report.repeats)
        if report.timestamps_off:
            self._to.timestamps_off.labels(task).inc(report.timestamps_off)
        if report.unknown_text:
            self._to.unknown_text.labels(task).inc(report.unknown_text)
        if report.unseen_missing:
            self._to.unseen_missing.labels(task).inc(report.unseen_missing)
        for outcome, n in report.explanations.items():
            self._to.explanations.labels(task, outcome).inc(n)
        for reason in report.rejected:
            self._to.dead_letters.labels(task, reason).inc()
            self._to.messages.labels(task, "none", "dead-letter").inc()
        for tenant in report.tenants_rejected:
            self._tenants.count_dead_letter(task, tenant)
        if report.escalated:
            self._to.escalations.labels(task).inc(report.escalated)
        for call in report.calls:
            self._to.service.observe_one((task, call.model), call.run_ms / 1e3)
            self._to.batch_size.observe_one((task, call.model), call.n)
            self._to.compute.labels(task, call.model).inc(call.run_ms / 1e3)
            if call.is_on_gpu:
                self._to.compute_gpu.labels(task).inc(call.run_ms / 1e3)
        for group in report.groups:
            self._observe_group(task, group)

    def _observe_group(self, task: str, group: GroupReport) -> None:
        n, to = group.n - len(group.refused), self._series_of(task, group)
        to.messages.inc(n)
        to.plans.inc(n)
        if to.fallbacks is not None:
            to.fallbacks.inc(n)
        if group.deadline_misses:
            to.deadline_misses.inc(group.deadline_misses)
        if group.floor_misses:
            to.floor_misses.inc(group.floor_misses)
        if group.choice is Choice.EXPLORATION:
            self._to.regret.labels(task).inc(group.regret)
        to.cost.inc(group.cost)
        to.cost_saved.inc(group.saved)
        to.always_best.inc(group.always_best_ms / 1e3)
        to.saved.inc((group.always_best_ms - group.run_ms) / 1e3)
        self._tenants.count(task, group)
        self._to.end_to_end.observe((task,), group.latency_ms / 1e3)

    def _series_of(self, task: str, group: GroupReport) -> GroupSeries:
        """What a group is counted in; looked up once, since groups of one message are many."""
        key = (task, group.model, group.plan, group.choice)
        series = self._of_groups.get(key)
        if series is None:
            series = self._of_groups[key] = group_series(self._to, *key)
        return series

    def observe_refused(self, task: str, has_letter: bool, tenant: bytes | None) -> None:
        """Count one answer that the broker refused, and whose it was."""
        if has_letter:
            self._tenants.count_dead_letter(task, tenant)
            self._to.dead_letters.labels(task, Reason.ANSWER_REFUSED).inc()
            self._to.messages.labels(task, "none", "dead-letter").inc()
        else:
            self._to.set_aside.labels(task).inc()

    def show_unconfirmed(self, unconfirmed_s: float) -> None:
        """Show how long the broker has not confirmed what is published."""
        self._to.unconfirmed.set(unconfirmed_s)

    def observe_labels(self, task: str, outcomes: Mapping[LabelOutcome, int]) -> None:
        """Count labels of a task by what became of them."""
        for outcome, count in outcomes.items():
            self._to.labels.labels(task, outcome).inc(count)

    def observe_event(self, task: str, kind: EventKind) -> None:
        """Count one event."""
        self._to.events.labels(task, kind).inc()
        if kind is EventKind.MODELS_REFUSED:
            self.ladders.show_whole_refused(task)

    def show(self, snapshot: Snapshot) -> None:
        """Show what a task's pipeline believes of its plans, and how many requests wait there."""
        task, to = snapshot.task, self._to
        for plan in snapshot.plans:
            to.expected_accuracy.labels(task, plan.name).set(plan.accuracy)
            to.accuracy_low.labels(task, plan.name).set(plan.accuracy_low)
        to.highest_floor.labels(task).set(snapshot.highest_floor)
        for model, is_suspended in snapshot.suspended.items():
            to.suspended.labels(task, model).set(is_suspended)
        for model, is_worse in snapshot.worse.items():
            to.worse.labels(task, model).set(is_worse)
        to.waiting.labels(task).set(snapshot.n_open)
        to.overloaded.labels(task).set(snapshot.is_overloaded)
        to.recording_stopped.labels(task).set(snapshot.is_recording_stopped)

    def count_pause(self) -> None:
        """No more is taken for a while."""
        self._to.pauses.inc()

    def count_lost(self, task: str, partition: int, n: int) -> None:
        """Records that nobody answered are gone; 0 shows the series."""
        self._to.requests_lost.labels(task, str(partition)).inc(n)

    def set_blocked(self, blocked_s: dict[tuple[str, int], float]) -> None:
        """Replace how long partitions have been blocked; others disappear."""
        self._to.blocked.replace({(task, str(p)): value for (task, p), value in blocked_s.items()})

    def set_lag(self, lag: dict[tuple[str, int], int]) -> None:
        """Replace the lag of all partitions; others disappear."""
        self._to.lag.replace({(task, str(p)): n for (task, p), n in lag.items()})
