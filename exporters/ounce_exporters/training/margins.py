"""Support vector machines that are linear in their features, of any number of classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

INSENSITIVE = 0.05
"""Errors of a quantity up to here cost nothing, in standard deviations of the target."""
_MOST_STEPS = 200


def signs(targets: NDArray[np.int64], n_classes: int) -> Floats:
    """1 for a row's class and -1 for others: shape (n_rows, n_classes), or (n_rows, 1) of two."""
    of_each = np.where(targets[:, None] == np.arange(n_classes), 1.0, -1.0)
    return of_each[:, 1:] if n_classes == 2 else of_each


def fit_margins(
    features: Floats, wanted: Floats, weights: Floats, penalty: float, start: Floats
) -> Floats:
    """Coefficients of the least squared hinge loss, each output against the rest.

    Solves one convex problem for all outputs by L-BFGS. Where `wanted` is no sign but a quantity,
    the loss is that of support vector regression: squared errors beyond `INSENSITIVE`.

    Args:
        features: shape (n_rows, n_features); the last one is 1 and its coefficient is free.
        wanted: signs, or one standardized quantity, shape (n_rows, n_outputs).
        weights: of rows, mean 1, shape (n_rows,).
        penalty: of squared coefficients, against the mean loss.
        start: first guess, shape (n_features, n_outputs).

    Returns:
        Array of shape (n_features, n_outputs).
    """
    share = (weights / len(features))[:, None]
    is_quantity = not np.isin(wanted, (-1.0, 1.0)).all()
    free = np.ones((features.shape[1], 1))
    free[-1] = 0.0

    def cost(flat: Floats) -> tuple[float, Floats]:
        coefficients = flat.reshape(start.shape)
        answers = features @ coefficients
        if is_quantity:
            errors = answers - wanted
            beyond = np.sign(errors) * np.maximum(np.abs(errors) - INSENSITIVE, 0.0)
            slope = beyond
        else:
            beyond = np.maximum(1.0 - wanted * answers, 0.0)
            slope = -wanted * beyond
        held = free * coefficients
        value = (share * beyond**2).sum() + penalty * (held**2).sum()
        gradient = 2 * (features.T @ (share * slope)) + 2 * penalty * held
        return float(value), gradient.ravel()

    found: Any = minimize(
        cost, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _MOST_STEPS}
    )
    return np.asarray(found.x, np.float64).reshape(start.shape)


def choose_penalty(
    features: Floats, wanted: Floats, weights: Floats, penalties: Floats
) -> tuple[float, float, Floats]:
    """The penalty of the least leave-one-out error of ridge regression on the same features.

    The error of every penalty follows from one decomposition (Cawley and Talbot, "Fast exact
    leave-one-out cross-validation of sparse least-squares support vector machines", 2004).

    Args:
        features: as of `fit_margins`.
        wanted: as of `fit_margins`.
        weights: as of `fit_margins`.
        penalties: to choose from.

    Returns:
        The penalty, its mean squared error, and the coefficients of ridge regression.
    """
    root = np.sqrt(weights / len(features))[:, None]
    centre = (root**2 * features[:, :-1]).sum(axis=0) / (root**2).sum()
    middle = (root**2 * wanted).sum(axis=0) / (root**2).sum()
    inputs, outputs = root * (features[:, :-1] - centre), root * (wanted - middle)
    values, vectors = np.linalg.eigh(inputs.T @ inputs)
    turned = inputs @ vectors
    products = turned.T @ outputs
    best: tuple[float, float, Floats] | None = None
    for penalty in penalties.tolist():
        shrunk = 1.0 / (np.maximum(values, 0.0) + penalty)
        residuals = outputs - turned @ (shrunk[:, None] * products)
        leverage = (turned**2 @ shrunk)[:, None] + root**2
        error = float(((residuals / np.maximum(1.0 - leverage, 1e-6)) ** 2).sum())
        if best is None or error < best[1]:
            slopes = vectors @ (shrunk[:, None] * products)
            best = penalty, error, np.vstack([slopes, middle - centre @ slopes])
    assert best is not None  # there is a penalty
    return best
