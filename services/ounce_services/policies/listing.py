"""Versions and workers as tables."""

from collections.abc import Iterable, Sequence

from ounce_schemas.policy_history import PolicyVersion

from ounce_services.policies.status import WorkerStatus


def history_table(versions: Iterable[PolicyVersion]) -> str:
    """One line a version, the newest first."""
    rows = [("version", "time", "author", "note")]
    for version in sorted(versions, key=lambda v: -v.number):
        again = f"again v{version.restores}" if version.restores else ""
        note = "; ".join(part for part in (again, version.note) if part)
        rows.append((version.name, f"{version.at:%Y-%m-%dT%H:%M:%SZ}", version.author, note))
    return table(rows)


def status_table(workers: Iterable[WorkerStatus], now_ms: float) -> str:
    """One line a worker and task."""
    rows = [("worker", "task", "version", "since", "what it told last")]
    rows += [
        (w.worker, w.task, w.version or "-", age((now_ms - w.at_ms) / 1e3), w.trouble or "")
        for w in workers
    ]
    return table(rows)


def age(seconds: float) -> str:
    """A duration in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, the last one as it is."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
