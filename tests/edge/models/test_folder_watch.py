"""A change of a folder is taken once it is whole."""

import os
from pathlib import Path

from ounce_edge.models.folder_watch import FolderWatch, fingerprint

from tests.support.edge.ladders import DIGITS, write_ladder, write_model


def test_what_is_there_at_first_is_no_change(tmp_path: Path) -> None:
    watch = FolderWatch(write_ladder(tmp_path, DIGITS, "a"))
    assert [watch.look() for _ in range(3)] == [False] * 3


def test_a_change_is_told_once_when_two_looks_agree(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "a")
    watch = FolderWatch(folder)
    write_model(folder, DIGITS, "b", "model b")
    assert [watch.look() for _ in range(4)] == [False, True, False, False]


def test_a_copy_under_way_is_waited_for(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "a")
    watch = FolderWatch(folder)
    for n in range(1, 5):  # also a program that writes a hidden file first
        (folder / "a" / ".model.onnx.part").write_bytes(b"x" * n)
        assert not watch.look()
    (folder / "a" / ".model.onnx.part").replace(folder / "a" / "model.onnx")
    assert [watch.look(), watch.look()] == [False, True]


def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "a")
    before, path = fingerprint(folder), folder / "a" / "model.onnx"
    found = path.stat()
    other = folder / "a" / "other"
    other.write_bytes(b"y" * found.st_size)
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)
    assert fingerprint(folder) != before


def test_a_folder_that_vanishes_and_comes_back_the_same_is_no_change(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "a")
    watch = FolderWatch(folder)
    folder.rename(tmp_path / "away")
    assert not watch.look()
    (tmp_path / "away").rename(folder)
    assert [watch.look() for _ in range(3)] == [False] * 3
    assert fingerprint(tmp_path / "nothing") == ()
