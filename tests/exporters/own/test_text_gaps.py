"""A pipeline that has learned of gaps among texts answers in a graph as it does for a frame."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.own.answers import Session
from ounce_exporters.own.native import from_sklearn
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

TEXTS = ["site", "shift"]
TASK = TaskSpec(
    name="t",
    kind="classification",
    description="A task.",
    inputs=(
        TensorSpec(name="numbers", shape=(2,), datatype="FP32", columns=("warm", "floor")),
        TensorSpec(name="texts", shape=(2,), datatype="BYTES", columns=("site", "shift")),
    ),
    labels=("no", "yes"),
)


def frame(gap: object) -> pd.DataFrame:
    """Gaps in `site` mean `yes`, those in `shift` nothing."""
    rng = np.random.default_rng(0)
    sites = rng.choice(np.array(["north", "south", gap], object), 400)
    shifts = rng.choice(np.array(["day", "night", "off", gap], object), 400)
    warm = rng.normal(size=400).astype(np.float32)
    texts = {"site": sites, "shift": shifts}
    numbers = {"warm": warm, "floor": rng.integers(0, 3, 400)}
    return pd.DataFrame(numbers | {n: pd.Series(v, dtype=object) for n, v in texts.items()})


def filled(**how: Any) -> Any:
    return make_pipeline(SimpleImputer(**how), OneHotEncoder(handle_unknown="ignore"))


def numbered(**how: Any) -> Any:
    return OrdinalEncoder(handle_unknown="use_encoded_value", **how)


def linear(encoder: Any) -> Any:
    columns = make_column_transformer((encoder, TEXTS), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression())


def mixed() -> Any:
    columns = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["site", "floor"]))
    return make_pipeline(columns, LogisticRegression())


def boosted(encoder: Any) -> Any:
    columns = make_column_transformer((encoder, TEXTS), remainder="passthrough")
    return make_pipeline(
        columns, HistGradientBoostingClassifier(max_iter=5, categorical_features=[0, 1])
    )


MODELS: dict[str, tuple[Callable[[], Any], object]] = {
    "a constant": (lambda: linear(filled(strategy="constant", fill_value="none")), np.nan),
    "the most frequent": (lambda: linear(filled(strategy="most_frequent")), np.nan),
    "None is filled": (
        lambda: linear(filled(strategy="most_frequent", missing_values=None)),
        None,
    ),
    "a category": (lambda: linear(OneHotEncoder()), np.nan),
    "None is a category": (lambda: linear(OneHotEncoder()), None),
    "a category among rare ones": (lambda: linear(OneHotEncoder(min_frequency=110)), np.nan),
    "a rare category, as what is unknown": (
        lambda: linear(OneHotEncoder(min_frequency=110, handle_unknown="infrequent_if_exist")),
        np.nan,
    ),
    "rare ones behind what fills gaps": (
        lambda: linear(
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(max_categories=2, handle_unknown="infrequent_if_exist"),
            )
        ),
        np.nan,
    ),
    "rare ones, the first left out": (
        lambda: linear(
            OneHotEncoder(max_categories=3, drop="first", handle_unknown="infrequent_if_exist")
        ),
        np.nan,
    ),
    "none is rare": (lambda: linear(OneHotEncoder(handle_unknown="infrequent_if_exist")), np.nan),
    "a category beside numbers": (mixed, np.nan),
    "a mean of the target": (lambda: linear(TargetEncoder(cv=2)), np.nan),
    "a number": (lambda: linear(numbered(unknown_value=-1, encoded_missing_value=-2)), np.nan),
    "stays a gap": (lambda: boosted(OrdinalEncoder()), np.nan),
    "stays a gap, as what is unknown": (lambda: boosted(numbered(unknown_value=np.nan)), np.nan),
    "stays a gap beside a number": (lambda: boosted(numbered(unknown_value=-1)), np.nan),
    "stays a gap among rare ones": (
        lambda: boosted(numbered(unknown_value=-1, min_frequency=110)),
        np.nan,
    ),
}


@pytest.mark.parametrize("what", MODELS)
def test_an_empty_text_is_the_gap_that_a_model_has_learned(what: str) -> None:
    make, gap = MODELS[what]
    rows = frame(gap)
    truth = np.where(rows["site"].isna() | (rows["warm"] > 1), "yes", "no")
    model = make().fit(rows, truth)
    texts = rows[TEXTS].where(rows[TEXTS].notna(), "").to_numpy(object)
    inputs = {"numbers": rows[["warm", "floor"]].to_numpy(np.float32), "texts": texts}

    foreign = from_sklearn(model, TASK)
    assert foreign.native is not None
    feeds = {
        "warm": inputs["numbers"][:, :1],
        "floor": inputs["numbers"][:, 1:],
        "site": texts[:, :1],
        "shift": texts[:, 1:],
    }
    session = Session(foreign.graph)
    feeds = {port.name: feeds[port.name] for port in session.inputs}
    answers = list(session.run(feeds, len(rows)).values())[-1]

    expected = model.predict_proba(rows)
    np.testing.assert_allclose(foreign.native(inputs), expected, atol=1e-5)
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    np.testing.assert_array_equal(model.predict_proba(rows), expected)  # it stays as it was


@pytest.mark.parametrize("gap", [np.nan, None])
def test_boosting_of_categories_of_a_frame_answers_as_it_does(gap: object) -> None:
    """As `HistGradientBoostingClassifier(categorical_features="from_dtype")` learns of a frame."""
    rows = frame(gap)[["warm", "site", "floor", "shift"]]
    known = rows.astype({"site": "category", "shift": "category"})
    truth = np.where(rows["site"].isna() | (rows["warm"] > 1), "yes", "no")
    model = HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5).fit(known, truth)
    foreign = from_sklearn(model, TASK)
    odd = pd.concat([rows, pd.DataFrame([[9.0, "mars", 1, "day"]], columns=rows.columns)])
    texts = odd[TEXTS].where(odd[TEXTS].notna(), "").to_numpy(object)
    numbers = odd[["warm", "floor"]].to_numpy(np.float32)
    columns = {"warm": numbers[:, :1], "floor": numbers[:, 1:]}
    columns |= {"site": texts[:, :1], "shift": texts[:, 1:]}
    session = Session(foreign.graph)
    feeds = {port.name: columns[port.name] for port in session.inputs}
    (found,) = session.run(feeds, len(odd)).values()
    wanted = model.predict_proba(odd)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert foreign.native is not None
    native = foreign.native({"numbers": numbers, "texts": texts})
    np.testing.assert_allclose(native, wanted, atol=1e-6)


def test_what_is_unknown_counts_as_rare() -> None:
    rows = frame("none").assign(floor=lambda table: table["floor"] * 0.5)
    encoder = OneHotEncoder(min_frequency=135, handle_unknown="infrequent_if_exist")
    columns = make_column_transformer((encoder, ["site", "shift", "floor"]))
    model = make_pipeline(columns, LogisticRegression()).fit(rows, rows["warm"] > rows["floor"])
    odd = pd.DataFrame([[0.0, "mars", "noon", 0.7], [0.0, "north", "day", 0.5]])
    odd = pd.concat([rows, odd.set_axis(["warm", "site", "shift", "floor"], axis=1)])
    texts, floor = odd[TEXTS].to_numpy(object), odd[["floor"]].to_numpy(np.float32)
    feeds = {"site": texts[:, :1], "shift": texts[:, 1:], "floor": floor}
    found = list(Session(from_sklearn(model, TASK).graph).run(feeds, len(odd)).values())[-1]
    np.testing.assert_allclose(found, model.predict_proba(odd), atol=1e-5)


def test_categories_that_are_decimals_are_known() -> None:
    """A frame has 0.1 in double precision, and a task in float32."""
    rows = frame(np.nan).assign(floor=lambda table: (table["floor"] + 1) / 10)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="infrequent_if_exist"), ["floor"]), ("passthrough", ["warm"])
    )
    truth = (rows["warm"] > 0) ^ (rows["floor"] > 0.25)
    model = make_pipeline(columns, LogisticRegression()).fit(rows, truth)
    foreign = from_sklearn(model, TASK)
    numbers = rows[["warm", "floor"]].to_numpy(np.float32)
    feeds = {"warm": numbers[:, :1], "floor": numbers[:, 1:]}
    (found,) = Session(foreign.graph).run(feeds, len(rows)).values()
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-5)
    assert foreign.native is not None
    native = foreign.native({"numbers": numbers, "texts": rows[TEXTS].to_numpy(object)})
    np.testing.assert_allclose(native, model.predict_proba(rows), atol=1e-6)


class Mine(Pipeline):
    """A class of somebody's own."""


