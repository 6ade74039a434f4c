"""The topic `ounce.models`: which release of each task serves."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
)
from ounce_schemas.errors import ArtifactError, BrokerError
from ounce_schemas.first_contact import first_contact
from ounce_schemas.release import InService, take_in_service
from ounce_schemas.topics import events_topic, models_topic

from ounce_services.cluster.admin import BROKERS_CHOICE, CLIENT_CONFIG, OPEN, Cluster, create_topics
from ounce_services.cluster.reading import read_topic


class ServedModels(Protocol):
    """Says which release of each task serves."""

    def read(self) -> dict[str, InService]:
        """What serves, by task."""

    def put(self, served: InService) -> None:
        """Put a release in service."""


class ModelsTopic:
    """Reads and writes the topic; makes it where it is absent.

    Args:
        kafka: bootstrap servers.
        timeout_s: of each question to Kafka.
        security: what librdkafka must be told of it.
        replication: copies of the topic, where it is made.

    Raises:
        BrokerError: no broker answers, or the topic is not compacted.
    """

    def __init__(
        self,
        kafka: str,
        timeout_s: float,
        security: Mapping[str, Any] = OPEN,
        replication: int = BROKERS_CHOICE,
    ) -> None:
        self._connection = {**CLIENT_CONFIG, "bootstrap.servers": kafka, **security}
        self._timeout_s = timeout_s
        admin, cluster = first_contact(AdminClient, self._connection, timeout_s, KafkaException)
        if Cluster(cluster.cluster_id or "", {}).is_embedded:
            raise BrokerError(
                f"the embedded broker has no compacted topics, so no {models_topic()}: publish "
                "models where there is a Kafka"
            )
        if models_topic() not in cluster.topics:
            create_topics(
                kafka,
                [models_topic()],
                replication=replication,
                timeout_s=timeout_s,
                security=security,
            )
            return  # it is as it was made; a broker may not know it for a moment
        try:
            resource = ConfigResource(ConfigResource.Type.TOPIC, models_topic())
            found = admin.describe_configs([resource])[resource].result(timeout_s)
        except KafkaException as e:
            raise BrokerError(f"topic {models_topic()}: Kafka refuses: {e.args[0].str()}") from e
        except TimeoutError as e:
            raise BrokerError(
                f"topic {models_topic()}: Kafka does not answer within {timeout_s:g} s"
            ) from e
        policy = found["cleanup.policy"].value
        if policy != "compact":
            raise BrokerError(
                f"topic {models_topic()} has cleanup.policy={policy}: Kafka would drop what "
                "serves. Set cleanup.policy=compact"
            )

    def read(self) -> dict[str, InService]:
        """What serves, by task.

        Raises:
            BrokerError: Kafka does not tell.
        """
        served: dict[str, InService] = {}
        for message in read_topic(self._connection, models_topic(), self._timeout_s):
            with suppress(ArtifactError):  # workers say so; who asks wants what serves
                take_in_service(served, message.key(), message.value())
        return served

    def events(self) -> Iterator[bytes | None]:
        """What workers told, in order.

        Raises:
            BrokerError: Kafka does not tell.
        """
        for message in read_topic(self._connection, events_topic(), self._timeout_s):
            yield message.value()

    def put(self, served: InService) -> None:
        """Put a release in service.

        Raises:
            BrokerError: Kafka does not take the record.
        """
        failed: list[KafkaError] = []
        producer = Producer({**self._connection, "acks": "all", "enable.idempotence": True})
        producer.produce(
            models_topic(),
            served.model_dump_json(),
            served.task,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        if producer.flush(self._timeout_s) or failed:
            why = failed[0].str() if failed else f"no answer in {self._timeout_s:g} s"
            raise BrokerError(f"topic {models_topic()} does not take the release: {why}")
