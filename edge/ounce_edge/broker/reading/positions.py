"""Where reading stands: the one notion of "something is left to read"."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from ounce_edge.broker.places import Partition, place_of


@dataclass(slots=True)
class _Reading:
    start: int | None
    """Offset at which reading began, where that is known."""
    end: int | None = None
    """Offset up to which all that could be read was taken, as of the last time that it was all."""
    taken: int | None = None
    """Offset behind the last record that was taken."""

    @property
    def next(self) -> int | None:
        if self.taken is None:
            return self.start if self.end is None else self.end
        return self.taken if self.end is None else max(self.taken, self.end)


class Positions:
    """The next offset to read of each assigned partition.

    A client knows no position before it took a record, and not always one behind aborted records.
    So the offset at which reading began, and the ends that the client reached, count as well.

    The consumer's thread writes; any thread may ask what is known.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: dict[Partition, _Reading] = {}

    def begin(self, starts: Mapping[Partition, int | None]) -> None:
        """Reading begins there, or goes back to there; None where that is not known."""
        with self._lock:
            self._readings.update({place: _Reading(start) for place, start in starts.items()})

    def forget(self, partitions: Collection[Partition]) -> None:
        """Others read these."""
        with self._lock:
            for place in partitions:
                self._readings.pop(place, None)

    def reach_end(self, place: Partition, offset: int) -> bool:
        """All that could be read was taken, up to this offset.

        Returns:
            Whether that is beyond where reading began; false where the partition is not read.
        """
        with self._lock:
            reading = self._readings.get(place)
            if reading is None:
                return False
            reading.end = offset
            return reading.start is None or offset > reading.start

    def follow(self, consumer: Consumer) -> None:
        """Learn what the client took since."""
        asked = [TopicPartition(topic, partition) for topic, partition in self._readings]
        found = consumer.position(asked) if asked else []
        with self._lock:
            for at in found:
                if at.offset >= 0:
                    self._readings[place_of(at)].taken = at.offset

    def starts(self) -> dict[Partition, int]:
        """Offset at which reading began, of those partitions where it is known."""
        with self._lock:
            return {p: r.start for p, r in self._readings.items() if r.start is not None}

    def known(self) -> dict[Partition, int]:
        """Next offset to read, of those partitions where it is known."""
        with self._lock:
            return {
                place: at
                for place, reading in self._readings.items()
                if (at := reading.next) is not None
            }
