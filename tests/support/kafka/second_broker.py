"""A second broker in the cluster of a first one, for topics with two replicas."""

from tests.support.kafka.apache_kafka import ApacheKafka


class SecondBroker(ApacheKafka):
    """A broker without a controller of its own.

    Args:
        first: runs the controller.
    """

    _node = 2

    def __init__(self, first: ApacheKafka) -> None:
        self._first = first
        super().__init__(heap_mb=256, runs_shortly=True)

    def _properties(self) -> dict[str, object]:
        lines = (self._first._folder / "server.properties").read_text().splitlines()
        of_first = dict(line.split("=", 1) for line in lines)
        broker = f"127.0.0.1:{self._port}"
        quorum = "controller.quorum.voters"
        return {
            **super()._properties(),
            "process.roles": "broker",
            "listeners": f"PLAINTEXT://{broker}",
            quorum: of_first[quorum],
        }
