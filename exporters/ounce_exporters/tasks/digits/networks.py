"""Networks that read images of 64 pixels in [0, 16], array of shape (n_items, 64), as logits."""

import torch
from torch import Tensor, nn

WHITE = 16.0
CLASSES = 10


class Mlp(nn.Module):
    """Two hidden layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, CLASSES)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n_items, 10)."""
        logits: Tensor = self.layers(pixels / WHITE)
        return logits


class SmallCnn(nn.Module):
    """Two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(1, 8),
            nn.ReLU(),
            *_convolution(8, 16, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 4 * 4, CLASSES),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n_items, 10)."""
        logits: Tensor = self.layers(_as_images(pixels))
        return logits


class ResidualCnn(nn.Module):
    """Four residual blocks (He et al., "Deep Residual Learning", CVPR 2016)."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(1, channels),
            nn.ReLU(),
            _Residual(channels, channels),
            _Residual(channels, channels),
            _Residual(channels, 2 * channels, stride=2),
            _Residual(2 * channels, 2 * channels),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(2 * channels, CLASSES),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n_items, 10)."""
        logits: Tensor = self.layers(_as_images(pixels))
        return logits


class _Residual(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels_in, channels_out, stride=stride),
            nn.ReLU(),
            *_convolution(channels_out, channels_out),
        )
        same = channels_in == channels_out and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(*_convolution(channels_in, channels_out, size=1, stride=stride))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def _convolution(
    channels_in: int, channels_out: int, *, size: int = 3, stride: int = 1
) -> tuple[nn.Module, nn.Module]:
    return (
        nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


def _as_images(pixels: Tensor) -> Tensor:
    return pixels.reshape(-1, 1, 8, 8) / WHITE
