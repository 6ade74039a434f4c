"""A disk that a process fills soon: a file system in memory, or a limit on the process's files."""

import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest


class SmallDisk:
    """A folder on a small disk; a context manager.

    Where this user may mount, it is a file system of its own (`ENOSPC`). Else no file of a process
    that is held to it grows over the size (`EFBIG`).

    Args:
        folder: to make.
        kilobytes: of the disk.
    """

    def __init__(self, folder: Path, kilobytes: int) -> None:
        self.folder = folder
        self._kilobytes = kilobytes
        self.is_mounted = False
        """Whether it is a file system, which others can fill, too."""
        self._pid: int | None = None

    def need_mount(self) -> None:
        """Skip the test where this user may not mount."""
        if not self.is_mounted:
            pytest.skip("this user may not mount a disk")

    def hold(self, pid: int | None) -> None:
        """Hold a process to the disk; None: nobody."""
        self._pid = pid
        self._limit()

    def grow(self, kilobytes: int) -> None:
        """Make room."""
        self._kilobytes = kilobytes
        if self.is_mounted:
            self._mount(f"remount,size={kilobytes}k")
        self._limit()

    def fill(self, but: int = 0) -> None:
        """Take up the room that is left, as another program may, but for so many bytes."""
        assert self.is_mounted  # else it would be that of the machine's disk
        with suppress(OSError), (self.folder / "others").open("ab", buffering=0) as file:
            while shutil.disk_usage(self.folder).free > but:
                file.write(bytes(4096))

    def __enter__(self) -> Self:
        self.folder.mkdir()
        self.is_mounted = self._mount(f"size={self._kilobytes}k")
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _limit(self) -> None:
        if not self.is_mounted and self._pid is not None:
            _, hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (self._kilobytes * 1024, hard))
