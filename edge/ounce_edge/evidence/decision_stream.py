"""Decisions as records of a topic: each is a whole log, as a file of a folder is one.

So any record can be read without those before it, whichever of them the topic has dropped. Nothing
is waited for: what can't be sent is lost, and costs the record and nothing else.
"""

from collections.abc import Callable

import msgspec

from ounce_edge.evidence.decided import AnsweredIds, Decided, entry_of, framed
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.evidence.incidents import Incident
from ounce_edge.evidence.senders import SenderBook
from ounce_edge.wire.records import Send

MOST_BYTES = 200_000
"""A record is sent when it has as many; well below Kafka's default bound of a million."""


class DecisionStream:
    """Sends the decisions of one task.

    Args:
        send: takes records.
        close: sends what is queued.
        header: what does not change.
    """

    is_stopped = False

    def __init__(self, send: Send, close: Callable[[], None], header: LogHeader) -> None:
        self.senders = SenderBook()
        self._send = send
        self._close = close
        self._encode = msgspec.msgpack.Encoder().encode
        self._header = header
        self._parts: list[bytes] = []
        self._n_bytes = 0
        self._written: set[int] = set()
        """Numbers of the senders that the growing record tells of."""

    def begin(self, header: LogHeader) -> None:
        """Another header, from the next record on."""
        self.flush()
        self._header = header

    def record(self, at_ms: float, decided: Decided, answered: AnsweredIds) -> None:
        """Take one decision; see `entry_of`."""
        entry = entry_of(at_ms, decided, answered, self.senders, self._written)
        part = framed(self._encode(entry))
        self._parts.append(part)
        self._n_bytes += len(part)
        if self._n_bytes >= MOST_BYTES:
            self.flush()

    def take_incidents(self) -> list[Incident]:
        """None: what sends says in its log that the topic takes nothing."""
        return []

    def flush(self) -> None:
        """Send what was recorded."""
        if self._parts:
            value = b"".join([framed(self._encode(self._header)), *self._parts])
            self._send(self._header.task.encode(), value, ())
        self._parts, self._n_bytes, self._written = [], 0, set()

    def close(self) -> None:
        """Send what was recorded, and what is queued."""
        self.flush()
        self._close()
