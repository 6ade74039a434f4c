"""Which worker runs which version, as the workers' events tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from ounce_schemas.event import EventKind, read_events
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.release import LATEST_MS

_KINDS = {
    EventKind.POLICY_CHANGED,
    EventKind.POLICY_REFUSED,
    EventKind.POLICIES_UNREACHED,
    EventKind.POLICIES_REACHED,
}

_TIME_TO_TELL_MS = 60_000
"""A worker that follows policies tells of a new version within seconds."""


@dataclass
class WorkerStatus:
    """One worker and task."""

    worker: str
    task: str
    version: str | None = None
    """In force; None: the one that it started with."""
    at_ms: int = 0
    """When it told that last, since 1970."""
    trouble: str | None = None
    """Why it does not run the latest version, where it told so."""
    told_ms: int = 0
    """When it told anything of policies last, since 1970."""
    refused: str | None = None
    """Version that it refused last. Its clock may be off, this tells what it has seen."""

    def is_silent(self, version: PolicyVersion | None, now_ms: float) -> bool:
        """Whether it told nothing since this version came: it is gone, cut off, or follows no
        policies any more.

        Args:
            version: in force; None: there is none.
            now_ms: the time, since 1970.
        """
        if version is None or version.name in (self.version, self.refused):
            return False
        came_ms = version.at.timestamp() * 1e3
        return self.told_ms < came_ms < now_ms - _TIME_TO_TELL_MS


def read_statuses(values: Iterable[bytes | None]) -> list[WorkerStatus]:
    """From the records of `ounce.events`, in order; by worker and task."""
    found: dict[tuple[str, str], WorkerStatus] = {}
    for event in read_events(values, _KINDS):
        key = event.worker, event.task
        status = found.setdefault(key, WorkerStatus(*key))
        status.told_ms = min(max(event.at_ms, 0), LATEST_MS)  # anybody may write any number
        if event.kind is EventKind.POLICY_REFUSED:
            status.refused = event.subject
        if event.kind is EventKind.POLICY_CHANGED:
            status.version, status.at_ms, status.trouble = event.subject, status.told_ms, None
        else:
            status.trouble = None if event.kind is EventKind.POLICIES_REACHED else event.text
    return [found[key] for key in sorted(found)]
