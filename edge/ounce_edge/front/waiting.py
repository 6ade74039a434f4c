"""Who waits for which answer. The event loop's thread alone touches it.

A mark of this process and a number travel with the request, in the header `ce_ouncereply`, and come
back with the answer. So any number of fronts may read the same topics, and one that starts anew
takes no answer of the one before for its own.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.wire.records import Headers

NOBODY = b"http:nobody"
"""Header of a request whose answer nobody waits for. It stands there all the same: without one, an
attribute of an event in the body would count, which could name somebody else."""


class Came(NamedTuple):
    """An answer or a dead letter."""

    number: int
    """Of who waits for it."""
    body: bytes | None
    headers: Headers


class Ticket(NamedTuple):
    """One who waits."""

    reply: bytes
    """Header of the request."""
    answer: "asyncio.Future[Came]"


class ReplyMark:
    """Writes and reads the header of one process."""

    def __init__(self) -> None:
        self._mark = f"http:{secrets.token_hex(8)}:".encode()

    def write(self, number: int) -> bytes:
        """The header of one who waits."""
        return b"%b%d" % (self._mark, number)

    def read(self, header: bytes) -> int | None:
        """Who waits; None where it is nobody of this process."""
        number = header.removeprefix(self._mark)
        return int(number) if len(number) < min(len(header), 20) and number.isdigit() else None


class Waiting:
    """Those who wait, at most so many.

    Args:
        most: that may wait.
        tell_unclaimed: called for each answer for which nobody waits any more.
    """

    def __init__(self, most: int, tell_unclaimed: Callable[[], object]) -> None:
        self.mark = ReplyMark()
        self._most = most
        self._tell_unclaimed = tell_unclaimed
        self._numbers = count(1)
        self._tickets: dict[int, Ticket] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    @contextmanager
    def wait(self) -> Iterator[Ticket]:
        """Wait, until the context is left.

        Raises:
            NotAnsweredError: too many wait already.
        """
        if len(self._tickets) >= self._most:
            raise NotAnsweredError(429, f"{self._most} requests wait already (--max-waiting)")
        number = next(self._numbers)
        ticket = Ticket(self.mark.write(number), asyncio.get_running_loop().create_future())
        self._tickets[number] = ticket
        try:
            yield ticket
        finally:
            del self._tickets[number]

    def finish(self, came: Iterable[Came]) -> None:
        """Hand answers to those who wait for them."""
        for one in came:
            ticket = self._tickets.get(one.number)
            if ticket is None or ticket.answer.done():
                self._tell_unclaimed()
            else:
                ticket.answer.set_result(one)

    def give_up(self) -> None:
        """Tell those who still wait that this process ends."""
        for ticket in self._tickets.values():
            if not ticket.answer.done():
                text = "this front ends before the answer came; a worker may still give it"
                ticket.answer.set_exception(NotAnsweredError(503, text))
