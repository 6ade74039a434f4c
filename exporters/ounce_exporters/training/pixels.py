"""From pixels of 8 bits to what networks and features read; all of it is part of the graph."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.training.distortion import Distortion

_LOOKED_AT = 2_000
"""Images whose pixels are averaged."""
_DISTORTION = Distortion(
    white=255.0, shift=0.08, rotation_radians=0.15, stretch=0.1, noise=5.0, padding="border"
)


class Pixels(nn.Module):
    """Shrinks images by a whole factor and standardizes their channels.

    Args:
        images: to learn from, uint8, array of shape (n, height, width, channels).
        side: the longer one has at most so many pixels afterwards.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, images: NDArray[np.uint8], side: int) -> None:
        super().__init__()
        _, height, width, channels = images.shape
        self.factor = min(-(-max(height, width) // side), height, width)
        self.shape = (channels, height // self.factor, width // self.factor)
        """Channels, height and width of what comes out."""
        some = images[:: -(-len(images) // _LOOKED_AT)].reshape(-1, channels).astype(np.float64)
        spread = np.maximum(some.std(axis=0), 1.0)
        self.register_buffer("mean", torch.tensor(some.mean(axis=0), dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(1.0 / spread, dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Array of shape (n, channels, height, width), float32."""
        x = (images.float() - self.mean) * self.scale
        x = x.permute(0, 3, 1, 2)
        return x if self.factor == 1 else nn.functional.avg_pool2d(x, self.factor)


class ImageNetwork(nn.Module):
    """A network behind `Pixels`."""

    def __init__(self, pixels: Pixels, network: nn.Module) -> None:
        super().__init__()
        self.pixels = pixels
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        outputs: Tensor = self.network(self.pixels(images))
        return outputs


@dataclass(frozen=True)
class ImageAugmentation:
    """Distorts batches of images as requests hold them."""

    distortion: Distortion = _DISTORTION

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Float32, array of shape (n, height, width, channels), in [0, 255]."""
        channels_first = images.float().permute(0, 3, 1, 2)
        return self.distortion.distort(channels_first, generator).permute(0, 2, 3, 1)


def pixel_features(data: TaskData, *, side: int) -> nn.Module:
    """The extractor of standardized pixels, flat."""
    images = data.train.inputs[data.spec.inputs[0].name]
    return nn.Sequential(Pixels(images, side), nn.Flatten())
