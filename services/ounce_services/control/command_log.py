"""What was changed past this control plane: commands write to Kafka themselves, and workers stop
canaries."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ounce_schemas.canary import Stop, read_record
from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.policy_history import PolicyHistory
from ounce_schemas.release import LATEST_MS, read_in_service
from ounce_schemas.topics import canaries_topic, models_topic, policies_topic
from sqlalchemy.exc import SQLAlchemyError

from ounce_services.control.access.audit import Audit, Seen
from ounce_services.control.following import Following, Records
from ounce_services.control.store.database import why
from ounce_services.control.store.outbox import Outbox, Record, models_record, policy_record

_log = logging.getLogger(__name__)
_BEGINNING_MS = 0


class _Found(NamedTuple):
    """A change that Kafka holds."""

    record: Record | None
    """As it would have been sent from here; None: workers alone do this."""
    at_ms: int
    author: str
    subject: str
    outcome: str


class CommandLog:
    """Adds lines to the audit log, with the authors that the records name, while `following` lasts.
    What is in the log already, or was sent from here, gets none. What is older than the database
    may have been sent from anywhere, and is called `earlier`.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        audit: the log.
        outbox: what was sent from here.
    """

    def __init__(self, connection: Mapping[str, Any], audit: Audit, outbox: Outbox) -> None:
        self._audit = audit
        self._outbox = outbox
        self._history = PolicyHistory()
        self._unwritten: deque[_Found] = deque()
        """What was seen, until the database has taken it."""
        self._following = Following(
            connection, "log of commands", self.topics, self.take, self.begin
        )

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the block lasts."""
        with self._following.running():
            yield

    def topics(self, names: set[str]) -> Mapping[str, int]:
        """Of these topics those to read: from their beginning."""
        self._write()  # each record comes once: what the database did not take is tried again
        followed = policies_topic(), canaries_topic(), models_topic()
        return {topic: _BEGINNING_MS for topic in followed if topic in names}

    def begin(self, topic: str) -> None:
        """A topic is read from its beginning."""
        if topic == policies_topic():
            self._history = PolicyHistory()

    def take(self, topic: str, records: Records) -> None:
        """Take in records of a topic; what changes nothing is passed over."""
        for key, value in records:
            try:
                if topic == policies_topic():
                    found = self._policy(value)
                else:
                    found = (_stop if topic == canaries_topic() else _models)(key, value)
            except (PolicyError, ArtifactError):  # workers tell of it
                continue
            if found is not None:
                self._unwritten.append(found)
        self._write()

    def _write(self) -> None:
        try:
            while self._unwritten:
                found = self._unwritten[0]
                if found.record is None or not self._outbox.has_sent(found.record):
                    _, at_ms, author, subject, outcome = found
                    seen = Seen(at_ms, author, self._action(found), subject, outcome)
                    # Each worker that sees enough stops a canary, maybe several at once.
                    self._audit.add_seen(seen, is_once=found.record is None)
                self._unwritten.popleft()
        except SQLAlchemyError as e:
            _log.warning("the audit log gets what commands changed later: %s", why(e))

    def _action(self, found: _Found) -> str:
        if found.record is None:
            return "canary.stopped"
        when = "command" if found.at_ms >= self._audit.began_ms() else "earlier"
        return f"{found.record.kind}.{when}"

    def _policy(self, value: bytes | None) -> _Found | None:
        version = self._history.take(value)
        if version is None:
            return None
        how = f"v{version.restores} again" if version.restores else ""
        how = f"the canary of v{version.promotes}" if version.promotes else how
        on_trial = [name for name in ("canary", "shadow") if getattr(version, name) is not None]
        parts = (f"{version.name} in force", how, *(f"a {name}" for name in on_trial), version.note)
        return _Found(
            policy_record(version.number, (value or b"").decode()),
            min(max(round(version.at.timestamp() * 1e3), _BEGINNING_MS), LATEST_MS),
            version.author,
            f"{version.name}, based on {version.base}",
            ": ".join(filter(None, parts)),
        )


def _stop(key: bytes | None, value: bytes | None) -> _Found | None:
    found = None if value is None else read_record(key, value)
    if not isinstance(found, Stop):
        return None
    at_ms = min(found.at_ms, LATEST_MS)
    return _Found(None, at_ms, found.worker, f"canary {found.canary[:12]}", found.reason)


def _models(key: bytes | None, value: bytes | None) -> _Found | None:
    if value is None:
        return None
    served = read_in_service((key or b"").decode(errors="replace"), value)
    return _Found(
        models_record(served.task, served.number, value.decode()),
        served.at_ms,
        served.author,
        f"{served.task} {served.release[:12]}, based on {served.number - 1}",
        f"number {served.number} in service",
    )
