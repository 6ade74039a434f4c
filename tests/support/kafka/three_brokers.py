"""A cluster of three brokers, each a controller, too: any one of them may be away."""

from typing import Self

from confluent_kafka.admin import AdminClient

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.process.child import free_port
from tests.support.process.wait import wait_until

_NODES = (1, 2, 3)


class _Node(ApacheKafka):
    """One of three.

    Args:
        node: its number.
        controllers: ports of all controllers, by number.
    """

    def __init__(self, node: int, controllers: dict[int, int]) -> None:
        self._node = node
        self._controllers = {n: f"127.0.0.1:{port}" for n, port in controllers.items()}
        super().__init__(heap_mb=384, runs_shortly=True)

    def _properties(self) -> dict[str, object]:
        mine = self._controllers[self._node]
        return {
            **super()._properties(),
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://{mine}",
            "controller.quorum.voters": ",".join(
                f"{n}@{where}" for n, where in self._controllers.items()
            ),
            "offsets.topic.replication.factor": len(_NODES),
            "transaction.state.log.replication.factor": len(_NODES),
            "transaction.state.log.min.isr": len(_NODES) - 1,
            "default.replication.factor": len(_NODES),
            "min.insync.replicas": len(_NODES) - 1,
        }


class ThreeBrokers:
    """A context manager. Topics have a copy on each broker, and take records while one is away."""

    def __init__(self) -> None:
        """Prepare the brokers; nothing runs yet.

        Raises:
            KafkaUnavailableError: this machine can't run Kafka.
        """
        controllers = {n: free_port() for n in _NODES}
        self.brokers = [_Node(n, controllers) for n in _NODES]

    @property
    def bootstrap_servers(self) -> str:
        """All of them."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def wait_until_whole(self) -> None:
        """Return once every copy of every partition is up to date again."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

        def behind() -> list[str]:
            found = admin.list_topics(timeout=60)
            if len(found.brokers) < len(_NODES):
                return [f"brokers {[*found.brokers]}"]
            return [
                f"{topic.topic}[{n}]"
                for topic in found.topics.values()
                for n, partition in topic.partitions.items()
                if len(partition.isrs) < len(partition.replicas)
            ]

        wait_until(lambda: not behind(), behind)

    def __enter__(self) -> Self:
        try:
            for broker in self.brokers:
                broker.launch()  # none serves before a second one votes
            for broker in self.brokers:
                broker.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for broker in self.brokers:
            broker.close()
