"""The worker's consumer on a fake client, which says so in its name."""

from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition
from ounce_edge.broker.reading.consumer import DrainingConsumer


class FakeClient:
    """Kafka's client; has records at hand, and notes when it is paused."""

    def __init__(self, n: int) -> None:
        self.records: list[Any] = [object()] * n
        self.calls: list[str] = []

    def consume(self, most: int, timeout: float) -> list[Message]:
        taken, self.records = self.records[:most], self.records[most:]
        return taken

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("t", 0)]

    def pause(self, _: Any) -> None:
        self.calls.append("pause")

    def resume(self, _: Any) -> None:
        self.calls.append("resume")


class FakeHooks:
    """As far as taking records asks for them."""

    def __init__(self, room: list[int], delay_s: float) -> None:
        self._room = room
        self._delay_s = delay_s

    def look_after(self, consumer: Any) -> None:
        pass

    def room(self) -> int:
        return self._room[0]

    def batch_delay_s(self) -> float:
        return self._delay_s


class Draining(DrainingConsumer):
    """On a client that is made already."""

    def __init__(
        self, client: FakeClient | Consumer, room: list[int], delay_s: float = 0.0
    ) -> None:
        self.consumer: Any = client
        self._hooks: Any = FakeHooks(room, delay_s)
        self._paused = set()
        self._full_since_s = None
