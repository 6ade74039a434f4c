"""`ounce train --resume`, from the command line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.training import checkpoints
from safetensors.numpy import load_file
from torch import nn

from tests.support.process.command import Run


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(80, 2)).round(3), columns=["warm", "wet"])
    table["busy"] = np.where(table["warm"] > 0, "yes", "no")
    table.to_csv(tmp_path / "rooms.csv", index=False)
    return [f"--data={tmp_path / 'rooms.csv'}", "--target=busy", f"--models={tmp_path}",
            "--only=mlp-small"]  # fmt: skip


def interrupted(monkeypatch: pytest.MonkeyPatch, train: Run, command: list[str]) -> Any:
    """The command, ended by Ctrl-C while the second network learns."""
    fits: list[int] = []
    whole = nn.utils.clip_grad_norm_

    def slow(*arguments: Any) -> Any:
        fits.append(0)
        if len(fits) > 60:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "LEAST_S", 0.0)
        patch.setattr(nn.utils, "clip_grad_norm_", slow)
        return train(*command)


def test_an_interrupted_training_goes_on(
    train: Run, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".checkpoints-rooms"
    ended = interrupted(monkeypatch, train, command)
    assert ended.code != 0
    assert "the same command with --resume goes on with this training" in ended.stdout
    assert not (tmp_path / "rooms").exists()
    assert list(folder.glob("mlp-small-*.safetensors"))
    assert all(load_file(path) for path in folder.glob("*.safetensors"))

    other = train(*command, "--resume", "--seed=1")
    assert other.code == 1
    assert "option --seed is 0 there and 1 here; train without --resume" in other.stderr
    (tmp_path / "rooms.csv").write_text((tmp_path / "rooms.csv").read_text() + "0.5,0.5,yes\n")
    other = train(*command, "--resume")
    assert other.code == 1
    assert "data is " in other.stderr
    lines = (tmp_path / "rooms.csv").read_text().splitlines(keepends=True)
    (tmp_path / "rooms.csv").write_text("".join(lines[:-1]))

    resumed = train(*command, "--resume")
    assert resumed.code == 0, resumed.stderr
    assert "networks go on where an interrupted training left them" in resumed.stdout
    assert not folder.exists()
    model = (tmp_path / "rooms" / "mlp-small" / "model.onnx").read_bytes()

    whole = train(*command, "--resume")
    assert whole.code == 0
    assert "there is nothing to resume: training begins anew" in whole.stdout
    assert (tmp_path / "rooms" / "mlp-small" / "model.onnx").read_bytes() == model


def test_an_interrupted_training_is_begun_anew_without_it(
    train: Run, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, train, command)
    again = train(*command)
    assert again.code == 0
    assert "an interrupted training is begun anew; --resume would go on with it" in again.stdout
    assert not (tmp_path / ".checkpoints-rooms").exists()
