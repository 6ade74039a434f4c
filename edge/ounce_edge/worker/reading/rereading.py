"""Going to another offset than the next: where reading begins, failed, or has to be repeated."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from ounce_schemas.errors import OunceError

from ounce_edge.broker.broker_view import SilentBrokerError
from ounce_edge.broker.places import Partition, place_of
from ounce_edge.broker.reading.positions import Positions
from ounce_edge.broker.reading.starts import Start, Starts
from ounce_edge.worker.serving.serving import Serving

logger = logging.getLogger(__name__)

_TIMEOUT_S = 10.0


class Rereading:
    """Moves the consumer. What fails is tried again with the next call.

    All of it is for the consumer's thread, but where it says other.

    Args:
        serving: answers what is read.
        starts: knows where to begin.
        positions: learns where reading stands.
        fail: called with an error that ends the worker.
    """

    def __init__(
        self,
        serving: Serving,
        starts: Starts,
        positions: Positions,
        fail: Callable[[OunceError], None],
    ) -> None:
        self._serving = serving
        self._delivery = serving.delivery
        self._starts = starts
        self._positions = positions
        self._fail = fail
        self._missed: dict[Partition, int] = {}
        """Partitions that the client gave up, and the offsets that they do not have."""
        self._recreated: dict[str, str] = {}
        """Topics that were made again, and are to be read from their beginning; and their ids."""

    @property
    def is_due(self) -> bool:
        """Whether something is to be read again."""
        return bool(self._missed or self._recreated)

    def note_missed(self, place: Partition, offset: int) -> None:
        """The client gave it up: it does not have this offset; between two polls."""
        self._missed[place] = offset

    def note_recreated(self, topic: str, topic_id: str) -> None:
        """It was made again, with this id; on any thread."""
        self._recreated[topic] = topic_id

    def forget(self, places: Collection[Partition]) -> None:
        """These are others' to read."""
        for place in places:
            self._missed.pop(place, None)

    def find_starts(
        self, consumer: Consumer, places: Collection[Partition]
    ) -> dict[Partition, Start] | None:
        """Where to begin; None where that can't be known now."""
        missed = {p: offset for p, offset in self._missed.items() if p in places and offset >= 0}
        with self._trying(f"ask where to begin reading {show(places)}"):
            return self._starts.find(consumer, places, missed) if places else {}
        return None

    def read_missed(
        self, consumer: Consumer, assigned: Collection[Partition]
    ) -> Mapping[Partition, Start]:
        """Read on what the client gave up; where reading of it begins now."""
        self._missed = {p: offset for p, offset in self._missed.items() if p in assigned}
        starts = self.find_starts(consumer, self._missed.keys())
        if not starts:
            return {}
        self._positions.follow(consumer)
        known = self._positions.known()
        others = {place: known.get(place) for place in assigned if place not in starts}
        self._starts.begin_again(consumer, starts, others)
        self._missed.clear()
        return starts

    def read_anew(
        self, consumer: Consumer, assigned: Collection[Partition]
    ) -> Mapping[Partition, Start]:
        """Answer what was taken of topics that were made again, and go to their beginning.

        Returns:
            Where reading of their partitions begins now: nothing that was taken before may be
            committed.
        """
        recreated = dict(self._recreated)
        starts = {
            place: Start(0, n_kept=0, topic_id=recreated[place[0]])
            for place in assigned
            if place[0] in recreated
        }
        partitions = [TopicPartition(*place, 0) for place in starts]
        with self._trying("go back to the beginning"):
            if partitions:
                self._serving.finish()
                self._serving.drop(partitions)
            for at in partitions:
                if place_of(at) in self._missed:
                    self._missed[place_of(at)] = 0
                else:
                    consumer.seek(at)
            for topic, topic_id in recreated.items():
                if self._recreated[topic] == topic_id:  # else it was made again once more
                    del self._recreated[topic]
            return starts
        return {}

    def rewind(self, consumer: Consumer, assigned: Collection[Partition]) -> None:
        """After an abort: read again from the committed offsets."""
        with self._trying("go back to the committed offsets"):
            if not self._delivery.wait(_TIMEOUT_S):
                return
            asked = [TopicPartition(*place) for place in assigned]
            committed = consumer.committed(asked, timeout=_TIMEOUT_S) if asked else []
            for at in committed:
                if at.error is not None:  # not told is not the same as nothing committed
                    raise KafkaException(at.error)
            began = self._positions.starts()
            for at in committed:
                if at.offset < 0:
                    at.offset = began.get(place_of(at), OFFSET_BEGINNING)
                consumer.seek(at)
            self._positions.begin(
                {place_of(at): at.offset if at.offset >= 0 else None for at in committed}
            )
            self._serving.start_over()
            self._delivery.start_over()

    @contextmanager
    def _trying(self, what: str) -> Iterator[None]:
        """An error that no retry mends ends the worker; after others what is inside is left, to be
        done later."""
        try:
            yield
        except OunceError as e:
            self._fail(e)
        except (KafkaException, SilentBrokerError) as e:
            logger.warning("can't %s yet: %s", what, e)


def show(places: Collection[Partition]) -> str:
    """Partitions, for a line of the log."""
    return ",".join(f"{topic}[{partition}]" for topic, partition in places) or "none"
