"""Networks that read raw vibration, array of shape (n_items, WINDOW), as logits.

All start with learned filters, initialised as a Gabor filter bank: that a bearing's fault shows in
the envelope of a resonance need not be learned from nothing. The light convolutional networks take
what the filters pass above a threshold; the others its envelope, which costs more operations.

Batch normalisation only follows convolutions, into which an ONNX graph folds it. Numbers of
channels are multiples of 16, the block of ONNX Runtime's convolutions on processors with AVX-512.
"""

import torch
from torch import Tensor, nn

from ounce_exporters.tasks.bearing.filterbank import (
    FilterBank,
    convolution,
    normalize,
    squared_envelope,
)
from ounce_exporters.tasks.bearing.simulation import LABELS

_GAIN = 2.0
"""Of the filters: brings what they pass to a magnitude of about 1."""


class Cnn1d(nn.Module):
    """Three convolutions, the first one of 32 filters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Rectified(bands=16),
            _block(32, 16, size=5, stride=2),
            _block(16, 32, stride=2),
            _MeanAndMax(),
            nn.Linear(2 * 32, len(LABELS)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        logits: Tensor = self.layers(windows)
        return logits


class DeepCnn1d(nn.Module):
    """Four convolutions, wider ones."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Rectified(bands=16),
            _block(32, 32, stride=2),
            _block(32, 32, size=5),
            _block(32, 64, size=5, stride=2),
            _MeanAndMax(),
            nn.Linear(2 * 64, len(LABELS)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        logits: Tensor = self.layers(windows)
        return logits


class Gru(nn.Module):
    """A gated recurrent network over 16 frames of the envelopes (Cho et al., EMNLP 2014)."""

    def __init__(self, hidden: int = 48) -> None:
        super().__init__()
        self.frames = nn.Sequential(_Envelope(bands=16, stride=16), _block(16, 32, stride=4))
        self.recurrence = nn.GRU(32, hidden, batch_first=True)
        self.head = nn.Sequential(_MeanAndMax(), nn.Linear(2 * hidden, len(LABELS)))

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        states, _ = self.recurrence(self.frames(windows).squeeze(2).transpose(1, 2))
        logits: Tensor = self.head(states.transpose(1, 2).unsqueeze(2))
        return logits


class ResidualCnn1d(nn.Module):
    """Three residual blocks over the envelopes (He et al., "Deep Residual Learning", CVPR 2016)."""

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Envelope(bands=32, length=48, stride=8),
            _block(32, channels, stride=4),
            _Residual(channels),
            _Residual(channels),
            _Residual(channels),
            _MeanAndMax(),
            nn.Dropout(0.1),
            nn.Linear(2 * channels, len(LABELS)),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of shape (n_items, 4)."""
        logits: Tensor = self.layers(windows)
        return logits


class _Rectified(nn.Module):
    """What the filters pass above a learned threshold, every 16 samples: 2 * bands channels."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.filters = FilterBank(bands, length=32, stride=16, padding=8, gain=_GAIN, bias=True)

    def forward(self, windows: Tensor) -> Tensor:
        return torch.relu(self.filters(normalize(windows)))


class _Envelope(nn.Module):
    """Envelope in each band, one value every `stride` samples."""

    def __init__(self, bands: int, stride: int, length: int = 32) -> None:
        super().__init__()
        self.filters = FilterBank(bands, length, stride, (length - stride) // 2, gain=_GAIN)

    def forward(self, windows: Tensor) -> Tensor:
        # The root's slope is infinite at 0.
        return (squared_envelope(self.filters(normalize(windows))) + 1e-6).sqrt()


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _block(channels, channels, size=7),
            convolution(channels, channels, 7, padding=3),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class _MeanAndMax(nn.Module):
    """Over time: array of shape (n_items, channels, 1, n_times) to (n_items, 2 * channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


def _block(channels_in: int, channels_out: int, *, size: int = 9, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        convolution(channels_in, channels_out, size, stride, padding=size // 2),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )
