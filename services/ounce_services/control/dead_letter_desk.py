"""Dead letters of a task: listed, shown and sent back, each tenant its own."""

import threading
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ounce_schemas.errors import OunceError
from ounce_schemas.topics import requests_topic

from ounce_services.cluster.admin import require_topics
from ounce_services.control.access.principal import Principal
from ounce_services.control.errors import NotFoundError
from ounce_services.dead_letters.detail import detail
from ounce_services.dead_letters.index import Count, Index
from ounce_services.dead_letters.letter import DeadLetter, Mark, Position, read, read_letter
from ounce_services.dead_letters.listing import Entry, Newest
from ounce_services.dead_letters.mending import NO_FIX
from ounce_services.dead_letters.replaying import Selection, look, requests_of
from ounce_services.dead_letters.sending import Sender
from ounce_services.dead_letters.topic import DeadLetterTopic

MOST_AT_ONCE = 1000
_TENANT = "ce_tenant"


class Listed(NamedTuple):
    """What a dead-letters topic holds."""

    entries: list[Entry]
    """The newest, oldest first."""
    counts: Mapping[str, Count]
    """Of all, by reason."""


class Replayed(NamedTuple):
    """What became of a replay."""

    sent: list[Position]
    """Of the dead letters."""
    problems: list[str]
    n_left: int
    """That are selected and were not sent: a further call goes on with them."""


@dataclass(frozen=True)
class _OwnSelection(Selection):
    """Those of what is selected that the caller may see."""

    caller: Principal | None = None

    def wants(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is among them."""
        return self.caller is not None and _may_see(self.caller, letter) and super().wants(letter)


class DeadLetterDesk:
    """Dead letters of all tasks.

    Args:
        open_topic: opens the dead-letters topic of a task.
    """

    def __init__(self, open_topic: Callable[[str], DeadLetterTopic]) -> None:
        self._open = open_topic
        self._replaying = threading.Lock()

    def look_up(
        self, task: str, caller: Principal, reasons: Set[str] = frozenset(), limit: int = 100
    ) -> Listed:
        """The newest dead letters that the caller may see, and how many there are.

        Raises:
            BrokerError: Kafka lacks the topic, or falls silent.
        """
        index, newest = Index(), Newest(limit)
        with self._open(task) as topic:
            for record in topic.scan(topic.starts()):
                found = read(record)
                if isinstance(found, Mark):
                    index.add(found)
                elif found is not None and _may_see(caller, found):
                    if reasons and found.reason not in reasons:
                        continue
                    index.add(found)
                    newest.add(record.position, Entry.of(record, found))
        return Listed(list(newest.entries(index)), index.counts())

    def show(self, task: str, position: Position, caller: Principal) -> list[str]:
        """Everything of one dead letter, as lines.

        Raises:
            NotFoundError: there is none, or none that the caller may see.
        """
        with self._open(task) as topic:
            try:
                record = topic.record_at(position)
            except OunceError as e:
                raise NotFoundError(str(e)) from e
            letter = read_letter(record)
            if letter is None or not _may_see(caller, letter):
                raise NotFoundError(f"there is no dead letter at {position}")
            index = Index()
            for behind in topic.scan({position.partition: position.offset}):
                index.add(read(behind))
        return list(detail(record, index.replayed_at_ms(position)))

    def replay(self, task: str, selection: Selection, caller: Principal) -> Replayed:
        """Send dead letters back to the requests topic, at most so many at once.

        Raises:
            NotFoundError: nothing of what is selected is there to be sent.
        """
        own = _OwnSelection(selection.positions, selection.reasons, selection.again, caller)
        sent: list[Position] = []
        problems: list[str] = []
        with self._replaying, self._open(task) as topic:
            require_topics(topic.cluster, task, [requests_topic(task)])
            try:
                index = look(topic, own)
            except OunceError as e:
                raise NotFoundError(str(e)) from e
            chosen = index.offsets(replayed=selection.again)
            n = sum(map(len, chosen.values()))
            if not n:
                raise NotFoundError("nothing of that is there, or it was replayed before")
            requests = islice(requests_of(topic, chosen, NO_FIX), MOST_AT_ONCE)
            with Sender(topic.connection, task) as sender:
                for outcome in sender.send(requests, threading.Event()):
                    position = outcome.request.letter.record.position
                    if outcome.sent_to is not None:
                        sent.append(position)
                    if outcome.problem is not None:
                        problems.append(f"{position}: {outcome.problem}")
        return Replayed(sent, problems, n - len(sent))


def _may_see(caller: Principal, letter: DeadLetter) -> bool:
    tenant = dict(letter.headers).get(_TENANT)
    return caller.may_see(None if tenant is None else tenant.decode(errors="replace"))
