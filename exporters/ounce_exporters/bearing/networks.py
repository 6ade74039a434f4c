"""Networks that read raw vibration, array of shape (n_items, WINDOW), as logits.

All start with the squared envelope in learned bands, initialised as a Gabor filter bank: that a
bearing's fault shows in the envelope of a resonance need not be learned from nothing.
"""

import torch
from torch import Tensor, nn

from ounce_exporters.bearing.filterbank import Normalize, SquaredEnvelope
from ounce_exporters.bearing.simulation import LABELS

_STRIDE = 8
_LENGTH = 32


class Cnn1d(nn.Module):
    """Two convolutions over the envelopes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _LearnedEnvelope(12),
            _convolution(12, 16, stride=4),
            _convolution(16, 32, stride=2),
            _MeanAndMax(),
            nn.Linear(2 * 32, len(LABELS)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        logits: Tensor = self.layers(windows)
        return logits


class Gru(nn.Module):
    """A gated recurrent network over 32 frames of the envelopes (Cho et al., EMNLP 2014)."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.frames = nn.Sequential(_LearnedEnvelope(16), _convolution(16, 32, stride=4))
        self.recurrence = nn.GRU(32, hidden, batch_first=True)
        self.head = nn.Sequential(_MeanAndMax(), nn.Linear(2 * hidden, len(LABELS)))

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        states, _ = self.recurrence(self.frames(windows).transpose(1, 2))
        logits: Tensor = self.head(states.transpose(1, 2))
        return logits


class ResidualCnn1d(nn.Module):
    """Three residual blocks over the envelopes (He et al., "Deep Residual Learning", CVPR 2016)."""

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _LearnedEnvelope(32, length=48),
            _convolution(32, channels, stride=2),
            _Residual(channels),
            _Residual(channels),
            _Residual(channels),
            _MeanAndMax(),
            nn.Dropout(0.2),
            nn.Linear(2 * channels, len(LABELS)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        logits: Tensor = self.layers(windows)
        return logits


class _LearnedEnvelope(nn.Module):
    """Logarithm of the envelope, one value every `_STRIDE` samples."""

    def __init__(self, bands: int, length: int = _LENGTH) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.envelope = SquaredEnvelope(bands, length, _STRIDE, padding=(length - _STRIDE) // 2)
        self.scale = nn.BatchNorm1d(bands)

    def forward(self, windows: Tensor) -> Tensor:
        envelope = self.envelope(self.normalize(windows))
        scaled: Tensor = self.scale((envelope + 1e-4).log())
        return scaled


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(channels, channels, size=7),
            nn.Conv1d(channels, channels, 7, padding=3, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class _MeanAndMax(nn.Module):
    """Over time: array of shape (n_items, channels, n_times) to (n_items, 2 * channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)


def _convolution(
    channels_in: int, channels_out: int, *, size: int = 9, stride: int = 1
) -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(channels_in, channels_out, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm1d(channels_out),
        nn.ReLU(),
    )
