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

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

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
        self.local = counter(
            "ounce_gateway_local_answers", "Answers made here, while Kafka was away"
        )
        self.unconfirmed = gauge("ounce_gateway_unconfirmed_records", "Records under way to Kafka")
        self.away = gauge("ounce_gateway_kafka_away", "1 while messages are stored, else 0")
        self.mqtt_away = gauge(
            "ounce_gateway_mqtt_away", "1 while MQTT is not reached, or refuses, else 0"
        )
        self.stored = gauge("ounce_gateway_stored_records", "Records that wait on the disk")
        self.stored_bytes = gauge("ounce_gateway_stored_bytes", "What they take, roughly")
        self.store_limit = gauge(
            "ounce_gateway_store_limit_bytes", "What may be stored, before messages are dropped"
        )
        self.stored_age = gauge(
            "ounce_gateway_stored_age_seconds", "How long the first of them has waited"
        )
        self.store_failing = gauge(
            "ounce_gateway_store_failing", "1 while the store can't be written, else 0"
        )
        self.absent = gauge(
            "ounce_gateway_absent_topics", "Topics that Kafka does not have; their records wait"
        )
        self.held_back = counter(
            "ounce_gateway_held_back",
            "Messages stored since their device sent more than may go at once",
        )
        self.dropped = counter(
            "ounce_gateway_dropped",
            "Records dropped of the store, which was full, or they were old",
        )
        self.certificates = gauge(
            "ounce_certificate_expiry_timestamp_seconds",
            "When a certificate of the connection with Kafka expires: ssl_ca, ssl_certificate; or "
            "of that with MQTT: mqtt_ca, mqtt_certificate",
            "certificate",
        )
        self.ready = gauge("ounce_gateway_ready", "What /readyz says: 1 where it is ready, else 0")
        self.forwarding = Histogram(
            "ounce_gateway_forwarding_seconds",
            "Arrival of a message to its confirmation by Kafka",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
