"""Band-pass filters and envelopes: the first step of both the features and the networks."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ounce_exporters.bearing.simulation import SAMPLE_RATE_HZ

LOWEST_BAND_HZ = 400.0
HIGHEST_BAND_HZ = 4_700.0


class Normalize(nn.Module):
    """Windows with mean 0 and root mean square 1, so that a sensor's gain does not matter."""

    def forward(self, windows: Tensor) -> Tensor:
        """Array of shape (n_items, n_samples), as read."""
        centred = windows - windows.mean(dim=1, keepdim=True)
        power = (centred * centred).mean(dim=1, keepdim=True)
        return centred / (power + 1e-12).sqrt()


class SquaredEnvelope(nn.Module):
    """Squared envelope of a signal in several bands, decimated.

    Each band has a pair of filters a quarter period apart (Gabor: a tone under a Gaussian); the
    sum of their squares is the squared envelope.

    Args:
        bands: number of bands, evenly spaced from `LOWEST_BAND_HZ` to `HIGHEST_BAND_HZ`.
        length: samples of a filter.
        stride: samples from one value of the envelope to the next.
        padding: zeros before and after the signal.
    """

    def __init__(self, bands: int, length: int, stride: int, padding: int = 0) -> None:
        super().__init__()
        self.bands = bands
        self.filters = nn.Conv1d(1, 2 * bands, length, stride, padding, bias=False)
        with torch.no_grad():
            self.filters.weight.copy_(torch.from_numpy(gabor_pairs(bands, length))[:, None, :])

    def forward(self, windows: Tensor) -> Tensor:
        """Windows of shape (n_items, n_samples) to envelopes of shape (n_items, bands, n_times)."""
        filtered = self.filters(windows.unsqueeze(1))
        pairs = (filtered * filtered).reshape(-1, 2, self.bands, filtered.shape[2])
        envelope: Tensor = pairs.sum(dim=1)
        return envelope


def gabor_pairs(bands: int, length: int) -> NDArray[np.float32]:
    """Filters of shape (2 * bands, length): the bands' cosines, then their sines; gain 1/2."""
    samples = np.arange(length) - (length - 1) / 2
    # The Gaussian falls to 1/250 at a filter's ends.
    gaussian = np.exp(-0.5 * (samples / (length * 0.15)) ** 2)
    centres_hz = np.linspace(LOWEST_BAND_HZ, HIGHEST_BAND_HZ, bands)
    angle = 2 * np.pi * centres_hz[:, None] * samples / SAMPLE_RATE_HZ
    pairs = np.concatenate([np.cos(angle), np.sin(angle)]) * gaussian / gaussian.sum()
    return np.asarray(pairs, np.float32)
