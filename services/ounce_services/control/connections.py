"""How many may be connected to the control plane, and for how long without a request."""

import asyncio
import logging
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_log = logging.getLogger(__name__)
_TELL_EVERY_S = 60.0


class Connection(H11Protocol):
    """A connection of the server: one of so many at most, further ones are closed at once."""

    most = 500
    """Half of the open files that systems permit by default: databases and Kafka take some, too."""
    silent_s = 60.0
    """So long it may take over the head of a request, or over reading an answer."""
    _looking: asyncio.TimerHandle | None = None
    _told_s: ClassVar[float] = float("-inf")

    def connection_made(self, transport: Any) -> None:
        """See asyncio."""
        super().connection_made(transport)
        if len(self.connections) <= self.most:
            self._look_later()
            return
        transport.abort()
        if self.loop.time() - Connection._told_s >= _TELL_EVERY_S:
            Connection._told_s = self.loop.time()
            _log.warning("%d callers are connected: no more", self.most)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._looking = self.loop.call_later(self.silent_s, self._look, self.cycle)

    def _look(self, before: RequestResponseCycle | None) -> None:
        """End a connection that has asked for nothing since, and is answered nothing that it reads.

        What comes of a body that was answered before it was whole asks for nothing.
        """
        is_answered = before is None or before.response_complete
        if self.cycle is before and (is_answered or self.transport.get_write_buffer_size() > 0):
            self.transport.abort()
        else:
            self._look_later()
