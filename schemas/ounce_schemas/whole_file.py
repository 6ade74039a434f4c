"""Files that appear whole or not at all, also where several processes write to one folder."""

import fcntl
import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".new"
"""End of a file's name while it is written; a writer that is killed leaves it."""
_OWN = f"*.{'[0-9a-f]' * 32}{UNFINISHED}"
"""Names of those that are written here: others' files stay."""
_LEFT_S = 3600.0
"""What was not written to for so long, and is locked by nobody, was left."""


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file. What killed writers left in its folder an hour ago and more is removed.

    Args:
        path: of the file.
        content: all of it.
        mode: who may do what with it, less what the process's umask takes away.

    Raises:
        OSError: the folder takes none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(path.parent)
    unfinished = path.with_name(f"{path.name}.{uuid4().hex}{UNFINISHED}")  # others may write it too
    try:
        with open(unfinished, "xb", opener=partial(os.open, mode=mode)) as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            unfinished.replace(path)
    except OSError:  # such as a full disk, which it would keep full
        unfinished.unlink(missing_ok=True)
        raise


def _remove_left(folder: Path) -> None:
    for path in folder.glob(_OWN):
        with suppress(OSError):  # it was finished meanwhile, is locked, or is another's
            if time.time() - path.stat().st_mtime > _LEFT_S:
                with path.open("r+b") as file:  # NFS locks nothing else
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()
