"""Topics that take nothing: their records wait, and those of others go on. Pure."""

from collections.abc import Callable, Collection, Sequence

_AGAIN_S = 10.0
"""From a topic's failure to the next try."""


class TopicsAside:
    """Finds the topic at fault where several went together and failed.

    Args:
        clock: seconds on any steady clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.absent: Collection[str] = ()
        """Topics that Kafka does not have; any thread may set it."""
        self._clock = clock
        self._suspects: list[str] = []
        """They are tried one by one."""
        self._until_s: dict[str, float] = {}

    def may_go(self, topics: Sequence[str]) -> list[str]:
        """Topics to send to next, of those that records wait for."""
        now_s = self._clock()
        absent = self.absent
        there = [topic for topic in topics if topic not in absent]
        good = [topic for topic in there if self._until_s.get(topic, now_s) <= now_s]
        suspects = [topic for topic in self._suspects if topic in good]
        # Where all have failed, it is the line.
        return suspects[:1] or good or there

    def failed(self, topics: Collection[str]) -> None:
        """A batch was not taken, for no fault of a record."""
        if len(topics) > 1:
            self._suspects = sorted(topics)
            return
        for topic in topics:
            self._until_s[topic] = self._clock() + _AGAIN_S
            self._clear(topic)

    def taken(self, topics: Collection[str]) -> None:
        """A batch was taken."""
        for topic in topics:
            self._until_s.pop(topic, None)
            self._clear(topic)

    def _clear(self, topic: str) -> None:
        if topic in self._suspects:
            self._suspects.remove(topic)
