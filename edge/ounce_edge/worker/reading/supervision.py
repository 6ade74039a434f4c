"""Looking after the consumer from outside: what the broker says against what is read."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ounce_schemas.errors import BrokerError, OunceError

from ounce_edge.broker.beside import beside
from ounce_edge.broker.broker_view import BrokerView, Marks, SilentBrokerError
from ounce_edge.broker.group_question import GroupQuestion
from ounce_edge.broker.places import Partition
from ounce_edge.broker.reading.watchdog import Watchdog
from ounce_edge.telemetry.health import Health
from ounce_edge.worker.reading.news import ReadingNews
from ounce_edge.worker.reading.partitions import Partitions

logger = logging.getLogger(__name__)

_EVERY_S = 5.0
_MEMBERS_EVERY_S = 60.0
"""Members of the group are asked for that often, and where partitions changed."""
_MEMBERS_AGAIN_S = 15.0
"""... where nothing was told: to ask takes a process."""


class _Told(NamedTuple):
    """What the broker says, as far as it does."""

    marks: Mapping[Partition, Marks]
    topic_ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConsumerControl:
    """What can be asked and done of the consumer."""

    may_rest: Callable[[], bool]
    """Whether nothing need be read for now."""
    restart: Callable[[], Awaitable[None]]
    """Stops it and starts another one; TimeoutError where that takes too long."""


class Supervision:
    """Restarts a consumer that is stuck, and tells what only the broker knows.

    The broker is silent, a topic was made again, another producer holds up a partition, or other
    consumers share the group.

    Args:
        view: of the broker.
        group: whose members are looked at.
        partitions: what is read, and up to where.
        news: tells people.
        health: is told of trouble.
        consumer: what can be done with it.
    """

    def __init__(
        self,
        view: BrokerView,
        group: GroupQuestion,
        partitions: Partitions,
        news: ReadingNews,
        health: Health,
        consumer: ConsumerControl,
    ) -> None:
        self._view = view
        self._group = group
        self._partitions = partitions
        self._news = news
        self._health = health
        self._consumer = consumer
        self._watchdog = Watchdog()
        self._topic_ids: dict[str, str] = {}
        self._members_due: tuple[Collection[Partition], float] = (), -math.inf
        """When the members of the group are asked for again, while these are the partitions."""
        self._silent_since_s: float | None = None
        self._restarted_at: dict[Partition, int] = {}
        """Where partitions were stuck when the consumer was restarted for them."""

    async def run(self) -> None:
        """Look now and then, for ever; a look that fails is repeated.

        Raises:
            OunceError: the consumer could not be restarted.
        """
        while True:
            try:
                await self.look()
            except OunceError:
                raise
            except Exception:
                logger.exception("can't look after the consumer, trying again")
            await asyncio.sleep(_EVERY_S)

    async def look(self) -> None:
        """Look once.

        Raises:
            OunceError: the consumer could not be restarted.
        """
        positions = self._partitions.positions.known()
        try:
            told = await asyncio.wrap_future(beside(lambda: self._ask(positions), "supervision"))
        except SilentBrokerError as e:
            self._note_silence(e)
        else:
            self._silent_since_s = self._health.broker_trouble = None
            self._compare_topics(told.topic_ids)
            self._look_for_blocked(positions, told.marks)
            await self._look_for_stuck({} if self._consumer.may_rest() else positions, told.marks)
        if self._health.trouble():  # no progress is no fault of this process then
            self._health.progressed()
        if self._silent_since_s is None:
            await self._look_for_strangers(positions)

    def _ask(self, places: Collection[Partition]) -> _Told:
        topics = self._partitions.topics
        self._view.check(next(iter(topics)))
        return _Told(self._view.marks(places), self._view.topic_ids(topics))

    def _note_silence(self, why: SilentBrokerError) -> None:
        now_s, known = self._health.clock(), f": {why}" if str(why) else ""
        if self._silent_since_s is None:
            self._silent_since_s = now_s - _EVERY_S
            logger.warning("Kafka does not answer, not ready until it does%s", known)
        self._watchdog.forget_stuck()  # nothing could be read
        silent_s = now_s - self._silent_since_s
        self._health.broker_trouble = f"Kafka has not answered for {silent_s:.0f} s{known}"

    def _compare_topics(self, topic_ids: Mapping[str, str]) -> None:
        for topic, topic_id in topic_ids.items():
            before = self._topic_ids.get(topic) or self._partitions.topic_id(topic)
            if before not in (None, topic_id):
                self._news.tell_recreated(topic)
                self._partitions.read_anew(topic, topic_id)
        self._topic_ids.update(topic_ids)

    def _look_for_blocked(
        self, positions: Mapping[Partition, int], marks: Mapping[Partition, Marks]
    ) -> None:
        since_s = self._watchdog.find_blocked(positions, marks, self._health.clock())
        waiting = {place: marks[place].end - positions[place] for place in since_s}
        self._news.show_blocked(positions, since_s, waiting)

    async def _look_for_stuck(
        self, positions: Mapping[Partition, int], marks: Mapping[Partition, Marks]
    ) -> None:
        still = {p: at for p, at in self._restarted_at.items() if positions.get(p) == at}
        if not still:
            self._restarted_at, self._health.reading_trouble = {}, None
        stuck = self._watchdog.find_stuck(positions, marks, self._health.clock())
        if not stuck:
            return
        where = ", ".join(f"{topic}[{partition}]" for topic, partition in stuck)
        if still:
            self._health.reading_trouble = (
                f"nothing is read of {where} although records are there, also by a new consumer: "
                "restart this worker"
            )
        logger.error("the consumer reads nothing of %s: restarting it", where)
        self._restarted_at = {place: positions[place] for place in stuck}
        self._watchdog.forget_stuck()
        try:
            await self._consumer.restart()
        except Exception as e:
            why = "it took too long" if isinstance(e, TimeoutError) else str(e)
            raise BrokerError(
                f"the consumer reads nothing of {where}, and could not be restarted: {why}"
            ) from e

    async def _look_for_strangers(self, places: Collection[Partition]) -> None:
        """Last, since to ask takes a process that may take its time."""
        now_s, now = self._health.clock(), set(places)
        of, due_s = self._members_due
        if of == now and now_s < due_s:
            return
        told = await asyncio.wrap_future(beside(self._group.ask_once, "group"))
        found = None if told is None else told.strangers
        wait_s = _MEMBERS_AGAIN_S if found is None else _MEMBERS_EVERY_S
        self._members_due = now, now_s + wait_s
        if found is not None:
            self._news.tell_strangers(found)
