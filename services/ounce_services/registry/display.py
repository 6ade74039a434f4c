"""Releases as lines for people."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ounce_schemas.release import InService, Release
from ounce_schemas.wording import counted

SHORT = 12
"""Digits of a digest that are shown."""


def release_lines(releases: Mapping[str, Release], serving: InService | None) -> Iterator[str]:
    """A line for each release of a task, the newest first.

    Args:
        releases: by digest.
        serving: what serves of the task.
    """
    newest_first = sorted(releases.items(), key=lambda item: item[1].created, reverse=True)
    for digest, release in newest_first:
        serves = serving is not None and serving.release == digest
        mark = f"serves as number {serving.number}" if serving is not None and serves else ""
        line = (
            f"{release.task:<16} {digest[:SHORT]}  {release.created:%Y-%m-%d %H:%M}  "
            f"{counted(len(release.models), 'model'):>10}  {release.size_bytes / 1e6:>8.1f} MB  "
            f"{release.author:<12} {mark:<20} {release.note}"
        )
        yield line.rstrip()


def detail_lines(
    digest: str, release: Release, serving: InService | None, is_signed: bool
) -> Iterator[str]:
    """All of one release."""
    yield f"release  {digest}"
    yield f"task     {release.task}"
    yield f"created  {release.created:%Y-%m-%d %H:%M:%S} by {release.author}"
    if release.note:
        yield f"note     {release.note}"
    yield f"parent   {release.parent or 'none'}"
    yield f"signed   {'yes' if is_signed else 'no'}"
    if serving is not None and serving.release == digest:
        at = datetime.fromtimestamp(serving.at_ms / 1e3, UTC)
        yield f"serves   as number {serving.number} since {at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        yield "serves   no"
    for file in release.files:
        yield f"  {file.sha256[:SHORT]}  {file.size_bytes:>12,} bytes  {file.place}"
