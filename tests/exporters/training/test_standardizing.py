"""Quantities are learned in units of their own spread, whatever their own unit is."""

import numpy as np
import pytest
from ounce_exporters.training.neural import Training, fit_task, run
from ounce_exporters.training.standardizing import standardize
from torch import nn

X = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)


@pytest.mark.parametrize("unit", [1e-20, 1.0, 1e20])
def test_a_network_learns_a_quantity_of_any_unit(unit: float) -> None:
    targets = (X[:, 0] * unit).astype(np.float32)
    training = Training(epochs=2, learning_rate=1e-2)
    network = fit_task(lambda: nn.Linear(2, 1), X, targets, training, 0, lambda share: None)
    found = run(network, X) / np.float32(unit)
    assert np.isfinite(found).all()
    assert found.std() > 0.0


def test_a_constant_is_zero() -> None:
    values, centre, spread = standardize(np.full(3, 7.0, np.float32))
    assert (values.tolist(), centre, spread) == ([0.0, 0.0, 0.0], 7.0, 1.0)
