"""Figures over folds, classes and groups, against scikit-learn and by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.evaluation.figures import overall_figures
from ounce_exporters.evaluation.groups import (
    LEAST_ITEMS,
    MISSING,
    OTHERS,
    group_figures,
    group_names,
)
from ounce_exporters.evaluation.judgement import cross_validation
from ounce_exporters.ladder.recipe import Groups, Split, TaskData
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)

TASK = TaskSpec(
    name="rooms",
    kind="classification",
    description="Made for a test.",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=("free", "busy"),
)


def data_of(targets: np.ndarray, **more: object) -> TaskData:
    split = Split({"input": np.zeros((len(targets), 1), np.float32)}, targets)
    return replace(TaskData(TASK, "none", split, split, split, "0" * 64), **more)  # type: ignore[arg-type]


def answers_of(labels: np.ndarray) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[labels]


def test_figures_of_two_labels_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 200)
    second = np.clip(targets * 0.4 + rng.uniform(0, 0.6, 200), 0.01, 0.99)
    shares = np.stack([1 - second, second], axis=1).astype(np.float32)
    figures = overall_figures(shares, targets)
    answers = shares.argmax(axis=1)
    assert figures.balanced_accuracy == pytest.approx(balanced_accuracy_score(targets, answers))
    assert figures.f1 == pytest.approx(f1_score(targets, answers, average="macro"))
    assert figures.roc_auc == pytest.approx(roc_auc_score(targets, second), abs=1e-6)
    assert figures.log_loss == pytest.approx(log_loss(targets, second), abs=1e-5)
    # scikit-learn's counts the second label's distance alone.
    assert figures.brier == pytest.approx(2 * brier_score_loss(targets, second), abs=1e-5)


def test_figures_of_three_labels_are_means_over_them() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    targets = np.array([0, 1, 2, 1])
    figures = overall_figures(shares.astype(np.float32), targets)
    assert figures.balanced_accuracy == pytest.approx((1 + 0.5 + 1) / 3)
    expected = roc_auc_score(targets, shares, multi_class="ovr")
    assert figures.roc_auc == pytest.approx(expected)


def test_the_area_of_a_perfect_model_is_1_whatever_is_rounded() -> None:
    second = np.concatenate([np.linspace(0.6, 1, 43), np.linspace(0, 0.4, 43)])
    targets = np.repeat([1, 0], 43)
    assert average_precision_score(targets, second) > 1
    shares = np.stack([1 - second, second], axis=1).astype(np.float32)
    assert overall_figures(shares, targets).pr_auc == 1


def test_areas_are_absent_where_a_class_is() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], np.float32)
    figures = overall_figures(shares, np.array([0, 1]))
    assert figures.roc_auc is None
    assert figures.pr_auc is None
    assert figures.balanced_accuracy == 1


def test_the_interval_over_folds_by_hand() -> None:
    folds = np.repeat(np.arange(4), 10)
    right = np.concatenate([np.arange(10) < k for k in (9, 8, 7, 8)])
    targets = np.zeros(40, np.int64)
    found = cross_validation(TASK, answers_of((~right).astype(int)), data_of(targets, folds=folds))
    assert found is not None
    assert found.folds == (0.9, 0.8, 0.7, 0.8)
    assert found.mean == pytest.approx(0.8)
    half = 3.182446 * np.std([0.9, 0.8, 0.7, 0.8], ddof=1) / 2  # t of 3 degrees of freedom
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half), abs=1e-6)
    assert cross_validation(TASK, answers_of(targets), data_of(targets)) is None


def test_figures_of_groups_by_hand() -> None:
    n = LEAST_ITEMS
    names = np.array(["a"] * n + ["b"] * n + ["c", "d", "d"], dtype=object)
    targets = np.tile([0, 1], n + 2)[: len(names)]
    answers = targets.copy()
    answers[:3] = 1  # one false alarm and one more of group a: rows 0 and 2
    found = group_figures(TASK, answers_of(answers), data_of(targets, groups=Groups("site", names)))
    assert found is not None
    a, b, others = found.groups
    assert (a.name, b.name, others.name) == ("a", "b", OTHERS)
    assert (a.accuracy.n, b.accuracy.n, others.accuracy.n) == (n, n, 3)
    assert a.accuracy.value == pytest.approx((n - 2) / n)
    assert a.recall is not None
    assert a.false_alarms is not None
    assert (a.recall.value, a.false_alarms.value) == (1.0, pytest.approx(2 / (n / 2)))
    assert b.accuracy.value == 1


def test_names_of_groups() -> None:
    texts = pd.Series(["north", "", "south"], dtype=object)
    assert group_names(texts).tolist() == ["north", MISSING, "south"]
    few = pd.Series([1.0, 2.5, np.nan])
    assert group_names(few).tolist() == ["1", "2.5", MISSING]
    many = group_names(pd.Series(np.arange(100.0)))
    assert [(many == name).sum() for name in dict.fromkeys(many)] == [25, 25, 25, 25]
    assert many[0] == "0 to 24.75"
    texts = group_names(pd.Series([*(str(i) for i in range(100)), ""], dtype=object))
    assert texts[:100].tolist() == many.tolist()
    assert texts[100] == MISSING
