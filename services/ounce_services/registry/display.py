"""Releases as lines for people."""

from collections.abc import Iterator, Mapping, Sequence

from ounce_schemas.release import SHORT, InService, Release
from ounce_schemas.wording import counted, utc_text

from ounce_services.dead_letters.display import one_line
from ounce_services.registry.workers import WorkerModels


def release_lines(
    releases: Mapping[str, Release],
    serving: InService | None,
    workers: Sequence[WorkerModels] = (),
) -> Iterator[str]:
    """A line for each release of a task, the newest first.

    Args:
        releases: by digest.
        serving: what is to serve of the task.
        workers: what they told of the task.
    """
    newest_first = sorted(releases.items(), key=lambda item: item[1].created, reverse=True)
    for digest, release in newest_first:
        serves = serving is not None and serving.release == digest
        mark = _mark(serving, workers) if serving is not None and serves else ""
        line = (
            f"{release.task:<16} {digest[:SHORT]}  {release.created:%Y-%m-%d %H:%M}  "
            f"{counted(len(release.models), 'model'):>10}  {release.size_bytes / 1e6:>8.1f} MB  "
            f"{release.author:<12} {mark:<20} {release.note}"
        )
        yield line.rstrip()


def _mark(serving: InService, workers: Sequence[WorkerModels]) -> str:
    n = _n_refusing(serving, workers)
    if not n:
        return f"serves as number {serving.number}"
    return f"asked for as number {serving.number}, refused by {counted(n, 'worker')}"


def _n_refusing(serving: InService, workers: Sequence[WorkerModels]) -> int:
    return sum(bool(worker.whys(serving)) for worker in workers)


def detail_lines(
    digest: str,
    release: Release,
    serving: InService | None,
    is_signed: bool,
    workers: Sequence[WorkerModels] = (),
) -> Iterator[str]:
    """All of one release, and what workers told of it."""
    yield f"release  {digest}"
    yield f"task     {release.task}"
    yield f"created  {release.created:%Y-%m-%d %H:%M:%S} by {release.author}"
    if release.note:
        yield f"note     {release.note}"
    yield f"parent   {release.parent or 'none'}"
    yield f"signed   {'yes' if is_signed else 'no'}"
    if serving is not None and serving.release == digest:
        word = "asked   " if _n_refusing(serving, workers) else "serves  "
        yield f"{word} as number {serving.number} since {utc_text(serving.at_ms)} UTC"
        yield from worker_lines(serving, workers)
    else:
        yield "serves   no"
    for file in release.files:
        yield f"  {file.sha256[:SHORT]}  {file.size_bytes:>12,} bytes  {file.place}"


def worker_lines(serving: InService, workers: Sequence[WorkerModels]) -> Iterator[str]:
    """Of each worker that told of models, or of what is to serve alone."""
    for worker in workers:
        served = worker.release or "none that it told of"
        at = utc_text(worker.told_ms)
        yield one_line(f"worker   {worker.worker} serves {served}, told {at} UTC")
        yield from (one_line(f"  ! {why}") for why in worker.whys(serving))
