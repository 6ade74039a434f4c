"""Where the folders of tests are."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.suite import in_memory


@pytest.mark.parametrize(
    ("room_bytes", "before", "after"),
    [(0, None, "folder"), (2**62, None, None), (0, "/elsewhere", "/elsewhere")],
)
def test_they_are_in_memory_where_there_is_room_and_nobody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    room_bytes: int,
    before: str | None,
    after: str | None,
) -> None:
    monkeypatch.setattr(in_memory, "MEMORY", tmp_path)
    monkeypatch.setattr(in_memory, "ROOM_BYTES", room_bytes)
    monkeypatch.setenv(in_memory.ROOT, before or "")
    if before is None:
        monkeypatch.delenv(in_memory.ROOT)
    in_memory.pytest_configure()
    assert os.environ.get(in_memory.ROOT) == (str(tmp_path) if after == "folder" else after)


def test_a_folder_that_is_not_there_has_no_room(tmp_path: Path) -> None:
    assert not in_memory.has_room(tmp_path / "none")


def test_a_folder_from_which_no_program_runs_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    size = {"f_bavail": in_memory.ROOM_BYTES, "f_frsize": 1}
    for flag in (os.ST_NOSUID, os.ST_NOSUID | os.ST_NOEXEC):
        monkeypatch.setattr(os, "statvfs", lambda _, f=flag: SimpleNamespace(f_flag=f, **size))
        assert in_memory.has_room(tmp_path) is (flag == os.ST_NOSUID)
