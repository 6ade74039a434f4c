"""Steps that are converted here answer in a graph as they do in scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.own.answers import Session
from ounce_exporters.own.conversion import convert_columns
from ounce_schemas.errors import ExportError
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

NAMES = ["hour", "temp"]
RNG = np.random.default_rng(2)
FRAME = pd.DataFrame({"hour": RNG.integers(0, 24, 200), "temp": RNG.normal(15, 8, 200).round(2)})
BEYOND = pd.concat([FRAME, pd.DataFrame({"hour": [-30, 24, 99], "temp": [-60.0, 0.0, 80.0]})])
COUNT = 50 + 30 * np.sin(FRAME["hour"] / 24 * 2 * np.pi) + FRAME["temp"]
PERIOD = np.linspace(0, 24, 7).reshape(-1, 1)


def cubes(x: Any, power: int = 3) -> Any:
    """A function with an argument."""
    return x**power / 1000


STEPS: dict[str, Callable[[], Any]] = {
    "splines": SplineTransformer,
    "splines without the last": lambda: SplineTransformer(4, degree=2, include_bias=False),
    "splines that go on": lambda: SplineTransformer(extrapolation="continue"),
    "splines of a circle": lambda: make_column_transformer(
        (SplineTransformer(knots=PERIOD, extrapolation="periodic"), ["hour"])
    ),
    "splines at quantiles": lambda: SplineTransformer(knots="quantile"),
    "kernels": lambda: Nystroem(gamma=0.01, n_components=20, random_state=0),
    "kernels of products": lambda: Nystroem("poly", degree=2, n_components=9, random_state=0),
    "kernels of lines": lambda: Nystroem("linear", n_components=2, random_state=0),
    "kernels that are bounded": lambda: Nystroem(
        "sigmoid", gamma=0.001, n_components=9, random_state=0
    ),
    "waves": lambda: RBFSampler(gamma=0.01, n_components=30, random_state=0),
    "a function": lambda: FunctionTransformer(lambda x: np.log1p(np.maximum(x, 0)), validate=True),
    "with an argument": lambda: FunctionTransformer(cubes, kw_args={"power": 2}),
    "a function of a frame": lambda: make_column_transformer(
        (FunctionTransformer(lambda df: (df["temp"] / (df["hour"].abs() + 1)).to_frame()), NAMES),
        (FunctionTransformer(lambda df: df[["temp", "hour"]].fillna(0) * 2), NAMES),
    ),
    "nothing": FunctionTransformer,
    "a function of two columns": lambda: make_column_transformer(
        (FunctionTransformer(lambda x: x[:, [1]] - x[:, [0]], validate=True), NAMES)
    ),
    "functions of columns": lambda: make_column_transformer(
        (FunctionTransformer(lambda x: np.sin(x / 24 * 2 * np.pi)), ["hour"]),
        remainder=FunctionTransformer(),
    ),
}


@pytest.mark.parametrize("what", STEPS)
def test_a_step_answers_as_it_does(what: str) -> None:
    model = make_pipeline(STEPS[what](), Ridge()).fit(FRAME, COUNT)
    feeds = {name: BEYOND[[name]].to_numpy(np.float32) for name in NAMES}
    session = Session(convert_columns(model, NAMES, ()))
    feeds = {port.name: feeds[port.name] for port in session.inputs}
    (found,) = session.run(feeds, len(BEYOND)).values()
    np.testing.assert_allclose(found.ravel(), model.predict(BEYOND), rtol=1e-4, atol=1e-3)


def test_gaps_are_marked_beside_what_fills_them() -> None:
    rows = FRAME.mask(RNG.random(FRAME.shape) < 0.2)
    model = make_pipeline(SimpleImputer(add_indicator=True), Ridge()).fit(rows, COUNT)
    feeds = {name: rows[[name]].to_numpy(np.float32) for name in NAMES}
    (found,) = Session(convert_columns(model, NAMES, ())).run(feeds, len(rows)).values()
    np.testing.assert_allclose(found.ravel(), model.predict(rows), rtol=1e-4)


def test_boosting_of_decimals_splits_as_scikit_learn_does() -> None:
    """Its thresholds are values of its rows, and a float32 is a little more or less than these."""
    rows = pd.DataFrame({name: RNG.permutation(np.arange(4000) / 10 + 0.1) for name in NAMES})
    model = HistGradientBoostingRegressor(max_iter=20).fit(rows, np.sin(rows["hour"] * 9))
    feeds = {name: rows[[name]].to_numpy(np.float32) for name in NAMES}
    (found,) = Session(convert_columns(model, NAMES, ())).run(feeds, len(rows)).values()
    np.testing.assert_allclose(found.ravel(), model.predict(rows), atol=1e-5)


TEXTS = pd.DataFrame({"site": ["north", "south"] * 100, "hour": FRAME["hour"]})
REFUSED: dict[str, tuple[Any, str]] = {
    "a function of texts": (
        make_column_transformer((FunctionTransformer(lambda x: x == "north"), ["site"])),
        "the function '<lambda>' of a FunctionTransformer reads texts, .*: put what it makes into",
    ),
    "lines at the ends": (
        make_column_transformer((SplineTransformer(extrapolation="linear"), ["hour"])),
        "SplineTransformer with extrapolation='linear' can't be converted: 'constant',",
    ),
    "another kernel": (
        make_column_transformer((Nystroem("laplacian", n_components=5), ["hour"])),
        "the kernel 'laplacian' of a Nystroem can't be converted: rbf, linear, poly and sigmoid",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_step_that_has_no_graph_is_refused(what: str) -> None:
    step, says = REFUSED[what]
    model = make_pipeline(step, Ridge()).fit(TEXTS, COUNT)
    with pytest.raises(ExportError, match=says):
        convert_columns(model, ["site", "hour"], ["site"])
