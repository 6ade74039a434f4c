"""Learning stops when held-out rows gain nothing, and the best weights are kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ounce_exporters.training import neural
from ounce_exporters.training.losses import held_loss, loss_of
from ounce_exporters.training.neural import Training, train
from ounce_exporters.training.stopping import HELD_OUT, Best, hold_out
from torch import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 20)).astype(np.float32)
Y = RNG.integers(0, 2, 300)  # nothing can be learned, but by heart
LONG = Training(epochs=60, learning_rate=2e-2, batch_size=30, weight_decay=0.0, patience=4)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 2))


def test_what_is_learned_by_heart_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural, "ENOUGH_ROWS", 300)
    held, kept = hold_out(Y, 0)
    loss = loss_of(Y, LONG.label_smoothing)
    x, y = torch.from_numpy(X[held]), torch.from_numpy(Y[held])
    told: list[float] = []
    stopped = train(network, X, Y, LONG, 0, told.append)
    assert len(told) < 40  # of 60 epochs
    assert told[-1] == 1.0
    all_of_it = train(network, X, Y, replace(LONG, patience=None), 0, lambda done: None)
    right = [
        (neural.run(n, X[kept]).argmax(axis=1) == Y[kept]).mean() for n in (stopped, all_of_it)
    ]
    assert right[0] < 0.9 < right[1]
    assert held_loss(stopped, x, y, loss) < 0.75  # of chance: 0.69


def test_few_rows_all_teach() -> None:
    small = replace(LONG, epochs=3)
    with_patience = train(network, X, Y, small, 0, lambda done: None)
    without = train(network, X, Y, replace(small, patience=None), 0, lambda done: None)
    pairs = zip(with_patience.parameters(), without.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("targets", [Y, X[:, 0], np.eye(2, dtype=np.float32)[Y]])
def test_held_out_rows_have_the_mix_of_all(targets: np.ndarray) -> None:
    held, kept = hold_out(targets, 1)
    assert len(held) == round(HELD_OUT * 300)
    assert sorted([*held, *kept]) == list(range(300))
    if targets is not X[:, 0] and targets.dtype != np.float32:
        assert abs(Y[held].mean() - Y.mean()) < 0.03


def test_the_least_loss_is_the_best() -> None:
    module = nn.Linear(1, 1)
    best = Best(module, patience=2)
    for loss, value in ((1.0, 1.0), (0.5, 2.0), (0.7, 3.0)):
        nn.init.constant_(module.weight, value)
        best.judge(module, loss)
        assert not best.is_over
    best.judge(module, 0.6)
    assert best.is_over
    assert best.weights["weight"].item() == 2.0
