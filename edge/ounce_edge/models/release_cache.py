"""Releases of a store, kept on this machine's disk: whole, checked, and not too many.

::

    releases/<sha256>/release.json, signature
    releases/<sha256>/<task>/task.json, plans.json, <model>/model.onnx, <model>/card.json
    parts/<sha256>               a file that is not whole yet
    serving/<task>               digest of the release that served last as a whole, else of the
                                 first one that served
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import (
    MOST_RELEASE_BYTES,
    Release,
    ReleasedFile,
    blob_path,
    read_release,
    release_path,
    signature_path,
)
from ounce_schemas.release_signature import RELEASE_FILE, check_signature

logger = logging.getLogger(__name__)

_SIGNATURE_FILE = "signature"
_MOST_SIGNATURE_BYTES = 100_000


class ReleaseCache:
    """Fetches releases. For one thread.

    Args:
        store: where from.
        folder: of the cache; no other process uses it.
        most_bytes: it holds at most.
        keys: PEM files of public keys, one of which has signed; none: nothing need be signed.
    """

    def __init__(
        self, store: ModelStore, folder: Path, most_bytes: int, keys: Sequence[Path]
    ) -> None:
        self._store = store
        self._releases, self._parts = folder / "releases", folder / "parts"
        self._serving = folder / "serving"
        self._most_bytes = most_bytes
        self._keys = keys
        self._used: dict[str, str] = {}
        """By task, the release that was fetched last."""

    def fetch(self, task: str, digest: str) -> Path:
        """Have a release here, checked: a folder of models, as `ounce train` writes one.

        What was fetched before is not fetched again; a file that was fetched in part is fetched on.

        Raises:
            ArtifactError: the store is away, or does not hold what its digests and its signature
                say; or the disk or the cache has no room.
        """
        place = self._releases / digest
        try:
            if not self._is_here(place, task, digest):
                self._fetch(place, task, digest)
        except OSError as e:
            raise ArtifactError(f"release {digest[:12]} can't be kept: {e.strerror or e}") from e
        self._used[task] = digest
        return place

    def _is_here(self, place: Path, task: str, digest: str) -> bool:
        if place.is_dir():
            try:
                self._check(place, task, digest)
                return True
            except (OSError, ArtifactError) as e:
                logger.warning("release %s is fetched again: %s", digest[:12], e)
                shutil.rmtree(place)
        return False

    def last(self, task: str) -> Path | None:
        """The release of which all served last, else the first one that served, in a folder that
        has its digest for a name, where it is here; a store that is away does not matter."""
        try:
            digest = (self._serving / task).read_text()
            return self._check(self._releases / digest, task, digest)
        except FileNotFoundError:
            return None
        except (OSError, ArtifactError) as e:
            logger.error("what served last of task %s is of no use: %s", task, e)
            return None

    def serves(self, task: str, digest: str, is_whole: bool = True) -> None:
        """Remember what serves, for the next start.

        Args:
            task: its name.
            digest: of the release.
            is_whole: whether all of its models serve. Else the one before is still needed, where
                there is one.
        """
        if not is_whole and (self._serving / task).exists():
            return
        try:
            self._serving.mkdir(parents=True, exist_ok=True)
            fresh = self._serving / f".{task}"
            fresh.write_text(digest)
            fresh.replace(self._serving / task)
        except OSError as e:
            logger.warning("the next start does not know what served of %s: %s", task, e)

    def _check(self, place: Path, task: str, digest: str) -> Path:
        """A release that is here: what it holds may have changed, and the keys, too."""
        content = (place / RELEASE_FILE).read_bytes()
        release = read_release(content, digest)
        signature = place / _SIGNATURE_FILE
        self._check_signed(content, signature.read_bytes() if signature.is_file() else None)
        self._check_task(release, task, digest)
        for file in release.files:
            _check_digest(place / task / file.place, file)
        return place

    def _fetch(self, place: Path, task: str, digest: str) -> None:
        content = self._read(release_path(task, digest), MOST_RELEASE_BYTES, digest)
        release = read_release(content, digest)
        self._check_task(release, task, digest)
        signature = None
        if self._keys:
            signature = self._read(signature_path(digest), _MOST_SIGNATURE_BYTES, digest)
        self._check_signed(content, signature)
        held = dict(self._held())
        missing = {f.sha256: f.size_bytes for f in release.files if f.sha256 not in held}
        used = [held[f.sha256] for f in release.files if f.sha256 in held]
        spared = {path.relative_to(self._releases).parts[0] for path in used}
        self._make_room(sum(missing.values()), spared)
        self._keep_parts(missing)
        fresh = self._releases / f".{digest}"
        shutil.rmtree(fresh, ignore_errors=True)
        for file in release.files:
            target = fresh / task / file.place
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.sha256 in held:
                _link(held[file.sha256], target)
                _check_digest(target, file)
            else:
                self._download(file).replace(target)
                held[file.sha256] = target
        (fresh / RELEASE_FILE).write_bytes(content)
        if signature is not None:
            (fresh / _SIGNATURE_FILE).write_bytes(signature)
        fresh.rename(place)

    def _read(self, path: str, most_bytes: int, digest: str) -> bytes:
        try:
            return self._store.read(path, most_bytes)
        except FileNotFoundError as e:
            what = "is not signed" if path.startswith("signatures") else "is not there"
            raise ArtifactError(f"release {digest[:12]} {what}: {self._store.url}/{path}") from e

    def _check_signed(self, content: bytes, signature: bytes | None) -> None:
        if self._keys:
            if signature is None:
                raise ArtifactError("it is not signed, and this worker has --models-key")
            check_signature(content, signature, self._keys)

    def _check_task(self, release: Release, task: str, digest: str) -> None:
        if release.task != task:
            raise ArtifactError(f"release {digest[:12]} is of task {release.task}, not of {task}")

    def _download(self, file: ReleasedFile) -> Path:
        """A file, whole; goes on where it was left."""
        part = self._parts / file.sha256
        start = part.stat().st_size if part.is_file() else 0
        if start > file.size_bytes:
            part.unlink()
            start = 0
        path = blob_path(file.sha256)
        try:
            with part.open("ab") as out:
                for content in self._store.chunks(path, start, file.size_bytes):
                    out.write(content)
        except FileNotFoundError as e:
            raise ArtifactError(f"{self._store.url} has lost {file.place} ({path})") from e
        except OSError:
            part.unlink(missing_ok=True)  # a disk that is full needs the room
            raise
        try:
            _check_digest(part, file)
        except ArtifactError:
            part.unlink()
            raise
        return part

    def _held(self) -> Iterator[tuple[str, Path]]:
        """Files that are here, by digest."""
        for place in self._whole():
            try:
                release = Release.model_validate_json((place / RELEASE_FILE).read_bytes())
            except (OSError, ValueError):
                continue
            for file in release.files:
                yield file.sha256, place / release.task / file.place

    def _whole(self) -> list[Path]:
        """Releases that are here, the oldest first."""
        if not self._releases.is_dir():
            return []
        found = [p for p in self._releases.iterdir() if not p.name.startswith(".")]
        return sorted(found, key=lambda p: p.stat().st_mtime_ns)

    def _make_room(self, n_bytes: int, spared: Collection[str]) -> None:
        """Forget releases that do not serve, the oldest first, until so many bytes fit.

        Raises:
            ArtifactError: they never do.
        """
        serving = {p.read_text() for p in self._serving.glob("[!.]*")}
        serving |= {*self._used.values(), *spared}
        for place in [p for p in self._whole() if p.name not in serving]:
            if self._size_bytes() + n_bytes <= self._most_bytes:
                return
            shutil.rmtree(place)
        size_bytes = self._size_bytes()
        if size_bytes + n_bytes > self._most_bytes:
            raise ArtifactError(
                f"the release needs {n_bytes / 1e6:.1f} MB beside the {size_bytes / 1e6:.1f} MB "
                f"that serve, and the cache holds {self._most_bytes / 1e6:g} MB: raise "
                "--models-cache-mb"
            )

    def _keep_parts(self, wanted: Collection[str]) -> None:
        """Forget what was fetched in part for releases that others replaced."""
        self._parts.mkdir(parents=True, exist_ok=True)
        for part in self._parts.iterdir():
            if part.name not in wanted:
                part.unlink()

    def _size_bytes(self) -> int:
        files = {}
        for top, _, names in os.walk(self._releases):
            for name in names:
                found = (Path(top) / name).stat()
                files[found.st_ino] = found.st_size  # files of two releases are links
        return sum(files.values())


def _check_digest(path: Path, file: ReleasedFile) -> None:
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != file.sha256:
        raise ArtifactError(
            f"{file.place}: sha256 {digest[:12]}… is not the release's {file.sha256[:12]}…"
        )


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
