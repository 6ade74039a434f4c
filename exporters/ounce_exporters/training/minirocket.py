"""MiniRocket with the few kernels that matter.

Each of 84 fixed kernels of 9 weights, three of them 2 and six of them -1, is dilated in several
ways. A feature is the share of steps at which its output is above a threshold, a quantile of what
training series give. Most kernels can be left out: whole convolutions are removed by the weights of
a ridge model of all features.

Sources:
    Dempster, A., Schmidt, D. F. & Webb, G. I. (2021). MiniRocket: A very fast (almost)
    deterministic transform for time series classification. KDD.
    Uribarri, G., Barone, F., Ansuini, A. & Fransen, E. (2024). Detach-ROCKET: Sequential feature
    selection for time series classification with random convolutional kernels.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge, RidgeClassifier
from torch import Tensor, nn

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.training.neural import run
from ounce_exporters.training.sequences import Steps

LENGTH = 9
KERNELS = tuple(combinations(range(LENGTH), 3))
MOST_DILATIONS = 8
_MOST_CHANNELS = 4
"""Of a series that one kernel sums, chosen at random."""
_LOOKED_AT = 200
"""Series whose outputs give the thresholds."""
_MOST_ROWS = 3_000
"""Series by which kernels are chosen."""
_ROUNDS = (0.3, 0.085)
"""Shares of the kernels that are left after each look."""
_FEATURES_FIRST, _FEATURES_LAST = 4, 16
"""Thresholds of a kernel while kernels are chosen, and afterwards."""


class Convolutions(NamedTuple):
    """Kernels of one dilation, and which channels each sums."""

    dilation: int
    kernels: NDArray[np.int64]
    channels: NDArray[np.bool_]
    """Array of shape (n_kernels, n_channels)."""

    @property
    def weights(self) -> Tensor:
        """Array of shape (n_kernels, n_channels, LENGTH)."""
        weights = np.full((len(self.kernels), LENGTH), -1.0)
        for row, kernel in zip(weights, self.kernels, strict=True):
            row[list(KERNELS[kernel])] = 2.0
        return torch.tensor(weights[:, None] * self.channels[:, :, None], dtype=torch.float32)

    def multiply_adds(self, n_steps: int) -> int:
        """Of one series."""
        return int(self.channels.sum()) * LENGTH * n_steps


class MiniRocket(nn.Module):
    """Shares of steps above thresholds, array of shape (n, n_features).

    Args:
        steps: standardizes the channels.
        convolutions: what is left of the kernels.
        series: whose outputs give the thresholds, array of shape (n, n_steps, n_channels).
        n_thresholds: of each kernel.
    """

    def __init__(
        self,
        steps: Steps,
        convolutions: list[Convolutions],
        series: NDArray[np.float32],
        n_thresholds: int,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.layers = nn.ModuleList(_layer(c) for c in convolutions)
        quantiles = torch.linspace(0.0, 1.0, n_thresholds + 2)[1:-1]
        self.thresholds = nn.ParameterList()
        with torch.inference_mode():
            values, _ = steps.eval()(torch.from_numpy(series[:_LOOKED_AT]))
            for layer in self.layers:
                outputs = layer(values).transpose(0, 1).flatten(1)
                found = torch.quantile(_some(outputs), quantiles, dim=1).T.clone()
                self.thresholds.append(nn.Parameter(found, requires_grad=False))

    def forward(self, series: Tensor) -> Tensor:
        """One feature for each threshold of each kernel, kernel by kernel."""
        values, _ = self.steps(series)
        found = []
        for layer, thresholds in zip(self.layers, self.thresholds, strict=True):
            above = layer(values).unsqueeze(2) > thresholds.unsqueeze(0).unsqueeze(3)
            found.append(above.float().mean(dim=3).flatten(1))
        return torch.cat(found, dim=1)


def minirocket(data: TaskData, *, seed: int = 0) -> MiniRocket:
    """The extractor: kernels are chosen on the training series.

    Args:
        data: only `train` is learned from.
        seed: which channels a kernel sums.
    """
    series, targets = data.train.inputs[data.spec.inputs[0].name], data.train.targets
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(series))[:_MOST_ROWS])
    series, targets = series[chosen], targets[chosen]
    steps = Steps(series)
    left = all_convolutions(series.shape[1], series.shape[2], rng)
    n_all = sum(len(c.kernels) for c in left)
    for share in _ROUNDS:
        features = run(MiniRocket(steps, left, series, _FEATURES_FIRST).eval(), series)
        weights = _weights(features, targets, classifies=data.spec.classifies)
        by_kernel = weights.reshape(-1, _FEATURES_FIRST).sum(axis=1)
        left = _keep(left, by_kernel, max(round(share * n_all), LENGTH))
    return MiniRocket(steps, left, series, _FEATURES_LAST)


def all_convolutions(n_steps: int, n_channels: int, rng: np.random.Generator) -> list[Convolutions]:
    """All kernels in every dilation that fits into a series."""
    most = np.log2(max((n_steps - 1) / (LENGTH - 1), 1.0))
    dilations = np.unique(np.floor(2 ** np.linspace(0, most, MOST_DILATIONS)).astype(int))
    found = []
    for dilation in dilations.tolist():
        channels = np.zeros((len(KERNELS), n_channels), np.bool_)
        for row in channels:
            n = min(n_channels, _MOST_CHANNELS)
            n = int(2 ** rng.uniform(0, np.log2(n + 1)))
            row[rng.choice(n_channels, max(n, 1), replace=False)] = True
        found.append(Convolutions(dilation, np.arange(len(KERNELS)), channels))
    return found


def _layer(of: Convolutions) -> nn.Module:
    weights = of.weights
    layer = nn.Conv1d(
        weights.shape[1], len(weights), LENGTH, padding=4 * of.dilation, dilation=of.dilation,
        bias=False,
    )  # fmt: skip
    layer.weight = nn.Parameter(weights, requires_grad=False)
    return layer


def _some(outputs: Tensor) -> Tensor:
    """Of very many outputs, evenly spread ones: quantiles of 16 million are not computed."""
    return outputs[:, :: -(-outputs.shape[1] // 20_000)]


def _weights(
    features: NDArray[np.float32], targets: NDArray[np.int64], *, classifies: bool
) -> NDArray[np.float64]:
    """How much a ridge model relies on each feature."""
    spread = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    model = RidgeClassifier(alpha=10.0) if classifies else Ridge(alpha=10.0)
    coefficients = np.atleast_2d(model.fit(standard, targets).coef_)
    weights: NDArray[np.float64] = np.abs(coefficients).sum(axis=0)
    return weights


def _keep(
    convolutions: list[Convolutions], weights: NDArray[np.float64], n: int
) -> list[Convolutions]:
    """The `n` kernels with the greatest weights."""
    kept = np.zeros(len(weights), np.bool_)
    kept[np.argsort(-weights, kind="stable")[:n]] = True
    left, start = [], 0
    for one in convolutions:
        mine = kept[start : start + len(one.kernels)]
        start += len(one.kernels)
        if mine.any():
            left.append(Convolutions(one.dilation, one.kernels[mine], one.channels[mine]))
    return left
