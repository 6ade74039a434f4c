"""Kernels with rows that a model keeps, and the models that are made of them, as formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ounce_schemas.errors import ExportError
from scipy.special import erf
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.gaussian_process._gpc import (
    COEFS,
    LAMBDAS,
    _BinaryGaussianProcessClassifierLaplace,
)
from sklearn.kernel_ridge import KernelRidge

Formula = Callable[[Any], Any]
"""Of an array of shape (n_items, n_columns), to one of as many items."""
_MATERN: dict[float, Formula] = {
    0.5: lambda d: np.exp(-d),
    1.5: lambda d: (d * 3**0.5 + 1.0) * np.exp(-(d * 3**0.5)),
    2.5: lambda d: (d * 5**0.5 + 1.0 + d * d * (5 / 3)) * np.exp(-(d * 5**0.5)),
    np.inf: lambda d: np.exp(d * d * -0.5),
}
"""By `nu`, of distances."""


def squared_distances(rows: Any) -> Formula:
    """From each of some rows, array of shape (n_rows, n_columns)."""
    kept = np.asarray(rows, np.float64)
    ones = np.ones_like(kept).T
    return lambda x: np.maximum((x * x) @ ones + (kept**2).sum(axis=1) - (x @ kept.T) * 2.0, 0.0)


def nystroem(step: Any) -> Formula:
    """Kernels with the rows that it keeps, then its own weights."""
    kernel = _named(step, step.components_, "Nystroem")
    return lambda x: kernel(x) @ step.normalization_.T


def _kernel_ridge(model: Any) -> Formula:
    kernel = _named(model, model.X_fit_, "KernelRidge")
    return lambda x: kernel(x) @ np.reshape(model.dual_coef_, (-1, 1))


def _named(owner: Any, rows: Any, name: str) -> Formula:
    """As `sklearn.metrics.pairwise` has them."""
    kept = np.asarray(rows, np.float64)
    gamma = 1.0 / kept.shape[1] if owner.gamma is None else float(owner.gamma)
    offset = 1.0 if owner.coef0 is None else float(owner.coef0)
    degree = 3.0 if owner.degree is None else float(owner.degree)
    away = squared_distances(kept)
    found: dict[str, Formula] = {
        "rbf": lambda x: np.exp(away(x) * -gamma),
        "linear": lambda x: x @ kept.T,
        "poly": lambda x: (x @ kept.T * gamma + offset) ** degree,
        "sigmoid": lambda x: np.tanh(x @ kept.T * gamma + offset),
    }
    found["polynomial"] = found["poly"]
    if owner.kernel not in found:
        raise ExportError(
            f"the kernel {owner.kernel!r} of a {name} can't be converted: rbf, linear, poly and "
            "sigmoid can"
        )
    return found[owner.kernel]


def _with_rows(kernel: Any, rows: Any) -> Formula:
    """A kernel of a Gaussian process, with each row that it has learned."""
    kept = np.asarray(rows, np.float64)
    if isinstance(kernel, kernels.Sum | kernels.Product):
        one, two = _with_rows(kernel.k1, kept), _with_rows(kernel.k2, kept)
        add = isinstance(kernel, kernels.Sum)
        return lambda x: one(x) + two(x) if add else one(x) * two(x)
    if isinstance(kernel, kernels.ConstantKernel):
        return lambda x: x @ np.zeros_like(kept).T + float(kernel.constant_value)
    if isinstance(kernel, kernels.WhiteKernel):
        return lambda x: x @ np.zeros_like(kept).T
    if isinstance(kernel, kernels.DotProduct):
        return lambda x: x @ kept.T + float(kernel.sigma_0) ** 2
    if isinstance(kernel, kernels.RationalQuadratic):
        away = squared_distances(kept / kernel.length_scale)
        power = float(kernel.alpha)
        return lambda x: (away(x / kernel.length_scale) / (2 * power) + 1.0) ** -power
    if isinstance(kernel, kernels.RBF):  # and Matern
        away = squared_distances(kept / kernel.length_scale)
        smooth = float(getattr(kernel, "nu", np.inf))
        if smooth in _MATERN:
            return lambda x: _MATERN[smooth](np.sqrt(away(x / kernel.length_scale)))
    raise ExportError(
        f"the kernel {kernel} of a Gaussian process can't be converted: sums and products of RBF, "
        "Matern (nu of 0.5, 1.5 or 2.5), RationalQuadratic, DotProduct, constant and white ones can"
    )


def _with_itself(kernel: Any) -> Formula:
    """A kernel of each item with itself."""
    if isinstance(kernel, kernels.Sum | kernels.Product):
        one, two = _with_itself(kernel.k1), _with_itself(kernel.k2)
        add = isinstance(kernel, kernels.Sum)
        return lambda x: one(x) + two(x) if add else one(x) * two(x)
    if isinstance(kernel, kernels.DotProduct):
        return lambda x: _row_sums(x * x) + float(kernel.sigma_0) ** 2
    constant = float(kernel.diag(np.zeros((1, 1)))[0])
    return lambda x: constant


def _row_sums(x: Any) -> Any:
    return x @ np.ones((x.shape[1], 1))


def _regressing(model: Any) -> Formula:
    kernel = _with_rows(model.kernel_, model.X_train_)
    weights = np.reshape(model.alpha_, (len(model.X_train_), -1))
    return lambda x: kernel(x) @ weights * model._y_train_std + model._y_train_mean


def _classifying(model: Any) -> Formula:
    """Two labels' probabilities: the integral of a sigmoid as one of error functions."""
    kernel = _with_rows(model.kernel_, model.X_train_)
    itself = _with_itself(model.kernel_)
    known = (model.y_train_ - model.pi_).reshape(-1, 1)
    spread = np.linalg.solve(model.L_, np.diag(model.W_sr_)).T

    def formula(x: Any) -> Any:
        near = kernel(x)
        mean, turned = near @ known, near @ spread
        variance = itself(x) - _row_sums(turned * turned)
        second = 0.0
        for share, weight in zip(LAMBDAS.ravel(), COEFS.ravel(), strict=True):
            inside = mean * share / np.sqrt(variance * (2 * share**2) + 1.0)
            second = (erf(inside) + 1.0) * (weight / 2) + second
        return np.hstack([1.0 - second, second])

    return formula


MODELS: dict[type, Callable[[Any], Formula]] = {
    GaussianProcessRegressor: _regressing,
    KernelRidge: _kernel_ridge,
    _BinaryGaussianProcessClassifierLaplace: _classifying,
}
"""By the class of a model: what it answers."""
