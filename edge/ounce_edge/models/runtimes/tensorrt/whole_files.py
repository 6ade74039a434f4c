"""Files that are there as a whole or not at all, also where several processes write the same."""

import os
import tempfile
from pathlib import Path

from ounce_schemas.errors import ArtifactError

UNFINISHED = ".new-"
"""How names of files begin that are being written."""


def write_whole(path: Path, *parts: bytes) -> None:
    """Write a file in one step, for this user alone.

    Raises:
        ArtifactError: the folder can't be written.
    """
    try:
        number, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as e:
        raise ArtifactError(f"{path}: can't be written: {e.strerror or e}") from e


def remove(path: Path) -> None:
    """Remove a file, where it is there.

    Raises:
        ArtifactError: the folder can't be written.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as e:
        raise ArtifactError(f"{path}: can't be removed: {e.strerror or e}") from e
