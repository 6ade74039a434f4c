"""Random distortions of small images, so that networks learn strokes and not pixels."""

import torch
from torch import Tensor
from torch.nn import functional

WHITE_LEVEL = 16.0
SIDE = 8
SHIFT_PIXELS = 0.7
ROTATION_RADIANS = 0.15
STRETCH = 0.1
NOISE = 0.8
"""Standard deviation, in grey levels of 0 to 16."""


def distort(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, rotate, stretch and add noise; each image by its own random amounts.

    Args:
        pixels: array of shape (n_items, 64), in [0, 16].
        generator: source of all randomness.

    Returns:
        Array of the same shape and range.
    """
    n = len(pixels)

    def uniform(limit: float, columns: int) -> Tensor:
        return (torch.rand(n, columns, generator=generator) * 2 - 1) * limit

    angle = uniform(ROTATION_RADIANS, 1)
    stretch = 1 + uniform(STRETCH, 2)
    # affine_grid counts from -1 to 1 over the image's side.
    shift = uniform(SHIFT_PIXELS * 2 / SIDE, 2)
    rotation = torch.stack(
        [torch.cat([angle.cos(), -angle.sin()], 1), torch.cat([angle.sin(), angle.cos()], 1)], 1
    )
    transform = torch.cat([rotation * stretch[:, None, :], shift[:, :, None]], 2)
    images = pixels.reshape(n, 1, SIDE, SIDE)
    grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    noise = torch.randn(moved.shape, generator=generator) * NOISE
    return (moved + noise).clamp(0, WHITE_LEVEL).reshape(n, -1)
