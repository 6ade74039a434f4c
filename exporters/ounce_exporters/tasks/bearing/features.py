"""What an engineer reads off a vibration window, as a graph of matrix products.

Statistics of the waveform, level and impulsiveness of each band (spectral kurtosis), and the
spectrum of the squared envelope, where a fault shows at the rate of its impulses. One module
gives the native features for training and, exported, the same features inside the ONNX graph.

Sources:
    Antoni, J. (2006). The spectral kurtosis: a useful tool for characterising non-stationary
    signals. Mechanical Systems and Signal Processing 20(2), 282-307.
    Randall, R. B. & Antoni, J. (2011). Rolling element bearing diagnostics - a tutorial.
    Mechanical Systems and Signal Processing 25(2), 485-520.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ounce_exporters.tasks.bearing.filterbank import FilterBank, normalize, squared_envelope
from ounce_exporters.tasks.bearing.simulation import SAMPLE_RATE_HZ, WINDOW

BANDS = 8
_FILTER_LENGTH = 48
_STRIDE = 16
_TIMES = (WINDOW - _FILTER_LENGTH) // _STRIDE + 1

ENVELOPE_RATES_HZ = tuple(range(20, 320, 8))
"""From below the shaft's own rate to above the inner race's, less than half the envelope's sample
rate; steps finer than a window resolves."""

FEATURES = (
    "kurtosis",
    "crest_factor",
    *(f"level_band_{band}" for band in range(BANDS)),
    *(f"kurtosis_band_{band}" for band in range(BANDS)),
    *(f"envelope_mean_{rate}_hz" for rate in ENVELOPE_RATES_HZ),
    *(f"envelope_max_{rate}_hz" for rate in ENVELOPE_RATES_HZ),
)
"""Names of the features, in order; all are logarithms, and none depends on the sensor's gain. The
envelope's spectrum is given twice: its mean over the bands, and at each rate its greatest value of
all bands."""

_FLOOR = 1e-4
"""Added before logarithms; for spectra about an estimate's own scatter."""


class VibrationFeatures(nn.Module):
    """Windows of shape (n_items, WINDOW) to features of shape (n_items, len(FEATURES)).

    Light models spend most of their time here. At batch 1 that time is the number of operations, so
    they are few: one logarithm for all, one matrix product for all spectra.
    """

    def __init__(self) -> None:
        super().__init__()
        self.filters = FilterBank(BANDS, _FILTER_LENGTH, _STRIDE)
        self.fourier: Tensor
        self.register_buffer("fourier", torch.from_numpy(_fourier_matrix()))
        self.requires_grad_(False)

    def forward(self, windows: Tensor) -> Tensor:
        """Features, float32."""
        signal = normalize(windows)
        squared = signal * signal

        envelope = squared_envelope(self.filters(signal))
        level = envelope.mean(dim=3, keepdim=True) + _FLOOR
        relative = envelope / level
        waves = relative @ self.fourier
        spectrum = (waves * waves).reshape(-1, BANDS, 2, len(ENVELOPE_RATES_HZ)).sum(dim=2)

        features = [
            (squared * squared).mean(dim=1, keepdim=True),
            squared.amax(dim=1, keepdim=True),
            level.flatten(1),
            (relative * relative).mean(dim=(2, 3)),
            spectrum.mean(dim=1),
            spectrum.amax(dim=1),
        ]
        return (torch.cat(features, dim=1) + _FLOOR).log()


def _fourier_matrix() -> NDArray[np.float32]:
    """Hann-windowed cosines and sines, shape (envelope samples, 2 * number of rates).

    Columns sum to 0, so that the envelope's mean does not leak into the low rates.
    """
    time_s = np.arange(_TIMES) * _STRIDE / SAMPLE_RATE_HZ
    angle = 2 * np.pi * time_s[:, None] * np.array(ENVELOPE_RATES_HZ)
    window = np.hanning(_TIMES + 2)[1:-1, None]
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * window / window.sum()
    centred = waves - window / window.sum() * waves.sum(axis=0)
    return np.asarray(centred, np.float32)
