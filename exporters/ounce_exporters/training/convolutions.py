"""Convolutional networks over images as float32, array of shape (n, channels, height, width)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def small_cnn(
    shape: tuple[int, int, int], n_outputs: int, widths: Sequence[int] = (8, 16)
) -> nn.Sequential:
    """A convolution for each width, all but the first with a stride of 2.

    Args:
        shape: channels, height and width.
        n_outputs: logits or values.
        widths: channels of each convolution.
    """
    channels, height, width = shape
    layers: list[nn.Module] = []
    for i, wide in enumerate(widths):
        layers += [*convolution(channels, wide, stride=min(i, 1) + 1), nn.ReLU()]
        channels = wide
    for _ in widths[1:]:
        height, width = -(-height // 2), -(-width // 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, n_outputs))


def residual_cnn(
    shape: tuple[int, int, int], n_outputs: int, *, channels: int = 64, most_side: int = 16
) -> nn.Sequential:
    """Four residual blocks (He et al., "Deep Residual Learning", CVPR 2016).

    Args:
        shape: channels, height and width.
        n_outputs: logits or values.
        channels: of the first two blocks; the others have twice as many.
        most_side: strided convolutions go before the blocks where an image is larger.
    """
    layers = [*convolution(shape[0], channels), nn.ReLU()]
    if max(shape[1:]) > most_side:
        layers = [*convolution(shape[0], channels, stride=2), nn.ReLU()]
    side = -(-max(shape[1:]) // 2)
    while side > most_side:
        layers += [*convolution(channels, channels, stride=2), nn.ReLU()]
        side = -(-side // 2)
    return nn.Sequential(
        *layers,
        Residual(channels, channels),
        Residual(channels, channels),
        Residual(channels, 2 * channels, stride=2),
        Residual(2 * channels, 2 * channels),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(2 * channels, n_outputs),
    )


class Residual(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(channels_in, channels_out, stride=stride),
            nn.ReLU(),
            *convolution(channels_out, channels_out),
        )
        same = channels_in == channels_out and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(*convolution(channels_in, channels_out, size=1, stride=stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Array of shape (n, channels_out, height, width), both sides divided by the stride."""
        return torch.relu(self.body(x) + self.shortcut(x))


def convolution(
    channels_in: int, channels_out: int, *, size: int = 3, stride: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution and its normalisation, into which an ONNX graph folds it."""
    return (
        nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )
