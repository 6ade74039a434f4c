"""A training that was interrupted ends as one that was not; another one's checkpoint is refused."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ounce_exporters.training import neural
from ounce_exporters.training.byte_networks import Beside, HashedMLP
from ounce_exporters.training.checkpoints import keep_checkpoints, of_model
from ounce_exporters.training.neural import Training, fit_task, train
from ounce_exporters.training.packing import pack, unpack
from ounce_exporters.training.tabular import Lesson, Schedule, Shape, TableNetwork, fit_network
from ounce_schemas.errors import ArtifactError, DataError
from torch import Tensor, nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
TRAINING = Training(
    epochs=6,
    learning_rate=1e-2,
    batch_size=50,
    augment=lambda x, generator: x + 0.1 * torch.randn(x.shape, generator=generator),
)


def network(width: int = 16) -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 2)
    )


def table() -> TableNetwork:
    edges = np.quantile(X, np.linspace(0, 1, 5), axis=0).T.astype(np.float32)
    return TableNetwork(edges, 0, 2, Shape(members=2, width=8, intervals=4))


class PowerLossError(Exception):
    """Ends a training in the middle."""


def losing_power_at(share: float) -> Callable[[float], None]:
    def progress(done: float) -> None:
        if done >= share:
            raise PowerLossError

    return progress


def of_images(progress: Callable[[float], None]) -> nn.Module:
    return train(network, X, Y, TRAINING, 0, progress)


def of_quantities(progress: Callable[[float], None]) -> nn.Module:
    one = lambda: nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))  # noqa: E731
    return fit_task(one, X, X[:, 0] * 7 + 100, TRAINING, 0, progress)


def of_tables(progress: Callable[[float], None]) -> nn.Module:
    schedule = Schedule(most_epochs=12, patience=3)
    return fit_network(table, Lesson(X, Y, np.ones(len(Y))), schedule, 0, progress)


def of_many(progress: Callable[[float], None]) -> nn.Module:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neural, "ENOUGH_ROWS", 100)
        training = replace(TRAINING, epochs=40, patience=3)
        return train(network, X, Y, training, 0, progress)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.state_dict())


Fit = Callable[[Callable[[float], None]], nn.Module]


def kept(folder: Path, fit: Fit, progress: Callable[[float], None], **run: Any) -> nn.Module:
    with keep_checkpoints(folder, run, resume=True, least_s=0.0), of_model("net"):
        return fit(progress)


@pytest.mark.parametrize("fit", [of_images, of_quantities, of_tables, of_many])
def test_what_was_interrupted_ends_as_what_was_not(fit: Fit, tmp_path: Path) -> None:
    whole = weights(fit(lambda done: None))
    folder = tmp_path / "kept"
    for share in (0.1, 0.5):  # twice
        with pytest.raises(PowerLossError):
            kept(folder, fit, losing_power_at(share))
    assert [path.name for path in folder.glob("*.safetensors")] == ["net-0.safetensors"]
    told: list[float] = []
    resumed = weights(kept(folder, fit, told.append))
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name
    assert told[0] > 0.5
    assert not folder.exists()


def test_fits_that_have_ended_are_not_repeated(tmp_path: Path) -> None:
    told: list[float] = []

    def two(progress: Callable[[float], None]) -> nn.Module:
        first = of_images(told.append)
        of_quantities(progress)
        return first

    with pytest.raises(PowerLossError):
        kept(tmp_path / "kept", two, losing_power_at(0.5))
    n = len(told)
    again = kept(tmp_path / "kept", two, lambda done: None)
    assert n == TRAINING.epochs
    assert len(told) == n
    whole = weights(of_images(lambda done: None))
    assert all(torch.equal(whole[name], tensor) for name, tensor in weights(again).items())


@pytest.mark.parametrize(
    ("fit", "says"),
    [
        (lambda p: train(lambda: network(9), X, Y, TRAINING, 0, p), "layer 0.bias is [16] there"),
        (lambda p: train(network, X + 1, Y, TRAINING, 0, p), "data inputs is "),
        (lambda p: train(network, X, Y, replace(TRAINING, epochs=9), 0, p), "setting epochs is 6"),
        (lambda p: train(network, X, Y, TRAINING, 1, p), "seed is 0 there and 1 here"),
        (lambda p: of_tables(p), "layer 0.bias is [16] there and absent here"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused_by_name(
    fit: Fit, says: str, tmp_path: Path
) -> None:
    with pytest.raises(PowerLossError):
        kept(tmp_path / "kept", of_images, losing_power_at(0.5))
    with pytest.raises(DataError) as refused:
        kept(tmp_path / "kept", fit, lambda done: None)
    assert says in str(refused.value)
    assert "net-0.safetensors: is of another training" in str(refused.value)
    assert "train without --resume to begin anew" in str(refused.value)


def test_other_first_weights_are_refused(tmp_path: Path) -> None:
    def warm() -> nn.Module:
        made = network()
        nn.init.zeros_(made[4].bias)  # type: ignore[index]
        return made

    with pytest.raises(PowerLossError):
        kept(tmp_path / "kept", of_images, losing_power_at(0.5))
    with pytest.raises(DataError, match=r"start is [0-9a-f]+"):
        kept(tmp_path / "kept", lambda p: train(warm, X, Y, TRAINING, 0, p), lambda done: None)


def test_another_training_is_refused_before_any_model_learns(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with pytest.raises(PowerLossError):
        kept(folder, of_images, losing_power_at(0.5), data="abc", option={"--unit": None})
    with pytest.raises(DataError, match="data is abc there and abd here"):
        kept(folder, of_images, lambda done: None, data="abd", option={"--unit": None})
    with pytest.raises(DataError, match="option --unit is absent there and site here"):
        kept(folder, of_images, lambda done: None, data="abc", option={"--unit": "site"})
    with keep_checkpoints(folder, {"data": "abd"}, resume=False) as found:
        assert not found
        assert not list(folder.glob("*.safetensors"))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with pytest.raises(PowerLossError):
        kept(folder, of_images, losing_power_at(0.5))
    (path,) = folder.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtifactError, match=r"can't be read .*: train without --resume"):
        kept(folder, of_images, lambda done: None)
    (folder / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"run\.json: can't be read"):
        kept(folder, of_images, lambda done: None)


def test_nothing_is_written_where_nobody_asks(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    of_images(lambda done: None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_packed_comes_back() -> None:
    state = {1: [torch.ones(2), (0.1, None)], "a": {"b": True, "c": float("inf")}, "d": "text"}
    tensors: dict[str, Tensor] = {}
    packed = json.loads(json.dumps(pack(state, tensors)))
    again = unpack(packed, tensors)
    assert torch.equal(again[1][0], torch.ones(2))
    assert again[1][1] == (0.1, None)
    assert (again["a"], again["d"]) == (state["a"], "text")
    with pytest.raises(TypeError, match="can't hold a set"):
        pack({"a": set()}, {})


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.exporters.training.test_checkpoints import kept, of_images

def progress(done):
    if done > 0.4:
        os.kill(os.getpid(), signal.SIGKILL)

kept(Path(sys.argv[1]), of_images, progress)
"""


def test_a_process_that_is_killed_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    paths = os.pathsep.join(path for path in sys.path if path)
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        timeout=240,
    )
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in folder.glob("*.safetensors")] == ["net-0.safetensors"]
    whole = weights(of_images(lambda done: None))
    resumed = weights(kept(folder, of_images, lambda done: None))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_a_network_of_texts_goes_on(tmp_path: Path) -> None:
    texts = RNG.integers(1, 255, (40, 12)).astype(np.float32)

    def fit(progress: Callable[[float], None]) -> nn.Module:
        training = Training(epochs=3, learning_rate=1e-2)
        return train(lambda: HashedMLP(2, Beside(12, 0)), texts, Y[:40], training, 0, progress)

    whole = weights(fit(lambda done: None))
    with pytest.raises(PowerLossError):
        kept(tmp_path / "kept", fit, losing_power_at(0.3))
    resumed = weights(kept(tmp_path / "kept", fit, lambda done: None))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
