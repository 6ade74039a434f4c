"""Networks and statistics over sequences, array of shape (n, n_steps, n_channels), NaN is missing.

All of it is part of the graph: gaps are marked, and channels are standardized.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.training.neural import run

_STRETCHES = 10
_NOISE = 0.05
"""Added while learning, in standard deviations of each channel."""


class Steps(nn.Module):
    """Standardized channels with zeros for gaps, and which steps are there.

    Args:
        sequences: to learn from.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, sequences: NDArray[np.float32]) -> None:
        super().__init__()
        values = sequences.reshape(-1, sequences.shape[-1]).astype(np.float64)
        spread = np.nanstd(values, axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        self.register_buffer("mean", torch.tensor(np.nanmean(values, axis=0), dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(1.0 / spread, dtype=torch.float32))

    def forward(self, sequences: Tensor) -> tuple[Tensor, Tensor]:
        """Values of shape (n, n_channels, n_steps), and marks of the same shape: 1 where there."""
        absent = torch.isnan(sequences)
        values = torch.where(absent, self.mean.expand_as(sequences), sequences)
        values = ((values - self.mean) * self.scale).transpose(1, 2)
        present = 1.0 - absent.float().transpose(1, 2)
        if self.training:
            values = values + torch.randn_like(values) * _NOISE * present
        return values, present


class SequenceCNN(nn.Module):
    """Three convolutions over time; mean, greatest and last value of each channel (Z. Wang, W. Yan
    and T. Oates, "Time Series Classification from Scratch with Deep Neural Networks", IJCNN 2017).
    """

    def __init__(self, steps: Steps, n_outputs: int, width: int = 32) -> None:
        super().__init__()
        self.steps = steps
        channels = len(steps.mean) + 1
        self.layers = nn.Sequential(
            _block(channels, width, 7), _block(width, 2 * width, 5), _block(2 * width, width, 3)
        )
        self.last = nn.Sequential(nn.Dropout(0.2), nn.Linear(3 * width, n_outputs))

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        x = self.layers(_with_mark(*self.steps(sequences)))
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2), x[:, :, -1]], dim=1)
        outputs: Tensor = self.last(pooled)
        return outputs


class SequenceGRU(nn.Module):
    """A gated recurrent network (Cho et al., EMNLP 2014), read at its last step."""

    def __init__(self, steps: Steps, n_outputs: int, width: int = 32) -> None:
        super().__init__()
        self.steps = steps
        self.recurrence = nn.GRU(len(steps.mean) + 1, width, batch_first=True)
        self.last = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * width, n_outputs))

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        states, _ = self.recurrence(_with_mark(*self.steps(sequences)).transpose(1, 2))
        outputs: Tensor = self.last(torch.cat([states[:, -1], states.mean(dim=1)], dim=1))
        return outputs


class SequenceMLP(nn.Module):
    """Two hidden layers on the means of about ten stretches of each channel."""

    def __init__(self, steps: Steps, n_outputs: int, n_steps: int, width: int = 32) -> None:
        super().__init__()
        self.steps = steps
        self.size = -(-n_steps // _STRETCHES)
        self.n_stretches = -(-n_steps // self.size)
        n_channels = len(steps.mean)
        self.layers = nn.Sequential(
            nn.Linear(self.n_stretches * (n_channels + 1), width), nn.ReLU(), nn.Dropout(0.1),
            nn.Linear(width, width), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Linear(width, n_outputs)

    def forward(self, sequences: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        n_before = self.n_stretches * self.size - sequences.shape[1]
        if n_before:
            sequences = nn.functional.pad(sequences, (0, 0, n_before, 0), value=float("nan"))
        absent = torch.isnan(sequences)
        filled = torch.where(absent, self.steps.mean.expand_as(sequences), sequences)
        shape = (-1, self.n_stretches, self.size, sequences.shape[2])
        means = (filled.reshape(shape).mean(dim=2) - self.steps.mean) * self.steps.scale
        if self.training:
            means = means + torch.randn_like(means) * _NOISE
        gaps = absent.float().reshape(shape).mean(dim=(2, 3)).unsqueeze(2)
        read = torch.cat([means, gaps], dim=2).flatten(1)
        outputs: Tensor = self.last(self.layers(read))
        return outputs


class Statistics(nn.Module):
    """Of each channel: last value, mean, standard deviation, least, greatest, slope, and the mean
    of the last third."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, sequences: Tensor) -> Tensor:
        """Array of shape (n, 7 * n_channels)."""
        values, present = self.steps(sequences)
        n_steps = values.shape[2]
        count = present.sum(dim=2).clamp(min=1.0)
        mean = values.sum(dim=2) / count
        off = (values - mean.unsqueeze(2)) * present
        spread = (off.square().sum(dim=2) / count).sqrt()
        times = torch.arange(n_steps, dtype=torch.float32) / n_steps
        centred = (
            times - (times * present).sum(dim=2, keepdim=True) / count.unsqueeze(2)
        ) * present
        slope = (off * centred).sum(dim=2) / centred.square().sum(dim=2).clamp(min=1e-3)
        third = slice(n_steps - max(n_steps // 3, 1), n_steps)
        lately = values[:, :, third].sum(dim=2) / present[:, :, third].sum(dim=2).clamp(min=1.0)
        far = (1.0 - present) * _FAR
        least, most = (values + far).amin(dim=2), (values - far).amax(dim=2)
        least, most = least.clamp(max=_FAR / 2), most.clamp(min=-_FAR / 2)
        return torch.cat([values[:, :, -1], mean, spread, least, most, slope, lately], dim=1)


_FAR = 1e3
"""Standard deviations; no value is so far from the mean that matters."""


_LEAST_SPREAD = 1e-4
"""Of a statistic over the training rows, in standard deviations of its channel. Below, it is the
rounding of 32-bit numbers: series of mean 0 and deviation 1 each have such means."""


class _Varying(nn.Module):
    """Statistics. One that is the same in all sequences but for rounding is zero, and elsewhere
    what is beyond that: a channel that never moved may move where something is wrong."""

    usual: Tensor
    slack: Tensor

    def __init__(self, statistics: Statistics, sequences: NDArray[np.float32]) -> None:
        super().__init__()
        self.statistics = statistics
        found = run(statistics.eval(), sequences).astype(np.float64)
        is_same = found.std(axis=0) <= _LEAST_SPREAD
        usual = found.mean(axis=0) * is_same
        slack = (np.abs(found - usual).max(axis=0) + _LEAST_SPREAD) * is_same
        self.register_buffer("usual", torch.from_numpy(usual).float())
        self.register_buffer("slack", torch.from_numpy(slack).float())

    def forward(self, sequences: Tensor) -> Tensor:
        off = self.statistics(sequences) - self.usual
        found: Tensor = off - torch.maximum(torch.minimum(off, self.slack), -self.slack)
        return found


def statistics(data: TaskData) -> nn.Module:
    """The extractor of statistics."""
    sequences = data.train.inputs[data.spec.inputs[0].name]
    return _Varying(Statistics(Steps(sequences)), sequences)


def _with_mark(values: Tensor, present: Tensor) -> Tensor:
    return torch.cat([values, present.mean(dim=1, keepdim=True)], dim=1)


def _block(channels_in: int, channels_out: int, size: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(channels_in, channels_out, size, padding=size // 2, bias=False),
        nn.BatchNorm1d(channels_out),
        nn.ReLU(),
    )
