"""Which worker runs which version, as the workers' events tell."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.json_errors import NO_JSON

_KINDS = {
    EventKind.POLICY_CHANGED,
    EventKind.POLICY_REFUSED,
    EventKind.POLICIES_UNREACHED,
    EventKind.POLICIES_REACHED,
}


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


def read_statuses(values: Iterable[bytes | None]) -> list[WorkerStatus]:
    """From the records of `ounce.events`, in order; by worker and task."""
    found: dict[tuple[str, str], WorkerStatus] = {}
    for value in values:
        try:
            event = msgspec.json.decode(value or b"", type=OperationalEvent)
        except NO_JSON:
            continue
        if event.kind not in _KINDS:
            continue
        key = event.worker, event.task
        status = found.setdefault(key, WorkerStatus(*key))
        if event.kind is EventKind.POLICY_CHANGED:
            status.version, status.at_ms, status.trouble = event.subject, event.at_ms, None
        else:
            status.trouble = None if event.kind is EventKind.POLICIES_REACHED else event.text
    return [found[key] for key in sorted(found)]
