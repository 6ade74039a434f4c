"""Files of a store in a folder, with writers that are killed, that fail, and that write at once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.whole_file import UNFINISHED

_BEGUN = "begun"
_WRITER = f"""
import os, sys
from ounce_schemas.model_store import ModelStore

def wait(_):
    print("{_BEGUN}", flush=True)
    sys.stdin.read()

os.fsync = wait
ModelStore(sys.argv[1]).write("releases/a", b"whole")
"""


def begin_writing(store: Path) -> subprocess.Popen[str]:
    """A process that has written all but the name."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, store],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == f"{_BEGUN}\n"
    return writer


def unfinished(store: Path) -> list[Path]:
    return list((store / "releases").glob(f"*{UNFINISHED}"))


def age(paths: list[Path], seconds: float) -> None:
    for path in paths:
        at_s = path.stat().st_mtime - seconds
        os.utime(path, (at_s, at_s))


def test_what_a_killed_writer_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    with begin_writing(tmp_path) as writer:
        writer.kill()
    store = ModelStore(str(tmp_path))
    assert store.names("releases") == []
    store.write("releases/b", b"")
    [left] = unfinished(tmp_path)
    age([left], 4000)
    store.write("releases/c", b"")
    assert unfinished(tmp_path) == []
    assert store.names("releases") == ["b", "c"]


def test_files_of_others_stay_whatever_they_are_called(tmp_path: Path) -> None:
    store = ModelStore(str(tmp_path))
    store.write("releases/a", b"")
    other = tmp_path / "releases" / f"notes{UNFINISHED}"
    other.write_text("mine")
    age([other], 4000)
    store.write("releases/b", b"")
    assert other.read_text() == "mine"


def test_what_another_writer_has_open_stays_however_old(tmp_path: Path) -> None:
    with begin_writing(tmp_path) as writer:
        age(unfinished(tmp_path), 400_000)
        store = ModelStore(str(tmp_path))
        store.write("releases/b", b"")
        assert len(unfinished(tmp_path)) == 1
        writer.communicate("go on")
    assert writer.returncode == 0
    assert store.read("releases/a", 10) == b"whole"
    assert unfinished(tmp_path) == []


def test_a_writer_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ArtifactError, match="no space left"):
        ModelStore(str(tmp_path)).write("blobs/a", b"whole")
    assert list((tmp_path / "blobs").iterdir()) == []


def test_two_may_write_the_same_file_at_once(tmp_path: Path) -> None:
    with begin_writing(tmp_path) as writer:
        store = ModelStore(str(tmp_path))
        store.write("releases/a", b"whole")
        writer.communicate("go on")
    assert writer.returncode == 0
    assert store.names("releases") == ["a"]
    assert store.read("releases/a", 10) == b"whole"
