"""Stores of models made by hand, as `ounce models publish` makes them."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import InService, Release, ReleasedFile, blob_path, release_path


def put_release(store: ModelStore, folder: Path, task: str = "digits", note: str = "") -> str:
    """Put what a task's folder holds in a store, unsigned; the release's digest."""
    files = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        store.write(blob_path(digest), content)
        files.append(
            ReleasedFile(
                place=str(path.relative_to(folder)), sha256=digest, size_bytes=len(content)
            )
        )
    release = Release(
        task=task,
        files=tuple(files),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        author="a",
        note=note,
    )
    digest = hashlib.sha256(release.to_bytes()).hexdigest()
    store.write(release_path(task, digest), release.to_bytes())
    return digest


def in_service(digest: str, number: int = 1, task: str = "digits") -> InService:
    """What a record of `ounce.models` says."""
    return InService(task=task, release=digest, number=number, author="a", at_ms=0)
