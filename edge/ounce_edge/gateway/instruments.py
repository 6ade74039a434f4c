"""Every metric that a gateway exposes. Label sets are bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ounce_edge.telemetry.instruments import LATENCY_BUCKETS_S


class GatewayInstruments:
    """Makes and registers all metrics of one gateway; one attribute each.

    Args:
        registry: of this gateway alone.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry)

        self.arrived = counter("ounce_gateway_messages", "Messages of MQTT read", "qos")
        self.forwarded = counter(
            "ounce_gateway_forwarded", "Records that Kafka has confirmed, by topic", "topic"
        )
        self.refused = counter(
            "ounce_gateway_refused",
            "Messages that go nowhere, or not as asked, by reason",
            "reason",
        )
        self.answers = counter("ounce_gateway_answers", "Answers published to devices", "topic")
        self.unacknowledged = gauge(
            "ounce_gateway_unconfirmed_records", "Records under way to Kafka"
        )
        self.ready = gauge("ounce_gateway_ready", "1 while messages are forwarded, else 0")
        self.forwarding = Histogram(
            "ounce_gateway_forwarding_seconds",
            "Arrival of a message to its confirmation by Kafka",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
