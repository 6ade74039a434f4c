"""Random distortions of the task's images."""

import torch
from torch import Tensor

from ounce_exporters.training.distortion import Distortion

WHITE_LEVEL = 16.0
SIDE = 8
DISTORTION = Distortion(
    white=WHITE_LEVEL, shift=0.7 / SIDE, rotation_radians=0.15, stretch=0.1, noise=0.8
)


def distort(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, rotate, stretch and add noise; each image by its own random amounts.

    Args:
        pixels: array of shape (n_items, 64), in [0, 16].
        generator: source of all randomness.

    Returns:
        Array of the same shape and range.
    """
    n = len(pixels)
    return DISTORTION.distort(pixels.reshape(n, 1, SIDE, SIDE), generator).reshape(n, -1)
