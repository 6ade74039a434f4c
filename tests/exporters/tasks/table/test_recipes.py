"""What the options of a table change in its models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.ladder.recipe import Inputs, TaskData
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table import workload
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.boosting import boosting
from ounce_exporters.training.classical import as_matrix, balanced_weights
from ounce_schemas.cells import Cell
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.metrics import log_loss


def task(*tensors: TensorSpec) -> TaskSpec:
    return TaskSpec(
        name="t", kind="classification", description="", inputs=tensors, labels=("fine", "fraud")
    )


def rare_class(n: int = 4000) -> TaskData:
    """One row of 25 is fraud, and half hidden among the others."""
    rng = np.random.default_rng(0)
    fraud = rng.random(n) < 0.04
    x = (rng.normal(size=(n, 2)) + 1.2 * fraud[:, None]).astype(np.float32)
    spec = task(TensorSpec(name="input", datatype="FP32", shape=(2,)))
    return split_task(spec, "a test", {"input": x}, fraud.astype(np.int64), 0)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("logistic-regression", 0.2),
        ("decision-tree", 0.2),
        ("gradient-boosting", 0.1),
        ("kernel-svm", 0.2),
        ("linear-svm", 0.2),
        ("glass-box", 0.1),
    ],
)
def test_balanced_weights_find_more_of_a_rare_class(name: str, more: float) -> None:
    data = rare_class()
    found = []
    for balanced in (False, True):
        recipe = next(r for r in recipes(data, balanced=balanced) if r.name == name)
        answers = recipe.fit(data, 0, lambda share: None).predict(data.test.inputs)
        found.append((answers.argmax(axis=1)[data.test.targets == 1] == 1).mean())
    assert found[1] > found[0] + more


def test_balanced_weights_sum_to_the_same_for_each_class() -> None:
    weights = balanced_weights(np.array([0, 0, 0, 2]))
    assert weights.tolist() == pytest.approx([2 / 3] * 3 + [2])
    assert weights.mean() == pytest.approx(1)


def features(known: tuple[str, ...], *texts: str) -> np.ndarray:
    """What a column of texts becomes after training on some of these."""
    cells = (Cell(column="site", read="text", texts=known),)
    spec = task(TensorSpec(name="c", datatype="BYTES", shape=(1,), columns=("site",), cells=cells))
    train: Inputs = {"c": np.array([[t] for t in (*known, "rare")] * 3, object)}
    steps = preprocessing(spec)
    targets = np.arange(len(train["c"])) % 2
    steps.fit(as_matrix(spec, train), targets)
    result: np.ndarray = steps.transform(np.array([[t] for t in texts], object))
    return result


def test_rare_and_unknown_texts_have_no_feature_of_their_own() -> None:
    known, rare, never, gap = features(("a", "b"), "a", "rare", "never", "")
    assert known.tolist() == [0, 1, 0]
    assert gap.tolist() == [1, 0, 0]
    assert rare.tolist() == never.tolist() == [0, 0, 0]


def test_many_texts_are_one_feature() -> None:
    many = tuple(f"s{i:03d}" for i in range(101))
    assert features(many, "s000", "never").shape == (2, 1)


@pytest.mark.parametrize(
    ("n_classes", "expected"),
    [(50, {"glass-box", "gradient-boosting"}), (51, {"gradient-boosting"}), (501, set())],
)
def test_boosting_is_left_out_where_classes_are_very_many(
    n_classes: int, expected: set[str]
) -> None:
    labels = tuple(f"k{i}" for i in range(n_classes))
    spec = TaskSpec(
        name="t",
        kind="classification",
        description="",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
        labels=labels,
    )
    targets = np.arange(n_classes * 8) % n_classes
    data = split_task(spec, "a test", {"input": targets[:, None].astype(np.float32)}, targets, 0)
    made = {recipe.name for recipe in recipes(data)}
    assert made & {"glass-box", "gradient-boosting"} == expected


def test_boosting_of_many_classes_does_not_diverge() -> None:
    """Without a penalty its log loss is 21 here, and one answer of four is right."""
    rng = np.random.default_rng(0)
    targets = np.arange(3000) % 150
    features = rng.normal(size=(150, 6))[targets] * 3 + rng.normal(size=(3000, 6))
    model = boosting(0, n_classes=150, categorical=[False] * 6, max_leaf_nodes=8)
    model.fit(features[:2250], targets[:2250])
    said = model.predict_proba(features[2250:])
    assert log_loss(targets[2250:], said) < 2
    assert (said.argmax(axis=1) == targets[2250:]).mean() > 0.6


def test_a_table_too_wide_for_a_glass_box_has_none_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    frame["y"] = np.arange(60) % 3
    frame.to_csv(tmp_path / "wide.csv", index=False)

    def made() -> tuple[set[str], list[str]]:
        lines: list[str] = []
        data = load(tmp_path / "wide.csv", "y", "wide", TableOptions(), 0, lines.append)
        return {recipe.name for recipe in recipes(data)}, lines

    monkeypatch.setattr(workload, "MOST_WIDTH", 9)
    names, lines = made()
    assert "glass-box" in names
    assert not [line for line in lines if "glass-box" in line]
    monkeypatch.setattr(workload, "MOST_WIDTH", 8)
    names, lines = made()
    assert "glass-box" not in names
    assert "gradient-boosting" in names
    assert "glass-box is left out: 9 columns x classes are more than 8" in lines
