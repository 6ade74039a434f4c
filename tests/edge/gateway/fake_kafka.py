"""A producer that a test plays, for what a gateway has stored."""

from collections.abc import Sequence
from typing import Any

from ounce_edge.broker.delivery.refusals import Entry, Refusal
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.wire.records import Outgoing
from ounce_schemas.errors import BrokerError


class FakeKafka:
    """Takes batches of which no value is bad, and notes the number that goes with each."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.committed = 0
        self.n_asked = 0
        self.tried: list[int] = []
        """Numbers of batches that came without records."""
        self.denied = ""
        """A topic that takes nothing."""
        self.fails: list[str] = []
        """Of the next commits: `first`, `aborted`, `silent` (taken and not told) or `odd`."""

    def producer(self, *_: Any, offsets_first: bool) -> "FakeKafka":
        assert offsets_first
        return self

    def commit(self, batch: Sequence[Outgoing], offsets: Any, _: Any) -> list[Refusal]:
        if not batch:
            self.tried.append(offsets[0].offset)
            if self.fails[:1] == ["first"]:
                raise AbortedError(self.fails.pop(0))
            return []
        self.n_asked += 1
        if any(outgoing.topic == self.denied for outgoing in batch):
            raise BrokerError("no right to write")
        values = [bytes(value or b"") for outgoing in batch for value in outgoing.values]
        if b"bad" in values:
            return [Refusal(Entry(batch[0], 0), "Invalid record", is_alone=len(values) == 1)]
        fails = self.fails.pop(0) if self.fails else ""
        if fails == "odd":
            raise ValueError("nobody foresaw this")
        if fails != "aborted":
            self.taken += values
            self.committed = offsets[0].offset
        if fails:
            raise AbortedError(fails)
        return []

    def stop_trying(self) -> None:
        pass

    def close(self) -> None:
        pass
