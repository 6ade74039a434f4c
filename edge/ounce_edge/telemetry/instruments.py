"""Every metric that a worker exposes, by its name on `/metrics`.

Label sets are bounded by tasks, models, partitions and closed sets of reasons. The docs list the
same metrics, with their units.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

from ounce_edge.telemetry.histogram import BulkHistogram

# A second series for each counter, which nobody here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

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
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        def histogram(
            name: str, text: str, buckets: Sequence[float], *labels: str
        ) -> BulkHistogram:
            return BulkHistogram(name, text, labels, buckets, registry)

        self.messages = counter(
            "ounce_messages",
            "Records served that the broker holds the answer of, by outcome: answered, fallback or "
            "dead-letter",
            "task",
            "model",
            "outcome",
        )
        self.deadline_misses = counter(
            "ounce_deadline_misses", "Predictions encoded after their deadline", "task", "model"
        )
        self.floor_misses = counter(
            "ounce_floor_misses",
            "Predictions by a model whose accuracy is under the message's floor",
            "task",
            "model",
        )
        self.fallbacks = counter("ounce_fallbacks", "Predictions by a fallback", "task", "fallback")
        self.set_aside = counter(
            "ounce_set_aside",
            "Requests of which nothing is published: the broker refused answer and dead letter",
            "task",
        )
        self.unconfirmed = gauge(
            "ounce_unconfirmed_seconds",
            "How long the broker has not confirmed what is published; 0 when it has all",
        )
        self.dead_letters = counter(
            "ounce_dead_letters", "Records that could not be served", "task", "reason"
        )
        self.duplicates = counter(
            "ounce_duplicates", "Requests whose id was answered lately", "task"
        )
        self.timestamps_off = counter(
            "ounce_timestamps_off",
            "Requests whose timestamp is 12 hours behind the worker's clock, or a minute ahead",
            "task",
        )
        self.labels = counter(
            "ounce_labels",
            "Labels read, by outcome: joined, unknown, ambiguous, repeated, invalid, undecodable, "
            "dropped",
            "task",
            "outcome",
        )
        self.events = counter("ounce_events", "Events told to people", "task", "kind")
        self.canary_evidence = gauge(
            "ounce_canary_evidence",
            "What all workers saw against the policy on trial; at 1 it is stopped",
            "task",
            "criterion",
        )
        self.shadow = counter(
            "ounce_shadow_messages",
            "Messages of a shadow by outcome: answered, dead-letter, or dropped since others came "
            "first",
            "task",
            "outcome",
        )
        self.compute = counter(
            "ounce_compute_seconds", "Time spent running models", "task", "model"
        )
        self.always_best = counter(
            "ounce_compute_always_best_seconds",
            "Time that the most accurate model would have taken for the same messages",
            "task",
        )
        self.plans = counter(
            "ounce_plan_messages",
            "Predictions by plan, which may be a cascade, and by the reason for it",
            "task",
            "plan",
            "reason",
        )
        self.escalations = counter(
            "ounce_escalations",
            "Requests that went on to a further step of a cascade, once for each",
            "task",
        )
        self.regret = counter(
            "ounce_exploration_regret",
            "Wrong answers over what floors permit, expected of exploration",
            "task",
        )
        self.cost = counter(
            "ounce_cost", "Cost of predictions, in the unit of the policy's objective", "task"
        )
        self.cost_saved = gauge(
            "ounce_cost_saved",
            "Cost of the most accurate model less cost, in the unit of the policy's objective",
            "task",
        )
        self.decision = counter(
            "ounce_decision_seconds", "Processor time spent choosing models", "task"
        )
        self.saved = gauge(
            "ounce_compute_saved_seconds",
            "Always-best compute less compute spent, since the worker started",
            "task",
        )
        self.lag = gauge("ounce_consumer_lag", "Records not yet read", "task", "partition")
        self.requests_lost = counter(
            "ounce_requests_lost",
            "Records that the topic dropped before they were read",
            "task",
            "partition",
        )
        self.blocked = gauge(
            "ounce_partition_blocked_seconds",
            "How long another producer's open transaction has held up the partition",
            "task",
            "partition",
        )
        self.memory = gauge(
            "ounce_model_memory_bytes",
            "Resident memory that a model added when loaded; 0 while it is unloaded",
            "task",
            "model",
        )
        self.expected_accuracy = gauge(
            "ounce_plan_expected_accuracy",
            "Accuracy that is believed of a plan, in [0, 1]",
            "task",
            "plan",
        )
        self.accuracy_low = gauge(
            "ounce_plan_accuracy_low",
            "Lower bound of it, which floors are held against",
            "task",
            "plan",
        )
        self.highest_floor = gauge(
            "ounce_highest_floor", "Greatest accuracy floor that a plan in service meets", "task"
        )
        self.suspended = gauge(
            "ounce_model_suspended", "1 while a model is out of the plans, else 0", "task", "model"
        )
        self.pauses = counter(
            "ounce_pauses", "Times that no more was taken for a while: too many requests waited"
        )
        self.waiting = gauge(
            "ounce_waiting_requests", "Requests taken and not yet answered", "task"
        )
        self.overloaded = gauge("ounce_overloaded", "1 while late requests pile up, else 0", "task")
        self.refused = gauge(
            "ounce_models_refused", "Models refused of those that are to serve", "task"
        )
        self.model_loads = counter(
            "ounce_model_loads", "Times that a model which was unloaded was loaded again", "task"
        )
        self.editions = counter(
            "ounce_editions", "Times that other models or rules were put in service", "task"
        )
        self.policy = gauge("ounce_policy_info", "1 for the policy in force", "version")
        self.policy_stale = gauge(
            "ounce_policy_stale",
            "1 while the latest policy is refused or can't be read, else 0",
        )
        self.catalogue = gauge(
            "ounce_catalogue_info", "1 for the models in force", "task", "version"
        )
        self.recording_stopped = gauge(
            "ounce_recording_stopped", "1 while decisions can't be recorded, else 0", "task"
        )
        self.aborted = counter(
            "ounce_transactions_aborted",
            "Transactions that were aborted, and whose requests are read again",
            "cause",
        )
        self.certificates = gauge(
            "ounce_certificate_expiry_timestamp_seconds",
            "When a certificate of the connection with Kafka expires, seconds since 1970",
            "certificate",
        )
        self.traced = counter(
            "ounce_traced_messages",
            "Messages that were to be traced, by outcome: sent, dropped since the receiver takes "
            "none, or limited by --traces-per-s",
            "outcome",
        )
        self.ready = gauge("ounce_ready", "1 while requests are served, as /readyz says, else 0")
        self.healthy = gauge(
            "ounce_healthy", "1 while the worker can go on by itself, as /healthz says, else 0"
        )
        self.build = gauge("ounce_build_info", "1 for the version that runs", "version")
        self.end_to_end = histogram(
            "ounce_end_to_end_latency_seconds",
            "Record timestamp to encoded prediction",
            LATENCY_BUCKETS_S,
            "task",
        )
        self.service = histogram(
            "ounce_service_latency_seconds", "One model call", LATENCY_BUCKETS_S, "task", "model"
        )
        self.queue_wait = histogram(
            "ounce_queue_wait_seconds",
            "Record timestamp to the start of its processing",
            LATENCY_BUCKETS_S,
            "task",
        )
        self.batch_size = histogram(
            "ounce_batch_size", "Messages of one model call", BATCH_SIZE_BUCKETS, "task", "model"
        )
