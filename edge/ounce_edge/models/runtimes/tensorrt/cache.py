"""Engines on disk: built once for a model, a TensorRT and a GPU.

An engine is native code. So only engines of the own folder are loaded, and only while no other user
can write there. A file is one line of JSON, which says what the engine is of, and then the engine.
Likewise the kernels that TensorRT for RTX compiled of one, which are of a GPU and its driver::

    <digest of what it is of>.engine
    <digest of what they are of>.kernels
    <likewise>.tried

The latter are kernels that a load tries, or died of.
"""

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import msgspec
from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.tensorrt.engine_key import EngineKey
from ounce_edge.models.runtimes.tensorrt.refusals import Refusals
from ounce_edge.models.runtimes.tensorrt.whole_files import remove, write_whole

__all__ = ["CachedEngine", "EngineCache", "EngineKey"]

logger = logging.getLogger(__name__)

_ENGINE, _KERNELS, _TRIED = ".engine", ".kernels", ".tried"
_MOST_HEADER = 100_000


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: EngineKey
    model: str
    """Task and model, for people."""
    sha256: str
    """Of the engine."""
    most: int | None = None
    """Items that it takes in a call; None: as its key says."""


class CachedEngine(msgspec.Struct, frozen=True):
    """A file of the cache."""

    path: Path
    size_bytes: int
    used_at_s: float
    """When it was last loaded or written, seconds since 1970."""
    key: EngineKey | None
    """None: the file is damaged."""
    model: str
    most: int = 0
    """Items that it takes in a call."""


class EngineCache:
    """A folder of engines, of this user alone.

    Args:
        folder: made where it is absent.

    Raises:
        ArtifactError: the folder can't be made, is another user's, or others can write to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refusals = Refusals(folder)
        """Why models have no engine here."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            status = folder.stat()
        except OSError as e:
            raise ArtifactError(f"{folder}: can't be made: {e.strerror or e}") from e
        if status.st_uid != os.geteuid():
            raise ArtifactError(
                f"{folder}: belongs to another user, and engines run as native code; name another "
                "folder, or give it to this user with chown"
            )
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ArtifactError(
                f"{folder}: other users can write there, and engines run as native code; give it "
                "to this user alone with chmod 700"
            )

    def read(self, key: EngineKey) -> bytes | None:
        """An engine; None where there is none, or where its file is damaged, which is removed."""
        return self._read(key, _ENGINE)

    def read_kernels(self, key: EngineKey) -> bytes | None:
        """As `read`, of compiled kernels. They are set aside until `approve_kernels`, so that no
        load after one that died of them finds them."""
        kernels = self._read(key, _KERNELS)
        if kernels is not None:
            self._rename(key, _KERNELS, _TRIED)
        return kernels

    def approve_kernels(self, key: EngineKey) -> None:
        """What was read does no harm: later loads find it, too."""
        self._rename(key, _TRIED, _KERNELS)

    def _rename(self, key: EngineKey, suffix: str, other: str) -> None:
        with suppress(OSError):  # a folder that is mounted to be read, or a file that was pruned
            self._path(key, suffix).rename(self._path(key, other))

    def _read(self, key: EngineKey, suffix: str) -> bytes | None:
        path = self._path(key, suffix)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            logger.warning("can't be read path=%s reason=%s", path, e.strerror or e)
            return None
        header, _, kept = content.partition(b"\n")
        said = _decode(header)
        is_whole = said is not None and said.sha256 == _digest(kept)
        if said is None or not is_whole or said.key != key:
            logger.warning("damaged path=%s", path)
            with suppress(OSError):  # likewise
                path.unlink()
            return None
        with suppress(OSError):  # a folder that is mounted to be read, or a file that was pruned
            os.utime(path)
        return kept

    def write(self, key: EngineKey, model: str, engine: bytes, most: int | None = None) -> Path:
        """Keep an engine, in one step.

        Args:
            key: what it is of.
            model: `<task>/<model>`, for people.
            engine: the bytes.
            most: items that it takes in a call, where it is fewer than the key says.

        Raises:
            ArtifactError: the folder can't be written.
        """
        return self._write(_ENGINE, _Header(key, model, _digest(engine), most), engine)

    def write_kernels(self, key: EngineKey, model: str, kernels: bytes) -> Path:
        """Keep compiled kernels, in one step. Arguments and errors are those of `write`; `key` is
        of the GPU that they were compiled for."""
        return self._write(_KERNELS, _Header(key, model, _digest(kernels)), kernels)

    def _write(self, suffix: str, header: _Header, kept: bytes) -> Path:
        path = self._path(header.key, suffix)
        write_whole(path, msgspec.json.encode(header) + b"\n", kept)
        return path

    def list(self) -> list[CachedEngine]:
        """All engines, those that were used last first. Digests are not checked."""
        return _used_last_first(self._paths(_ENGINE))

    def contents(self) -> frozenset[tuple[str, int]]:
        """Which files are there; a file that takes the place of another counts as new."""
        found = set()
        for path in self._paths(_ENGINE):
            try:
                found.add((path.name, path.stat().st_ino))
            except OSError:
                continue  # another process has removed it
        return frozenset(found)

    def prune(self, keep: Callable[[CachedEngine], bool], most_bytes: int | None = None) -> int:
        """Remove engines and kernels that are not to be kept, and of the others those that were
        used least lately beyond `most_bytes`. Returns how many bytes that freed.

        Raises:
            ArtifactError: the folder can't be written.
        """
        freed = kept = 0
        for engine in _used_last_first(self._paths(_ENGINE, _KERNELS, _TRIED)):
            kept += engine.size_bytes
            if keep(engine) and (most_bytes is None or kept <= most_bytes):
                continue
            kept -= engine.size_bytes
            freed += engine.size_bytes
            remove(engine.path)
        return freed

    def _path(self, key: EngineKey, suffix: str) -> Path:
        return self.folder / f"{key.digest}{suffix}"

    def _paths(self, *suffixes: str) -> Iterator[Path]:
        return chain.from_iterable(self.folder.glob(f"*{suffix}") for suffix in suffixes)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _used_last_first(paths: Iterable[Path]) -> list[CachedEngine]:
    found = [kept for path in paths if (kept := _look(path)) is not None]
    return sorted(found, key=lambda kept: (-kept.used_at_s, kept.path))


def _look(path: Path) -> CachedEngine | None:
    try:
        status = path.stat()
        with path.open("rb") as file:
            said = _decode(file.readline(_MOST_HEADER).rstrip(b"\n"))
    except OSError:
        return None  # another process has removed it
    file_of = path, status.st_size, status.st_mtime
    if said is None:
        return CachedEngine(*file_of, None, "damaged")
    return CachedEngine(*file_of, said.key, said.model, said.most or said.key.most)


def _decode(header: bytes) -> _Header | None:
    try:
        return msgspec.json.decode(header, type=_Header)
    except msgspec.MsgspecError:
        return None
