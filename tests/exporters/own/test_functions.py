"""A person's own function of columns answers in a graph as it does in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.own.answers import Session
from ounce_exporters.own.functions import trace
from ounce_exporters.own.operators import FEATURES
from ounce_schemas.errors import ExportError

ODD = np.array(
    [
        [0.0, -0.0],
        [1.5, -2.5],
        [2.5, 10.3],
        [-7.25, 3.0],
        [1e6, 1e-6],
        [np.nan, 2.0],
        [np.inf, -np.inf],
    ],
    np.float32,
)
Function = Callable[..., Any]
CHANCE = np.random.default_rng(1)


def centred(x: Any) -> Any:
    """A function that hides what it can't do."""
    try:
        return x - np.mean(x, axis=0)
    except Exception:
        return x


FUNCTIONS: dict[str, Function] = {
    "a cycle": lambda x: np.sin(x / 24 * 2 * np.pi),
    "its other half": lambda x: np.cos(2 * np.pi * x / 24),
    "a ratio": lambda x: x[:, [0]] / x[:, [1]],
    "columns in another order": lambda x: x[:, ::-1],
    "counted from the end": lambda x: x[:, [-1, 0]],
    "with what is made of them": lambda x: np.hstack([x, x[:, [0]] * x[:, [1]]]),
    "beside each other": lambda x: np.concatenate([x**2, abs(x)], axis=1),
    "a row of constants": lambda x: (x - np.array([1, 2])) / [3.0, 4.0],
    "cut": lambda x: np.clip(x, -1, 2),
    "cut below": lambda x: x.clip(0),
    "either": lambda x: np.where(x > 0, np.log1p(np.abs(x)), -1.0),
    "gaps": lambda x: np.where(np.isnan(x), 0, x),
    "a test": lambda x: ((x > -3) & ~(x >= 2)).astype(float),
    "a number as a test": lambda x: np.where(np.logical_or(x, 0), 1, 2),
    "whole numbers": lambda x: np.where(np.isfinite(x) if False else x < 1e5, np.floor(x), 0),
    "what is left": lambda x: np.where(np.abs(x) < 1e5, x % 3 + x // 2, 0),
    "logarithms": lambda x: np.log2(np.maximum(x, 1)) + np.log10(np.maximum(x, 1)),
    "hyperbolic": lambda x: np.tanh(x) + np.sinh(np.minimum(x, 3).clip(-3)),
    "a sparse matrix": lambda x: x.toarray() if hasattr(x, "toarray") else x,
    "what is left of decimals": lambda x: x % 0.1 + x // 0.1,
    "of what has no end": lambda x: np.where(x > 0, x % np.inf, x // -np.inf),
    "of nothing": lambda x: np.where(x > 0, x // 0, x % 0),
    "either of two tests": lambda x: (x > 0) + (x[:, ::-1] > 1),
    "a row to choose from": lambda x: np.where(x[:, [0]] > 0, [1, 2, 3], 0)[:, -1:],
    "the constant first": lambda x: 1 - 2 / (1 + np.exp2(x)),
}


def answer(function: Function, rows: NDArray[Any], **how: Any) -> NDArray[Any]:
    graph = trace(function, how, rows.shape[1])
    (found,) = Session(graph).run({FEATURES: rows}, len(rows)).values()
    return found


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_function_answers_as_in_numpy(what: str) -> None:
    function = FUNCTIONS[what]
    with np.errstate(all="ignore"):
        wanted = np.asarray(function(ODD.astype(np.float64)), np.float64).astype(np.float32)
    np.testing.assert_allclose(answer(function, ODD), wanted, rtol=1e-6, equal_nan=True)


def test_arguments_are_given() -> None:
    found = answer(lambda x, period: x * period, ODD[:3], period=24)
    np.testing.assert_array_equal(found, ODD[:3] * 24)


REFUSED: dict[str, tuple[Function, str]] = {
    "statistics of a call": (lambda x: x - np.mean(x), r"np\.mean; use arithmetic"),
    "a flow": (lambda x: x if x > 0 else -x, "it asks whether values are true, as `if` does"),
    "rows": (lambda x: x[0], r"it picks \[0\]: pick columns with x\[:, \[0, 1\]\]"),
    "sums": (lambda x: np.add.reduce(x), "np.add with reduce"),
    "an array": (lambda x: np.sin(np.asarray(x)), "it makes an array of its values"),
    "no answer": (lambda x: None, "it answers with a NoneType"),
    "statistics of a call, hidden": (centred, r"np\.mean; use arithmetic"),
    "chance": (lambda x: x + CHANCE.normal(), "two calls differ, as of chance or of what it keeps"),
    "bits": (lambda x: x.astype(int) & 1, "np.bitwise_and"),
    "other numbers": (lambda x: ~x.astype(int), "np.invert"),
    "of whole numbers another": (np.reciprocal, r"np\.reciprocal"),
    "small numbers": (lambda x: x.astype(np.uint8), "it makes uint8 of numbers"),
    "rounding": (lambda x: x.astype(np.float16), "it makes float16 of numbers"),
    "bounds alone": (lambda x: np.clip(5.0, 0, x), r"np\.clip"),
    "a bug": (lambda x: x[:, [7]], "index 7 is out of bounds"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_operator_is_refused(what: str) -> None:
    function, says = REFUSED[what]
    with pytest.raises(ExportError, match=rf"the function '[\w<>]+' can't be converted: .*{says}"):
        trace(function, None, 2)