def test_numbers_that_a_frame_holds_as_objects_are_no_texts() -> None:
    rows = frame(np.nan).astype({"floor": object})
    columns = make_column_transformer(
        (SimpleImputer(strategy="most_frequent"), ["floor"]), (OneHotEncoder(), ["site"])
    )
    model = Mine([("columns", columns), ("model", LogisticRegression())])
    foreign = from_sklearn(model.fit(rows, np.where(rows["warm"] > 0, "yes", "no")), TASK)
    site = rows[["site"]].where(rows[["site"]].notna(), "").to_numpy(object)
    feeds = {"floor": rows[["floor"]].to_numpy(np.float32), "site": site}
    answers = list(Session(foreign.graph).run(feeds, len(rows)).values())[-1]
    np.testing.assert_allclose(answers, model.predict_proba(rows), atol=1e-4)


def test_a_pipeline_that_fails_on_an_unknown_text_is_told_so() -> None:
    rows = frame(np.nan)
    model = boosted(OrdinalEncoder()).fit(rows, np.where(rows["warm"] > 0, "yes", "no"))
    native = from_sklearn(model, TASK).native
    assert native is not None
    texts = np.array([["mars", "day"]], object)
    with pytest.raises(ExportError, match="Pipeline itself fails on the task's items: Found unkno"):
        native({"numbers": np.zeros((1, 2), np.float32), "texts": texts})


def test_a_step_that_takes_numbers_of_texts_is_refused() -> None:
    rows = frame(np.nan).assign(site=True)
    columns = make_column_transformer((StandardScaler(), ["warm", "site"]))
    model = make_pipeline(columns, LogisticRegression()).fit(rows, rows["warm"] > 0)
    with pytest.raises(
        ExportError,
        match="a StandardScaler takes numbers: some columns hold texts in the table: encode these",
    ):
        from_sklearn(model, TASK)
