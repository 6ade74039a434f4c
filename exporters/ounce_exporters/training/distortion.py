"""Random distortions of images, so that networks learn shapes and not pixels."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Distortion:
    """How far images are shifted, turned and stretched at most, each by its own amounts."""

    white: float
    """Greatest value of a pixel; the least is 0."""
    shift: float
    """Share of a side."""
    rotation_radians: float
    stretch: float
    """Share of the size, of each side alone."""
    noise: float
    """Standard deviation, in the unit of pixels."""
    padding: Literal["zeros", "border"] = "zeros"
    """What is beyond the edge: black, or the pixels at the edge."""

    def distort(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images of the same shape, (n_items, channels, height, width), and range.

        Args:
            images: float32, in [0, white].
            generator: source of all randomness.
        """
        n = len(images)

        def uniform(limit: float, columns: int) -> Tensor:
            return (torch.rand(n, columns, generator=generator) * 2 - 1) * limit

        angle = uniform(self.rotation_radians, 1)
        stretch = 1 + uniform(self.stretch, 2)
        shift = uniform(self.shift * 2, 2)  # affine_grid counts from -1 to 1 over a side
        rotation = torch.stack(
            [torch.cat([angle.cos(), -angle.sin()], 1), torch.cat([angle.sin(), angle.cos()], 1)],
            1,
        )
        transform = torch.cat([rotation * stretch[:, None, :], shift[:, :, None]], 2)
        grid = functional.affine_grid(transform, list(images.shape), align_corners=False)
        moved = functional.grid_sample(images, grid, padding_mode=self.padding, align_corners=False)
        noise = torch.randn(moved.shape, generator=generator) * self.noise
        return (moved + noise).clamp(0, self.white)
