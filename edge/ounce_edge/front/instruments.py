"""Every metric that an HTTP front exposes. Label sets are bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ounce_edge.telemetry.instruments import LATENCY_BUCKETS_S


class FrontInstruments:
    """Makes and registers all metrics of one front; one attribute each.

    Args:
        registry: of this front alone.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        self.requests = Counter(
            "ounce_http_requests",
            "Calls to infer that were told how they ended, by task and status; 499: the caller "
            "went away",
            ("task", "status"),
            registry=registry,
        )
        self.answering = Histogram(
            "ounce_http_answering_seconds",
            "Arrival of a call to infer to its answer, of those that got status 200",
            ("task",),
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.waiting = gauge("ounce_http_waiting_requests", "Requests whose answer is waited for")
        self.connections = gauge("ounce_http_connections", "Open connections")
        self.unconfirmed = gauge("ounce_http_unconfirmed_records", "Records under way to Kafka")
        self.away = gauge("ounce_http_kafka_away", "1 while Kafka confirms no requests, else 0")
        self.unclaimed = Counter(
            "ounce_http_unclaimed_answers",
            "Answers that came when nobody waited for them any more",
            registry=registry,
        )
        self.ready = gauge("ounce_http_ready", "What /readyz says: 1 where it is ready, else 0")
        self.certificates = gauge(
            "ounce_certificate_expiry_timestamp_seconds",
            "When a certificate of the connection with Kafka expires: ssl_ca, ssl_certificate; or "
            "that of this server: tls_certificate",
            "certificate",
        )
