"""Random changes of vibration that leave its diagnosis, against learning windows by heart."""

import torch
from torch import Tensor


def roll(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Start each window at a random sample of its own; what was before it goes to its end.

    A machine turns all the same: where in a turn a window starts says nothing of its bearing.

    Args:
        windows: array of shape (n_items, n_samples).
        generator: source of all randomness.

    Returns:
        Array of the same shape.
    """
    n_items, n_samples = windows.shape
    starts = torch.randint(n_samples, (n_items, 1), generator=generator)
    return windows.gather(1, (torch.arange(n_samples) + starts) % n_samples)
