"""What is made once for all processes of a run."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.suite.processes import number_of_processes


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first process to ask for it makes; the others wait.

    Args:
        factory: of this process.
        name: of the folder.
        make: fills the folder that it is given.
    """
    root = factory.getbasetemp()
    if number_of_processes() > 1:
        root = root.parent  # the run's, of which each process has a part
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            make(folder)
            made.touch()
    return folder
