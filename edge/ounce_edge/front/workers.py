"""Whether a worker serves a task: what Kafka says of the workers' group, and answers that come.

A call that nobody would answer is refused at once. One that may be answered never is: while the
group shares its partitions anew, while Kafka does not tell, and for as long as a worker may take to
start.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ounce_schemas.topics import requests_topic

from ounce_edge.broker.beside import beside
from ounce_edge.broker.group_question import GroupAnswer
from ounce_edge.front.statuses import NotAnsweredError

logger = logging.getLogger(__name__)

_EVERY_S = 5.0
"""From one look at the group to the next."""
_TRY_S = 60.0
"""One request of so long is sent all the same: workers may be of another group."""


class Question(Protocol):
    """As `GroupQuestion`."""

    def ask(self) -> GroupAnswer | None:
        """What Kafka says of the workers' group; None where it does not answer."""


@dataclass(slots=True)
class _Seen:
    """Of one task, on the clock."""

    absent_since_s: float | None = None
    """Since when the group has no worker that reads its requests."""
    answered_s: float = float("-inf")
    """When the last call came that got an answer."""
    tried_s: float = float("-inf")
    """When a request was sent although nobody seemed to serve."""

    @property
    def is_absent(self) -> bool:
        """An answer says more than the group: it may be that of other workers."""
        return self.absent_since_s is not None and self.answered_s <= self.absent_since_s


class Workers:
    """Who serves tasks, as far as it is known. On the event loop.

    Args:
        tasks: that are asked.
        group: of the workers.
        grace_s: so long a worker may take to start.
        clock: seconds.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        group: str,
        grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group, self._grace_s, self._clock = group, grace_s, clock
        self._seen = {task: _Seen() for task in tasks}
        self._is_asked = self._is_denied = False

    def note_answer(self, task: str, admitted_s: float) -> None:
        """A worker has answered a call.

        Args:
            task: that was asked.
            admitted_s: as `admit` said: what was sent before the group was left proves nothing.
        """
        seen = self._seen[task]
        seen.answered_s = max(seen.answered_s, admitted_s)

    def note_group(self, told: GroupAnswer | None) -> None:
        """Take what Kafka says of the group.

        Args:
            told: None where Kafka does not answer.
        """
        topics = None if told is None else told.topics
        for task, seen in self._seen.items():
            was_absent = seen.is_absent
            if topics is None or requests_topic(task) in topics:
                seen.absent_since_s = None
            elif seen.absent_since_s is None:
                seen.absent_since_s = seen.tried_s = self._clock()
            if seen.is_absent != was_absent:
                say = logger.warning if seen.is_absent else logger.info
                say("%s", self._absence(task) if seen.is_absent else f"{task} may be served again")
        if told is not None and topics is None and not told.may_read and not self._is_denied:
            self._is_denied = True
            logger.warning(
                "whether workers serve is not known: Kafka does not let this user describe the "
                "group %s (docs/security.md, Rights)",
                self._group,
            )
        self._is_asked = True

    def trouble(self, task: str) -> str | None:
        """Why nobody seems to serve a task; None where somebody may."""
        if not self._is_asked:
            return "Kafka has not been asked yet whether a worker serves it"
        return self._absence(task) if self._seen[task].is_absent else None

    def check(self, task: str) -> None:
        """Look whether a call may be answered, before its body is read.

        Raises:
            NotAnsweredError: nobody has served the task for longer than a start may take.
        """
        seen, now_s = self._seen[task], self._clock()
        if self._is_given_up(seen, now_s) and now_s - seen.tried_s < _TRY_S:
            raise NotAnsweredError(503, self._absence(task))

    def admit(self, task: str) -> float:
        """Let a request be sent.

        Returns:
            When, on the clock.

        Raises:
            NotAnsweredError: as `check`.
        """
        self.check(task)
        seen, now_s = self._seen[task], self._clock()
        if self._is_given_up(seen, now_s):
            seen.tried_s = now_s
        return now_s

    async def watch(self, question: Question) -> None:
        """Look at the group now and then, for ever.

        Args:
            question: asks Kafka.
        """
        while True:
            try:
                self.note_group(await asyncio.wrap_future(beside(question.ask, "group")))
            except Exception:
                logger.exception("can't look at the group, trying again")
                self.note_group(None)
            await asyncio.sleep(_EVERY_S)

    def _is_given_up(self, seen: _Seen, now_s: float) -> bool:
        since_s = seen.absent_since_s if seen.is_absent else None
        return since_s is not None and now_s - since_s >= self._grace_s

    def _absence(self, task: str) -> str:
        topic = requests_topic(task)
        return f"no worker of the group {self._group} (--group) reads {topic}: start `ounce worker`"
