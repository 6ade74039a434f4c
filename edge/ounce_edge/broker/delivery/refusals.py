"""What the broker refuses: the one record is found, and a dead letter published in its place.

A record may be too large for the topic, have a timestamp out of bounds, or lack the key that a
compacted topic needs. The broker then refuses its whole batch. It does not always say which record
it means. So records that were refused together are published again by halves, if need be.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, Message
from ounce_schemas.errors import BrokerError, InvalidMessageError, Reason
from ounce_schemas.wording import counted

from ounce_edge.wire.dead_letters import write_letter
from ounce_edge.wire.records import Outgoing, Record

logger = logging.getLogger(__name__)

_ANOTHER = KafkaError._INVALID_DIFFERENT_RECORD
_OF_A_RECORD = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.POLICY_VIOLATION,
    _ANOTHER,
}
"""Errors that are about records, not about the topic or the producer."""
_TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE).str()
_SMALL_BYTES = 4000
"""Of a dead letter that is tried where a larger one was refused."""


def is_of_a_record(error: KafkaError) -> bool:
    """Whether a broker refused what is in a record, or in another one of its batch."""
    return error.code() in _OF_A_RECORD


class Refused(NamedTuple):
    """A request whose answer the broker did not take."""

    request: Record
    why: str
    has_letter: bool
    """Whether a dead letter is there in its place."""


class Entry(NamedTuple):
    """One record of several that are published together."""

    of: Outgoing
    i: int
    is_small: bool = False
    """Whether it is a dead letter from which all that is large was left out."""

    @property
    def request(self) -> Record:
        """That it answers."""
        return self.of.requests[self.i]

    @property
    def position(self) -> tuple[str, int, int]:
        """Topic, partition and offset of its request."""
        request = self.request
        return str(request.topic()), request.partition() or 0, request.offset() or 0

    def alone(self) -> Outgoing:
        """The same record, to be published by itself."""
        of, i = self.of, self.i
        return Outgoing(
            of.topic,
            [of.values[i]],
            [of.keys[i]],
            None if of.headers is None else [of.headers[i]],
            None if of.partitions is None else of.partitions[i : i + 1],
            [of.requests[i]],
        )


class Refusal(NamedTuple):
    """An entry that was not taken."""

    entry: Entry
    why: str
    is_alone: bool
    """Whether for itself; else another one of those that were published with it may be to blame."""


Attempt = Callable[[Sequence[Entry]], Sequence[Refusal]]
"""Publishes entries together, and gives back those that were not taken."""


class Refusals:
    """Publishes what a broker takes of entries that it refused together.

    Args:
        dead_letters: names of the topics of dead letters, by the topic of the requests.
        max_message_bytes: of a dead letter.
    """

    def __init__(self, dead_letters: Mapping[str, str], max_message_bytes: int) -> None:
        self._dead_letters = dead_letters
        self._max_message_bytes = max_message_bytes

    def settle(self, refusals: Sequence[Refusal], attempt: Attempt) -> list[Refused]:
        """Publish entries that were refused, in their order, by halves until each is taken or
        refused for itself; then a dead letter takes its place.

        Returns:
            Those that were refused for themselves. Where the dead letter is refused, too, nothing
            is published, and the log holds where the request is.

        Raises:
            Exception: what `attempt` raises.
        """
        refused: dict[tuple[str, int, int], Refused] = {}
        self._settle(refusals, attempt, refused)
        return list(refused.values())

    def _settle(
        self,
        refusals: Sequence[Refusal],
        attempt: Attempt,
        refused: dict[tuple[str, int, int], Refused],
    ) -> None:
        entries = []
        for refusal in refusals:
            if not refusal.is_alone:
                entries.append(refusal.entry)
                continue
            letter, refused[refusal.entry.position] = self._in_its_place(refusal)
            if letter is not None:
                entries.append(letter)
        halves = len(entries) // 2 if not any(refusal.is_alone for refusal in refusals) else 0
        for some in (entries[:halves], entries[halves:]):
            if some and (again := attempt(some)):
                is_alone = len(some) == 1
                self._settle(
                    [each._replace(is_alone=each.is_alone or is_alone) for each in again],
                    attempt,
                    refused,
                )

    def _in_its_place(self, refusal: Refusal) -> tuple[Entry | None, Refused]:
        """What to publish instead of an entry that was refused for itself, and what to tell."""
        entry, why = refusal.entry, _what_to_do(refusal)
        entry.of.refused.append(entry.i)
        request, topic = entry.request, self._dead_letters[str(entry.request.topic())]
        if entry.is_small:
            place = f"{request.topic()}[{request.partition()}] at {request.offset()}"
            logger.error("nothing is published of %s: %s", place, why)
            return None, Refused(request, why, has_letter=False)
        is_small = entry.of.topic == topic
        size_bytes = _SMALL_BYTES if is_small else self._max_message_bytes
        error = InvalidMessageError(Reason.ANSWER_REFUSED, why)
        letter = write_letter(request, error, min(size_bytes, self._max_message_bytes))
        outgoing = Outgoing(topic, [letter.value], [letter.key], [letter.headers], None, [request])
        return Entry(outgoing, 0, is_small), Refused(request, why, has_letter=True)


def _what_to_do(refusal: Refusal) -> str:
    """Why, for whoever sent the request; what a client says of a size names none."""
    of, i, _ = refusal.entry
    if _TOO_LARGE not in refusal.why:
        return f"{of.topic} refused it: {refusal.why}"
    return (
        f"{of.topic} takes no record of {counted(len(of.values[i] or b''), 'byte')}: send fewer "
        "rows at once, or raise its max.message.bytes and the workers' --max-message-bytes"
    )


def entries_of(batch: Sequence[Outgoing]) -> list[Entry]:
    """All records of a batch, one by one."""
    return [Entry(of, i) for of in batch for i in range(len(of.requests))]


def as_entries(
    entries: Sequence[Entry], parts: Sequence[Outgoing], refusals: Sequence[Refusal]
) -> list[Refusal]:
    """Refusals of entries, in their order, from refusals of what each of them is `alone`."""
    found = {id(refusal.entry.of): refusal for refusal in refusals}
    return [
        found[id(part)]._replace(entry=entry)
        for entry, part in zip(entries, parts, strict=True)
        if id(part) in found
    ]


class Failures:
    """Collects the failures that a producer reports, on any thread, and finds their entries."""

    def __init__(self) -> None:
        self._of_records: list[tuple[str | None, bytes | None, int, str]] = []
        self._of_others: str | None = None
        """The first failure that is not about a record."""

    def on_delivery(self, error: KafkaError | None, message: Message) -> None:
        """As a producer calls it; only failures matter."""
        if error is None or error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            return
        if is_of_a_record(error):
            self._of_records.append((message.topic(), message.value(), error.code(), error.str()))
        elif self._of_others is None:
            self._of_others = f"{message.topic()}: {error.str()}"

    def raise_others(self) -> None:
        """Raise BrokerError if something failed that is not about a record."""
        if self._of_others is not None:
            raise BrokerError(f"the broker did not take an answer: {self._of_others}")

    def take(self, batch: Sequence[Outgoing]) -> list[Refusal]:
        """Entries of a batch whose record was refused; forgets them."""
        failed, self._of_records = self._of_records, []
        if not failed:
            return []
        # Where the broker says which ones it means, it says so of the others, too.
        is_named = any(code == _ANOTHER for *_, code, _ in failed)
        found: dict[tuple[str | None, bytes | None], list[tuple[int, str]]] = {}
        for topic, value, code, why in failed:
            found.setdefault((topic, value), []).append((code, why))
        refusals = []
        for entry in entries_of(batch):
            if errors := found.get((entry.of.topic, entry.of.values[entry.i])):
                code, why = errors.pop()
                refusals.append(Refusal(entry, why, is_named and code != _ANOTHER))
        return refusals
