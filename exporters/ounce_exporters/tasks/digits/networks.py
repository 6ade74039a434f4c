"""Networks that read images of 64 pixels in [0, 16], array of shape (n_items, 64), as logits."""

from torch import Tensor, nn

from ounce_exporters.training.convolutions import residual_cnn, small_cnn

WHITE = 16.0
CLASSES = 10
_SHAPE = (1, 8, 8)


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
        self.layers = small_cnn(_SHAPE, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n_items, 10)."""
        logits: Tensor = self.layers(_as_images(pixels))
        return logits


class ResidualCnn(nn.Module):
    """Four residual blocks."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.layers = residual_cnn(_SHAPE, CLASSES, channels=channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of shape (n_items, 10)."""
        logits: Tensor = self.layers(_as_images(pixels))
        return logits


def _as_images(pixels: Tensor) -> Tensor:
    return pixels.reshape(-1, *_SHAPE) / WHITE
