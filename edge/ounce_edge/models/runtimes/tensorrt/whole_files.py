"""Files of the folder of engines."""

from pathlib import Path

from ounce_schemas import whole_file
from ounce_schemas.errors import ArtifactError

_OWN = 0o600


def write_whole(path: Path, *parts: bytes) -> None:
    """Write a file in one step, for this user alone.

    Raises:
        ArtifactError: the folder can't be written.
    """
    try:
        path.parent.stat()  # a folder that is gone is not made again: its rights were looked at
        whole_file.write_whole(path, b"".join(parts), _OWN)
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
