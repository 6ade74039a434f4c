"""Replacing a folder whole: readers see the old one or the new one, never half of either."""

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ounce_schemas.errors import ArtifactError

UNFINISHED = ".new-"
"""How the names of what is not whole yet begin."""

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_OLD = ".old"


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """An empty folder of the same name that takes the place of `folder` at the end.

    It is made in a hidden folder beside `folder` and vanishes on an error. What a process that was
    killed left there is removed.

    Raises:
        ArtifactError: the folder can't be written, or another process is making it.
    """
    place = folder.resolve()
    scratch = place.parent / f"{UNFINISHED}{folder.name}"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with _sole_use(scratch, folder):
            try:
                _clear(scratch, place)
                fresh = scratch / folder.name
                fresh.mkdir()
                yield fresh
                put_in_place(fresh, place)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e
    except (KeyboardInterrupt, SystemExit):  # a signal, perhaps before anything was in it
        with suppress(OSError):
            scratch.rmdir()
        raise


def put_in_place(fresh: Path, place: Path) -> None:
    """Move `fresh` to `place`. What was there moves to where `fresh` was.

    One step on Linux. Other systems, and file systems that can't exchange names, take two: where a
    process is killed between them, the next `fresh_folder` brings the old one back.

    Raises:
        OSError: the file system refuses.
    """
    if not place.exists():
        fresh.rename(place)
    elif not _exchange(fresh, place):
        place.rename(fresh.with_name(_OLD))
        fresh.rename(place)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names with renameat2(2). False where that can't be done here."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


@contextmanager
def _sole_use(scratch: Path, folder: Path) -> Iterator[None]:
    """Hold a lock that ends with the process.

    Raises:
        ArtifactError: another process holds it.
    """
    descriptor = os.open(scratch, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(descriptor)
        raise ArtifactError(f"{folder}: another training is writing it; wait for its end") from e
    try:
        yield
    finally:
        os.close(descriptor)


def _clear(scratch: Path, place: Path) -> None:
    """Remove what a killed process left, but for what it had moved away from `place`."""
    old = scratch / _OLD
    if old.exists() and not place.exists():
        old.rename(place)
    for path in scratch.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
