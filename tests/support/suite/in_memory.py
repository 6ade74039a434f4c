"""Pytest plug-in: tests' folders are in memory, where there is room.

What a test makes durable, such as a database, would wait for the disk: most of the time of some
files. What a killed process wrote is there all the same.
"""

import os
from pathlib import Path

import pytest

ROOT = "PYTEST_DEBUG_TEMPROOT"
"""Variable that names the folder in which pytest makes those of tests."""
MEMORY = Path("/dev/shm")
ROOM_BYTES = 2 * 2**30
"""A run takes a tenth of it. Containers often have 64 MB."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Before the first folder is made; processes of this run do as this one."""
    if has_room(MEMORY):
        os.environ.setdefault(ROOT, str(MEMORY))


def has_room(folder: Path) -> bool:
    """Whether the folder is there, and takes a run's files, of which some are programs."""
    if not os.access(folder, os.W_OK):
        return False
    of = os.statvfs(folder)
    return of.f_bavail * of.f_frsize >= ROOM_BYTES and not of.f_flag & os.ST_NOEXEC
