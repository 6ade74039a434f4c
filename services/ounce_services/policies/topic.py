"""The topic of policies: read whole, and one version appended to it at a time."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import (
    KafkaError,
    KafkaException,
    Message,
    Producer,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
    ResourceType,
)
from ounce_schemas.bounded_yaml import SHORTER
from ounce_schemas.errors import BrokerError, PolicyError
from ounce_schemas.policy_history import Change, PolicyHistory, PolicyVersion, next_version
from ounce_schemas.topics import policies_topic

from ounce_services.cluster.admin import (
    CLIENT_CONFIG,
    OPEN,
    Cluster,
    create_topics,
    describe_cluster,
)
from ounce_services.cluster.reading import read_topic

_LOOK_S = 0.05
_MOST_BYTES = 900_000
"""Of a record: below Kafka's default bound of a million."""


def record_of(version: PolicyVersion) -> str:
    """A version as the topic holds it.

    Raises:
        PolicyError: it is too large.
    """
    value = version.model_dump_json()
    size = len(value.encode())
    if size > _MOST_BYTES:
        whose = " and the one on trial" if version.canary or version.shadow else ""
        raise PolicyError(
            f"the policy{whose} takes {size} bytes as a record, at most {_MOST_BYTES} are written: "
            f"{SHORTER}"
        )
    return value


class PolicyTopic:
    """Versions of the policy on one cluster. The topic is looked for and checked until it is found
    good, and before each version that is written.

    Args:
        kafka: bootstrap servers.
        timeout_s: longest wait for the broker.
        security: what librdkafka must be told of it.
    """

    def __init__(
        self, kafka: str, timeout_s: float = 10.0, security: Mapping[str, Any] = OPEN
    ) -> None:
        self._config = {**CLIENT_CONFIG, "bootstrap.servers": kafka, **security}
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._security = security
        self._is_good = False

    def history(self) -> PolicyHistory:
        """All versions; none where there is no topic yet.

        Raises:
            BrokerError: the broker does not answer, or not in time.
            PolicyError: the topic would not keep all versions.
        """
        return self._read() if self._find() else PolicyHistory()

    def read(self, topic: str) -> Iterator[Message]:
        """All records of another topic of the cluster; none where there is no such topic.

        Raises:
            BrokerError: the broker does not give them in time.
        """
        if topic in self._describe().partitions:
            yield from read_topic(self._config, topic, self._timeout_s)

    def append(self, history: PolicyHistory, change: Change) -> PolicyVersion:
        """Write the version that follows the current one of `history`. Makes the topic where there
        is none.

        Raises:
            BrokerError: the broker does not take it.
            PolicyError: somebody else wrote a version meanwhile; this one is not in force.
        """
        version = next_version(history, change, uuid.uuid4().hex, datetime.now(UTC))
        self.write(version)
        return version

    def write(self, version: PolicyVersion) -> None:
        """Write a version. Makes the topic where there is none. To write one again does no harm.

        Raises:
            BrokerError: the broker does not take it.
            PolicyError: it is too large, or somebody else wrote one of its number; it is not in
                force.
        """
        value = record_of(version).encode()
        self._is_good = False  # where it was deleted, Kafka itself might make one that forgets
        if not self._find():
            self._make()
        self._write(version.key, value)
        written = self._read().versions.get(version.number)
        if written is None or written.id != version.id:
            self._write(version.key, None)  # nobody took it: it is not based on what is in force
            by = f" {written.made()}" if written else ""
            raise PolicyError(
                f"somebody wrote version {version.number} of the policy meanwhile{by}; nothing of "
                "this one is in force: look at `ounce policy diff`, then apply again"
            )

    def require_topics(self, names: Iterable[str]) -> None:
        """Check that other topics of the cluster are there.

        Raises:
            PolicyError: naming one that is not.
        """
        there = self._describe().partitions
        for name in names:
            if name not in there:
                raise PolicyError(f"Kafka has no topic {name}: check the name of the task")

    def make_topics(self, names: Iterable[str]) -> None:
        """Make other topics of the cluster that are not there yet.

        Raises:
            BrokerError: the broker refuses.
        """
        create_topics(self._kafka, names, timeout_s=self._timeout_s, security=self._security)

    def _make(self) -> None:
        self.make_topics([policies_topic()])
        if not self._describe().is_embedded:
            self._wait_until_there()

    def _wait_until_there(self) -> None:
        """A topic that was made is not in the metadata of every broker at once.

        Raises:
            BrokerError: it does not come.
        """
        until_s = time.monotonic() + self._timeout_s
        while not self._find():
            if time.monotonic() > until_s:
                raise BrokerError(f"topic {policies_topic()} was made, and Kafka does not show it")
            time.sleep(_LOOK_S)

    def _describe(self) -> Cluster:
        return describe_cluster(self._kafka, self._timeout_s, self._security)

    def _find(self) -> bool:
        """Whether the topic is there.

        Raises:
            PolicyError: it is, and would lose versions, or give them in no order.
        """
        if not self._is_good:
            cluster = self._describe()
            if policies_topic() not in cluster.partitions:
                return False
            self._check(cluster)
            self._is_good = True
        return True

    def _check(self, cluster: Cluster) -> None:
        if cluster.is_embedded:  # librdkafka's mock cluster has no configuration to ask for
            return
        n = cluster.partitions[policies_topic()]
        if n != 1:
            raise PolicyError(
                f"topic {policies_topic()} has {n} partitions, so its versions have no order: make "
                "it anew with one"
            )
        cleanup = self._cleanup_policy()
        if cleanup not in (None, "compact"):
            raise PolicyError(
                f"topic {policies_topic()} has cleanup.policy={cleanup}, so it would drop versions "
                "after a while: set it with `kafka-configs.sh --bootstrap-server HOST:PORT "
                f"--alter --topic {policies_topic()} --add-config cleanup.policy=compact`"
            )

    def _cleanup_policy(self) -> str | None:
        """None: this user may not ask."""
        resource = ConfigResource(ResourceType.TOPIC, policies_topic())
        admin = AdminClient(self._config)
        asked = admin.describe_configs([resource], request_timeout=self._timeout_s)
        try:
            return str(asked[resource].result(2 * self._timeout_s)["cleanup.policy"].value)
        except KafkaException as e:
            if e.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return None
            raise BrokerError(
                f"Kafka tells nothing of {policies_topic()}: {e.args[0].str()}"
            ) from e

    def _read(self) -> PolicyHistory:
        history = PolicyHistory()
        for message in read_topic(self._config, policies_topic(), self._timeout_s):
            try:
                history.take(message.value())
            except PolicyError:  # workers say so; who asks for versions wants those that are
                continue
        return history

    def _write(self, key: bytes, value: bytes | None) -> None:
        failures: list[KafkaError] = []
        # Idempotence takes half a second to begin. Without it a record may be there twice, and
        # counts once.
        producer = Producer({**self._config, "linger.ms": 0})
        producer.produce(
            policies_topic(),
            value,
            key,
            partition=0,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        left = producer.flush(self._timeout_s)
        if failures or left:
            why = failures[0].str() if failures else f"not within {self._timeout_s:g} s"
            raise BrokerError(f"Kafka does not take the policy: {why}")
