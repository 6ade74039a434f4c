"""Every metric that a worker exposes, as `metrics.yaml` describes it.

Label sets are bounded by tasks, models, partitions, some tenants and closed sets of reasons.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from ounce_edge.telemetry.histogram import BulkHistogram
from ounce_edge.telemetry.metric_list import read_metrics
from ounce_edge.telemetry.values import Values

LATENCY_BUCKETS_S = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Instruments:
    """Makes and registers all metrics of one worker; one attribute each.

    Args:
        registry: of this worker alone.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        described = {metric.name: metric for metric in read_metrics()}

        def counter(name: str) -> Values:
            it = described[name]
            return Values(it.family, it.help_text, it.labels, registry, "counter")

        def gauge(name: str) -> Values:
            it = described[name]
            return Values(it.family, it.help_text, it.labels, registry, "gauge")

        def histogram(name: str, buckets: Sequence[float]) -> BulkHistogram:
            it = described[name]
            return BulkHistogram(it.family, it.help_text, it.labels, buckets, registry)

        self.messages = counter("ounce_messages_total")
        self.deadline_misses = counter("ounce_deadline_misses_total")
        self.floor_misses = counter("ounce_floor_misses_total")
        self.tenant_predictions = counter("ounce_tenant_predictions_total")
        self.tenant_deadline_misses = counter("ounce_tenant_deadline_misses_total")
        self.tenant_floor_misses = counter("ounce_tenant_floor_misses_total")
        self.tenant_dead_letters = counter("ounce_tenant_dead_letters_total")
        self.fallbacks = counter("ounce_fallbacks_total")
        self.set_aside = counter("ounce_set_aside_total")
        self.unconfirmed = gauge("ounce_unconfirmed_seconds")
        self.dead_letters = counter("ounce_dead_letters_total")
        self.duplicates = counter("ounce_duplicates_total")
        self.timestamps_off = counter("ounce_timestamps_off_total")
        self.unknown_text = counter("ounce_unknown_text_total")
        self.unseen_missing = counter("ounce_unseen_missing_total")
        self.explanations = counter("ounce_explanations_total")
        self.labels = counter("ounce_labels_total")
        self.events = counter("ounce_events_total")
        self.canary_evidence = gauge("ounce_canary_evidence")
        self.shadow = counter("ounce_shadow_messages_total")
        self.compute = counter("ounce_compute_seconds_total")
        self.compute_gpu = counter("ounce_compute_gpu_seconds_total")
        self.always_best = counter("ounce_compute_always_best_seconds_total")
        self.plans = counter("ounce_plan_messages_total")
        self.escalations = counter("ounce_escalations_total")
        self.regret = counter("ounce_exploration_regret_total")
        self.cost = counter("ounce_cost_total")
        self.cost_saved = gauge("ounce_cost_saved")
        self.decision = counter("ounce_decision_seconds_total")
        self.saved = gauge("ounce_compute_saved_seconds")
        self.lag = gauge("ounce_consumer_lag")
        self.requests_lost = counter("ounce_requests_lost_total")
        self.blocked = gauge("ounce_partition_blocked_seconds")
        self.memory = gauge("ounce_model_memory_bytes")
        self.expected_accuracy = gauge("ounce_plan_expected_accuracy")
        self.accuracy_low = gauge("ounce_plan_accuracy_low")
        self.highest_floor = gauge("ounce_highest_floor")
        self.suspended = gauge("ounce_model_suspended")
        self.worse = gauge("ounce_model_worse")
        self.pauses = counter("ounce_pauses_total")
        self.waiting = gauge("ounce_waiting_requests")
        self.overloaded = gauge("ounce_overloaded")
        self.refused = gauge("ounce_models_refused")
        self.cpu_only = gauge("ounce_models_cpu_only")
        self.model_loads = counter("ounce_model_loads_total")
        self.editions = counter("ounce_editions_total")
        self.policy = gauge("ounce_policy_info")
        self.passed_over = counter("ounce_settings_passed_over_total")
        self.policy_stale = gauge("ounce_policy_stale")
        self.catalogue = gauge("ounce_catalogue_info")
        self.recording_stopped = gauge("ounce_recording_stopped")
        self.aborted = counter("ounce_transactions_aborted_total")
        self.certificates = gauge("ounce_certificate_expiry_timestamp_seconds")
        self.traced = counter("ounce_traced_messages_total")
        self.ready = gauge("ounce_ready")
        self.healthy = gauge("ounce_healthy")
        self.build = gauge("ounce_build_info")
        self.end_to_end = histogram("ounce_end_to_end_latency_seconds", LATENCY_BUCKETS_S)
        self.service = histogram("ounce_service_latency_seconds", LATENCY_BUCKETS_S)
        self.queue_wait = histogram("ounce_queue_wait_seconds", LATENCY_BUCKETS_S)
        self.batch_size = histogram("ounce_batch_size", BATCH_SIZE_BUCKETS)
