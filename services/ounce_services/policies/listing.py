"""Versions and workers as tables."""

from collections.abc import Iterable, Sequence

from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.wording import counted, table

from ounce_services.policies.status import WorkerStatus


def history_table(versions: Iterable[PolicyVersion]) -> str:
    """One line a version, the newest first."""
    rows = [("version", "time", "author", "note")]
    for version in sorted(versions, key=lambda v: -v.number):
        at = f"{version.at:%Y-%m-%dT%H:%M:%SZ}"
        rows.append((version.name, at, version.author, note_of(version)))
    return table(rows)


def note_of(version: PolicyVersion) -> str:
    """What a version is beside its policy, and what its author says of it."""
    parts = [f"again v{version.restores}" if version.restores else ""]
    if version.canary is not None:
        parts.append(f"canary on {version.canary.share:.1%} of the devices")
    if version.shadow is not None:
        parts.append(f"shadow of {version.shadow.share:.1%} of the messages")
    return "; ".join(part for part in (*parts, version.note) if part)


def since(worker: WorkerStatus, now_ms: float) -> str:
    """How long a worker has had its version; a dash where it told of none."""
    return age((now_ms - worker.at_ms) / 1e3) if worker.at_ms else "-"


def status_table(workers: Iterable[WorkerStatus], now_ms: float) -> str:
    """One line a worker and task."""
    rows = [("worker", "task", "version", "since", "what it told last")]
    rows += [
        (w.worker, w.task, w.version or "-", since(w, now_ms), w.trouble or "") for w in workers
    ]
    return table(rows)


def silent_line(workers: Sequence[WorkerStatus], version: str) -> str:
    """Those that told nothing since a version came, each once, whatever tasks it has."""
    names = list(dict.fromkeys(worker.worker for worker in workers))
    told = f"told nothing since {version} came, and may be gone"
    return f"{counted(len(names), 'worker')} {told}: {', '.join(names)}"


def age(seconds: float) -> str:
    """A duration in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
