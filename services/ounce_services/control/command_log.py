"""What was changed past this control plane, as by commands: they write to Kafka themselves."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.policy_history import PolicyHistory
from ounce_schemas.release import read_in_service
from ounce_schemas.topics import MODELS_TOPIC, POLICIES_TOPIC
from sqlalchemy.exc import SQLAlchemyError

from ounce_services.control.access.audit import Audit, Seen
from ounce_services.control.following import Following, Records
from ounce_services.control.store.outbox import Outbox

_log = logging.getLogger(__name__)
_BEGINNING_MS = 0


class CommandLog:
    """Adds lines to the audit log, with the authors that the records name, while `following` lasts.
    What is in the log already, or was sent from here, gets none.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        audit: the log.
        outbox: what was sent from here.
    """

    def __init__(self, connection: Mapping[str, Any], audit: Audit, outbox: Outbox) -> None:
        self._audit = audit
        self._outbox = outbox
        self._history = PolicyHistory()
        self._unwritten: deque[tuple[Seen, str]] = deque()
        """What was seen, and the record of it, until the database has taken it."""
        self._following = Following(connection, "log of commands", self.topics, self.take)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the block lasts."""
        with self._following.running():
            yield

    def topics(self, names: set[str]) -> Mapping[str, int]:
        """Of these topics those to read: from their beginning."""
        self._write()  # each record comes once: what the database did not take is tried again
        return {t: _BEGINNING_MS for t in (POLICIES_TOPIC, MODELS_TOPIC) if t in names}

    def take(self, topic: str, records: Records) -> None:
        """Take in records of a topic; what changes nothing is passed over."""
        for key, value in records:
            try:
                seen = self._policy(value) if topic == POLICIES_TOPIC else _models(key, value)
            except (PolicyError, ArtifactError):  # workers tell of it
                continue
            if seen is not None:
                self._unwritten.append((seen, (value or b"").decode()))
        self._write()

    def _write(self) -> None:
        try:
            while self._unwritten:
                seen, record = self._unwritten[0]
                if not self._outbox.has_sent(record):
                    self._audit.add_seen(seen)
                self._unwritten.popleft()
        except SQLAlchemyError as e:
            _log.warning("the audit log gets what commands changed later: %s", type(e).__name__)

    def _policy(self, value: bytes | None) -> Seen | None:
        version = self._history.take(value)
        if version is None:
            return None
        how = f"v{version.restores} again" if version.restores else ""
        how = f"the canary of v{version.promotes}" if version.promotes else how
        on_trial = [name for name in ("canary", "shadow") if getattr(version, name) is not None]
        parts = (f"{version.name} in force", how, *(f"a {name}" for name in on_trial), version.note)
        return Seen(
            round(version.at.timestamp() * 1e3),
            version.author,
            "policy.command",
            f"{version.name}, based on {version.base}",
            ": ".join(filter(None, parts)),
        )


def _models(key: bytes | None, value: bytes | None) -> Seen | None:
    if value is None:
        return None
    served = read_in_service((key or b"").decode(errors="replace"), value)
    return Seen(
        served.at_ms,
        served.author,
        "models.command",
        f"{served.task} {served.release[:12]}, based on {served.number - 1}",
        f"number {served.number} in service",
    )
