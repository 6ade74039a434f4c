"""Gateways: what MQTT sends, what Kafka has of it, and what devices hear."""

from ounce_services.monitoring.questions import (
    NONE_IS_GOOD,
    ONE_IS_BAD,
    ONE_IS_GOOD,
    Board,
    Question,
    restarts,
    unreadable,
)


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


GATEWAY = Board(
    uid="ounce-gateway",
    folder="operation",
    title="Ounce: gateways",
    about="From MQTT to Kafka, and back to the devices.",
    questions=(
        Question(
            title="Do gateways forward?",
            about="1 while MQTT and Kafka are reached, as /readyz says.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_ready)"},
            alert="OunceGatewayNotReady",
            unit="none",
            steps=ONE_IS_GOOD,
        ),
        Question(
            title="Do gateways end again and again?",
            about="Starts within 15 minutes.",
            asks={"{{instance}}": restarts("ounce-gateway")},
            alert="OunceRestarts",
            unit="none",
        ),
        Question(
            title="How much comes from MQTT?",
            about="Messages a second that a gateway read.",
            asks={"{{instance}}": _rate("ounce_gateway_messages_total", "instance")},
            alert="OunceGatewayGone",
            unit="reqps",
        ),
        Question(
            title="How much does Kafka have of it?",
            about="Records a second that Kafka has confirmed, by topic.",
            asks={"{{topic}}": _rate("ounce_gateway_forwarded_total", "topic")},
            unit="reqps",
        ),
        Question(
            title="How long does forwarding take?",
            about="99th percentile of the time from a message's arrival to Kafka's confirmation.",
            asks={
                "{{instance}}": "histogram_quantile(0.99, "
                + _rate("ounce_gateway_forwarding_seconds_bucket", "le, instance")
                + ")"
            },
            unit="s",
        ),
        Question(
            title="How much is under way to Kafka?",
            about="Records sent and not confirmed. Growing: the line is slow or down.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_unconfirmed_records)"},
            unit="short",
        ),
        Question(
            title="How many answers are made at the edge?",
            about="Answers a second of gateways with --local, while Kafka is away.",
            asks={"{{instance}}": _rate("ounce_gateway_local_answers_total", "instance")},
            unit="reqps",
        ),
        Question(
            title="Is Kafka away?",
            about="1 while a gateway stores messages, since Kafka confirms none.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_kafka_away)"},
            alert="OunceGatewayCutOff",
            unit="none",
            steps=ONE_IS_BAD,
        ),
        Question(
            title="Is MQTT away?",
            about="1 while a gateway does not reach its MQTT broker, or is refused there.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_mqtt_away)"},
            alert="OunceGatewayWithoutMqtt",
            unit="none",
            steps=ONE_IS_BAD,
        ),
        Question(
            title="How much is stored?",
            about="Messages that wait on the disk. They go when Kafka is back.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_stored_records)"},
            alert="OunceGatewayBacklogGrows",
            unit="short",
        ),
        Question(
            title="How much of the disk do they take?",
            about="Bytes of stored messages. At --max-store-mb the first are dropped.",
            asks={
                "{{instance}}": "max by (instance) (ounce_gateway_stored_bytes)",
                "{{instance}}, limit": "max by (instance) (ounce_gateway_store_limit_bytes)",
            },
            alert="OunceGatewayStoreFills",
            unit="bytes",
        ),
        Question(
            title="How old is the oldest of them?",
            about="At --max-store-h a message is dropped.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_stored_age_seconds)"},
            alert="OunceGatewayBacklogAges",
            unit="s",
        ),
        Question(
            title="Are topics absent?",
            about="Topics that Kafka does not have. Their records are stored, others go on.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_absent_topics)"},
            unit="none",
            alert="OunceGatewayBacklogAges",
            steps=NONE_IS_GOOD,
        ),
        Question(
            title="Are stored messages dropped?",
            about="Messages a second that were lost: the store is full, or they are too old.",
            asks={"{{instance}}": _rate("ounce_gateway_dropped_total", "instance")},
            alert="OunceGatewayDrops",
            unit="reqps",
            steps=NONE_IS_GOOD,
        ),
        Question(
            title="Do devices flood?",
            about="Messages a second of devices that send more than --device-per-s. They are "
            "stored, so that others do not wait.",
            asks={"{{instance}}": _rate("ounce_gateway_held_back_total", "instance")},
            unit="reqps",
        ),
        Question(
            title="Can the store be written?",
            about="1 while it can't, as on a full disk. Messages then stay with MQTT.",
            asks={"{{instance}}": "max by (instance) (ounce_gateway_store_failing)"},
            alert="OunceGatewayStoreFails",
            unit="none",
            steps=ONE_IS_BAD,
        ),
        unreadable("ounce-gateway", "Files of the connections with MQTT.", "ounce_gateway_ready"),
        Question(
            title="What is refused?",
            about="Messages a second that go nowhere, or not as asked, by reason.",
            asks={"{{reason}}": _rate("ounce_gateway_refused_total", "reason")},
            alert="OunceGatewayRefuses",
            unit="reqps",
            steps=NONE_IS_GOOD,
        ),
        Question(
            title="How many answers go back to devices?",
            about="Answers a second that MQTT was given, by topic of Kafka.",
            asks={"{{topic}}": _rate("ounce_gateway_answers_total", "topic")},
            unit="reqps",
        ),
    ),
)
