"""Telling people what a worker noticed: on the topic `ounce.events`, and in its log.

Events are rare and may be lost; nothing that happens to them may hold up or end serving.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from ounce_schemas.event import EVENT_TYPE, EventKind, OperationalEvent
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_SOURCE,
)

from ounce_edge.wire.records import Send

logger = logging.getLogger(__name__)

_EVERY_MS = 1000
"""The same thing is told at most so often."""
_MOST_REMEMBERED = 256
"""Different things that may be told within `_EVERY_MS`: subjects must not grow it."""

_encode = msgspec.json.Encoder().encode


class Events:
    """What a worker has to say, on any thread.

    Args:
        send: takes the records; any error that it raises is logged.
        on_event: called with task and kind of each event that is told, for metrics.
        clock: seconds since 1970.
        worker: name of the worker that tells.
    """

    def __init__(
        self,
        send: Send,
        on_event: Callable[[str, EventKind], None],
        clock: Callable[[], float] = time.time,
        worker: str = "",
    ) -> None:
        self._worker = worker
        self._send = send
        self._on_event = on_event
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: dict[tuple[EventKind, str, str], _Told] = {}

    def tell(self, kind: EventKind, task: str, subject: str, text: str) -> None:
        """Tell people, unless they were told the same less than a second ago: then the next such
        event says how many there were. Never raises, never waits for Kafka; on any thread.

        Args:
            kind: what happened.
            task: name of the task.
            subject: what it is about: a model, a plan, `plans`, a floor, or `requests`.
            text: what happened, with the figures, in a sentence.
        """
        try:
            with self._lock:
                at_ms = int(self._clock() * 1e3)
                self._tell(OperationalEvent(kind, task, subject, text, at_ms, self._worker))
        except Exception:
            logger.exception("an event was not told: %s %s %s: %s", kind, task, subject, text)

    def _tell(self, event: OperationalEvent) -> None:
        key = (event.kind, event.task, event.subject)
        latest = self._latest.get(key)
        if latest is not None and 0 <= event.at_ms - latest.at_ms < _EVERY_MS:
            latest.untold += 1
            return
        if latest is None and not self._make_room(event.at_ms):
            return
        if latest is not None and latest.untold:
            event.text = f"{event.text} ({latest.untold} more like it since the last event)"
        self._latest[key] = _Told(event.at_ms)
        logger.log(
            logging.INFO if event.kind.is_good else logging.WARNING,
            "event=%s task=%s subject=%s: %s",
            event.kind,
            event.task,
            event.subject,
            " ".join(event.text.split()),
            extra={"event": event.kind, "task": event.task, "subject": event.subject},
        )
        self._on_event(event.task, event.kind)
        headers = [
            (HEADER_ID, str(uuid.uuid4()).encode()),
            ("ce_specversion", b"1.0"),
            ("ce_type", EVENT_TYPE.encode()),
            (HEADER_SOURCE, f"/ounce/{event.task}".encode()),
            (HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON.encode()),
        ]
        self._send(event.task.encode(), _encode(event), headers)

    def _make_room(self, now_ms: int) -> bool:
        """Whether one more thing can be remembered; forgets those told long enough ago."""
        if len(self._latest) >= _MOST_REMEMBERED:
            self._latest = {
                key: told
                for key, told in self._latest.items()
                if 0 <= now_ms - told.at_ms < _EVERY_MS
            }
        return len(self._latest) < _MOST_REMEMBERED


@dataclass(slots=True)
class _Told:
    """When something was told last, and how often it was not since."""

    at_ms: int
    untold: int = 0
