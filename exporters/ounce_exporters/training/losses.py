"""What a network is told to make small, and how small it is on rows that teach it nothing."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_ROWS = 1024

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of a network's outputs and the targets."""


def loss_of(targets: NDArray[Any], label_smoothing: float) -> Loss:
    """Cross-entropy of label indices, squared error of values."""
    if np.issubdtype(targets.dtype, np.integer):
        return partial(nn.functional.cross_entropy, label_smoothing=label_smoothing)
    return _squares


def held_loss(network: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> float:
    """The loss of a network, which is in evaluation mode afterwards."""
    with torch.inference_mode():
        outputs = torch.cat([network.eval()(part) for part in torch.split(x, _ROWS)])
        return float(loss(outputs, y))


def _squares(output: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.mse_loss(output.reshape(targets.shape), targets)
