"""`ounce add`: what a person sees."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ounce_schemas.command import main

from tests.exporters.own.foreign import linear, rooms


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch, models: Path) -> Callable[..., object]:
    """Runs the command in this process; returns its exit code."""

    def run(*arguments: str | Path) -> object:
        words = ["ounce", "add", *map(str, arguments), "--models", str(models)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    return run


def test_a_file_joins_and_the_ladder_is_shown(
    add: Callable[..., object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms(300, seed=5).to_csv(tmp_path / "later.csv", index=False)
    labels = ("--label", "no", "--label", "maybe", "--label", "yes")
    path = linear(tmp_path / "Hand made.onnx")
    data = ("--data", tmp_path / "later.csv", "--target", "busy")
    assert add(path, "--task", "rooms", *labels, *data, "--family", "classical") == 0
    out = capsys.readouterr().out
    assert "Note: output 'y' is read as logits" in out
    assert "Note: the figures hold if the model has learned from none of the items" in out
    assert "Plans of rooms, on validation data" in out
    table = out[out.index("Ladder of rooms") :]
    for name in ("hand-made", "decision-tree", "logistic-regression"):
        assert f" {name}" in table
    assert "hand-made is part of" in out


def test_what_is_wrong_is_one_line(
    add: Callable[..., object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = linear(tmp_path / "a.onnx", width=3)
    assert add(path, "--task", "rooms") == 1
    error = capsys.readouterr().err
    assert error.startswith("ounce: a: input 'x' (")
    assert "matches no input and no column of task 'rooms'" in error
    assert error.count("\n") == 1
    assert add(path, "--task", "rooms", "--data", path) == 2
    assert "--data FILE and --target COLUMN go together" in capsys.readouterr().err
    assert add(linear(tmp_path / "b.onnx"), "--task", "rooms", "--name", "B!") == 1
    assert "model name 'B!': use lower-case letters" in capsys.readouterr().err
