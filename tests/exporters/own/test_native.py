"""Fitted scikit-learn models and torch modules join a ladder from Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.api import Outputs, add_model
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.own.native import from_sklearn
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_schemas.documents import TASK_FILE, read_task
from ounce_schemas.errors import ExportError
from ounce_schemas.measure import Measure
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from tests.exporters.own.foreign import rooms

TABLE = rooms(400, seed=9)
FRAME = TABLE[["site", "warm", "wet"]]  # not the task's order
NUMBERS = TABLE[["warm", "wet"]].to_numpy(np.float32)
CODES = TABLE["busy"].map({"maybe": 0, "no": 1, "yes": 2}).to_numpy()


def columns() -> Any:
    return make_column_transformer(
        (StandardScaler(), ["warm", "wet"]), (OneHotEncoder(handle_unknown="ignore"), ["site"])
    )


MODELS = {
    "a pipeline of a frame": (
        lambda: make_pipeline(columns(), LogisticRegression()).fit(FRAME, TABLE["busy"]),
        "logistic-regression-2",
    ),
    "trees behind columns": (
        lambda: make_pipeline(columns(), RandomForestClassifier(8, random_state=0)).fit(
            FRAME, TABLE["busy"]
        ),
        "random-forest-classifier",
    ),
    "trees of an array": (
        lambda: HistGradientBoostingClassifier(max_iter=5).fit(NUMBERS, TABLE["busy"]),
        "hist-gradient-boosting-classifier",
    ),
    "trees of a frame's numbers": (
        lambda: HistGradientBoostingClassifier(max_iter=5).fit(
            FRAME[["wet", "warm"]].astype(np.float32), TABLE["busy"]
        ),
        "hist-gradient-boosting-classifier",
    ),
    "one estimator of a frame's numbers": (
        lambda: LogisticRegression(max_iter=3000).fit(FRAME[["wet", "warm"]], TABLE["busy"]),
        "logistic-regression-2",
    ),
    "scores without probabilities": (
        lambda: make_pipeline(StandardScaler(), LinearSVC()).fit(NUMBERS, TABLE["busy"]),
        "linear-svc",
    ),
    "words of a column of texts": (
        lambda: make_pipeline(
            make_column_transformer(
                (StandardScaler(), ["warm", "wet"]), (TfidfVectorizer(), "site")
            ),
            LogisticRegression(),
        ).fit(FRAME, TABLE["busy"]),
        "words",
    ),
    "labels that are codes": (
        lambda: LogisticRegression(max_iter=3000).fit(NUMBERS, CODES),
        "logistic-regression-2",
    ),
}


@pytest.mark.parametrize("what", MODELS)
def test_a_fitted_model_joins(what: str, models: Path) -> None:
    make, name = MODELS[what]
    with threadpool_limits(1):  # threads of boosting wait for each other on a busy machine
        model = make()
    ladder = add_model(model, "rooms", models=models, name=name)
    card = next(card for card in ladder.cards if card.model == name)
    assert card.family == "classical"
    assert card.algorithm.startswith("own ")
    assert card.parity.agreement >= 0.99
    assert card.test_accuracy.value > 0.5
    assert not load_ladder(models, "rooms", OnnxCpuRuntime()).refused


def test_a_regressor_joins_under_the_name_of_its_class(models: Path) -> None:
    trees = make_pipeline(columns(), ExtraTreesRegressor(8, random_state=0))
    ladder = add_model(trees.fit(FRAME, TABLE["watts"]), "watts", models=models)
    card = next(card for card in ladder.cards if card.model == "extra-trees-regressor")
    assert card.regression is not None
    assert card.regression.r2 > 0.7


def test_shares_are_asked_of_the_numbers_that_the_table_has(models: Path) -> None:
    """A little less than what many rows have is another share."""
    table = rooms(1000).round(1)
    frame = table[["warm", "wet"]]
    model = make_pipeline(QuantileTransformer(), HistGradientBoostingClassifier(max_iter=20))
    with threadpool_limits(1):
        model.fit(frame, table["busy"])
    task = read_task(models / "rooms" / TASK_FILE)
    native = from_sklearn(model, task).native
    assert native is not None
    inputs = {
        tensor.name: table[list(tensor.columns or ())].to_numpy(
            object if tensor.datatype == "BYTES" else np.float32
        )
        for tensor in task.inputs
    }
    np.testing.assert_array_equal(native(inputs), model.predict_proba(frame))


def network(*sizes: int) -> torch.nn.Module:
    """Logits of maybe, no, yes that follow the warmth."""
    first, last = torch.nn.Linear(sizes[0], 8), torch.nn.Linear(8, sizes[1])
    with torch.no_grad():
        for layer in (first, last):
            layer.weight.zero_()
            layer.bias.zero_()
        first.weight[:2, 0] = torch.tensor([1.0, -1.0])
        first.bias[:2] = torch.tensor([-20.0, 20.0])
        if sizes[1] == 3:
            last.weight[2, 0] = last.weight[1, 1] = 1.0
            last.bias[0] = 1.0
    return torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Dropout(0.5), last)


def no_texts(models: Path) -> Path:
    """A ladder whose task reads numbers alone, made by the first model that joins."""
    path = models / "plain.csv"
    TABLE[["warm", "wet", "busy"]].to_csv(path, index=False)
    return path


def test_a_torch_module_joins(models: Path) -> None:
    data = (no_texts(models), "busy")
    ladder = add_model(network(2, 3), "plain", models=models, name="net", data=data)
    (card,) = ladder.cards
    assert card.family == "neural"
    assert card.parameters == 51
    assert card.test_accuracy.value > 0.6
    assert [plan.name for plan in ladder.plans] == ["net"]
    assert not load_ladder(models, "plain", OnnxCpuRuntime()).refused


def test_what_can_not_join_is_refused(models: Path) -> None:
    with pytest.raises(ExportError, match="LogisticRegression is not fitted"):
        add_model(LogisticRegression(), "rooms", models=models, name="a")
    other = FRAME[["warm"]].rename(columns={"warm": "heat"})
    heat = LogisticRegression().fit(other, TABLE["busy"])
    with pytest.raises(ExportError, match="needs the columns 'heat', and task 'rooms' has 'warm'"):
        add_model(heat, "rooms", models=models, name="a")
    wide = LogisticRegression().fit(np.hstack([NUMBERS, NUMBERS]), TABLE["busy"])
    with pytest.raises(ExportError, match="fitted on an array of 4 columns, and no input of task"):
        add_model(wide, "rooms", models=models, name="a")
    with pytest.raises(ExportError, match="has texts among its inputs"):
        add_model(network(2, 3), "rooms", models=models)
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    for encoder in (OneHotEncoder(), filled):
        known = make_column_transformer((encoder, ["site"]))
        model = make_pipeline(known, LogisticRegression()).fit(FRAME, TABLE["busy"])
        with pytest.raises(
            ExportError, match=r"model is tried .*Unknown Category.*; let it take any"
        ):
            add_model(model, "rooms", models=models, name="a")
    data = (no_texts(models), "busy")
    with pytest.raises(ExportError, match=r"Sequential fails on an input of shape \[n, 2\]"):
        add_model(network(5, 3), "plain", models=models, data=data)
    with pytest.raises(TypeError, match="give the path of an ONNX file"):
        add_model(42, "rooms", models=models)


def test_labels_may_be_said(models: Path) -> None:
    codes = TABLE["busy"].map({"no": 0, "maybe": 1, "yes": 2}).to_numpy()
    model = LogisticRegression(max_iter=3000).fit(NUMBERS, codes)
    with pytest.raises(ExportError, match="--label no --label maybe --label yes"):
        add_model(model, "rooms", models=models, name="mine")
    hints = Outputs(labels=("no", "maybe", "yes"))
    ladder = add_model(model, "rooms", models=models, name="mine", outputs=hints)
    assert "mine" in {card.model for card in ladder.cards}


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_balanced_accuracy_is_kept_by_a_model_that_was_balanced_already(
    weights: str | None, models: Path
) -> None:
    rng = np.random.default_rng(0)
    rare = rng.random(1200) < 0.1
    table = pd.DataFrame(
        {"x": (rng.normal(size=1200) + 1.5 * rare).round(3), "y": rng.normal(size=1200).round(3)}
    )
    table["alarm"] = np.where(rare, "yes", "no")
    table[:900].to_csv(models / "alarms.csv", index=False)
    options = TableOptions(measure=Measure(kind="balanced-accuracy"))
    data = load(models / "alarms.csv", "alarm", "alarms", options, 0, lambda line: None)
    tree = next(recipe for recipe in recipes(data) if recipe.name == "decision-tree")
    with new_ladder(models, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, [tree], scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
    mine = LogisticRegression(class_weight=weights)
    mine.fit(table[["x", "y"]][900:].to_numpy(), table["alarm"][900:])
    ladder = add_model(mine, "alarms", models=models, name="mine")
    card = next(card for card in ladder.cards if card.model == "mine")
    assert card.validation_accuracy.value > 0.7  # a constant answer has 0.5
