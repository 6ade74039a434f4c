"""Contributions of models that are sums: linear ones, glass boxes, trees."""

from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.explaining import additive
from ounce_exporters.explaining.tree_terms import Weighed, weigh
from ounce_exporters.export.trees import Tree
from ounce_exporters.ladder.recipe import Inputs
from ounce_exporters.tasks.table.preprocessing import preprocessing, with_gaps
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.glass_box import GlassBox
from ounce_exporters.training.linear import LinearSVM, logistic_regression, ridge_regression
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.exporters.explaining.explained import Exported, export, log_odds, table

TWO, THREE = ("no", "yes"), ("low", "middle", "high")


def lines(model: BaseEstimator) -> Any:
    return fit_classical(
        lambda task, seed: Pipeline([("columns", preprocessing(task)), ("model", model)])
    )


def of_trees(make: Any) -> Any:
    def pipeline(task: Any, seed: int) -> Pipeline:
        columns, texts = with_gaps(task)
        return Pipeline([("columns", columns), ("model", make(texts))])

    return fit_classical(pipeline)


def check(found: Exported, method: str, score: str) -> None:
    own = found.card.explanation
    assert own is not None, found.card.unexplained
    assert (own.method, own.score) == (method, score)
    assert own.inputs == ("x", "y", "z", "text")
    assert own.largest_error <= 1e-5
    np.testing.assert_allclose(
        found.explained[:, : found.answers.shape[1]], found.answers, atol=1e-6
    )
    assert (np.abs(found.explained[:, -4]) > 0).any()  # `x` is what the answer depends on


@pytest.mark.parametrize("labels", [TWO, THREE])
@pytest.mark.parametrize("make", [logistic_regression, lambda seed: LinearSVM()])
def test_a_line_is_exact(tmp_path: Path, labels: tuple[str, ...], make: Any) -> None:
    model = make(0)
    if isinstance(model, LinearSVM):
        model.n_classes = len(labels)
    data = table("classes", labels)
    found = export(data, tmp_path, lines(model))
    check(found, "exact", "log-odds")
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)


def test_a_contribution_of_a_line_is_its_weight_by_what_the_value_is_over_the_mean(
    tmp_path: Path,
) -> None:
    data = table("classes")
    pipelines: list[Pipeline] = []

    def pipeline(task: Any, seed: int) -> Pipeline:
        pipelines.append(
            Pipeline([("columns", preprocessing(task)), ("model", LogisticRegression())])
        )
        return pipelines[-1]

    found = export(data, tmp_path, fit_classical(pipeline))
    check(found, "exact", "log-odds")
    columns, model = (step for _, step in pipelines[0].steps)
    rows = [matrix(split.inputs) for split in (data.train, data.test)]
    learned, tested = (np.asarray(columns.transform(each), np.float64) for each in rows)
    terms = (tested - learned.mean(axis=0)) * model.coef_[0]
    sign = np.where(found.answers.argmax(axis=1) == 1, 1.0, -1.0)
    temperature = found.card.calibration.temperature
    assert temperature is not None
    text = terms[:, -4:].sum(axis=1)  # one feature each for the gap and three texts
    np.testing.assert_allclose(found.explained[:, -1], sign * text / temperature, atol=1e-4)


def matrix(inputs: Inputs) -> NDArray[Any]:
    arrays = [inputs["input"].astype(object), inputs["categories"]]
    return np.concatenate(arrays, axis=1)


def test_a_quantity_is_explained_in_its_unit(tmp_path: Path) -> None:
    found = export(table("quantity"), tmp_path, lines(ridge_regression()))
    check(found, "exact", "value")
    np.testing.assert_allclose(found.sums, found.answers[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("labels", [TWO, THREE])
def test_a_glass_box_is_exact(tmp_path: Path, labels: tuple[str, ...]) -> None:
    found = export(
        table("classes", labels), tmp_path, of_trees(lambda texts: GlassBox(len(labels), texts, 2))
    )
    check(found, "exact", "log-odds")
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("labels", [TWO, THREE])
def test_paths_of_a_boosting_add_up_to_the_log_odds(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    def boosting(texts: list[bool]) -> Any:
        return HistGradientBoostingClassifier(
            max_iter=6, min_samples_leaf=5, categorical_features=texts, random_state=0
        )

    found = export(table("classes", labels), tmp_path, of_trees(boosting))
    check(found, "tree-paths", "log-odds")
    np.testing.assert_allclose(found.sums, log_odds(found.answers), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("labels", [TWO, THREE])
def test_paths_of_a_forest_add_up_to_the_probability(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    forest = RandomForestClassifier(10, min_samples_leaf=3, random_state=0)
    found = export(table("classes", labels), tmp_path, of_trees(lambda texts: forest))
    check(found, "tree-paths", "probability")
    assert ((found.sums > 0) & (found.sums < 1 + 1e-6)).all()


def test_a_forest_that_is_too_large_is_found_out_by_its_first_trees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed = []

    def counting(tree: Tree, rows: NDArray[np.float64]) -> Weighed:
        weighed.append(tree)
        return weigh(tree, rows)

    monkeypatch.setattr(additive, "MOST_LEAF_VALUES", 10)
    monkeypatch.setattr(additive, "weigh", counting)
    forest = RandomForestClassifier(10, min_samples_leaf=3, random_state=0)
    found = export(table("classes"), tmp_path, of_trees(lambda texts: forest))
    check(found, "occlusion", "log-odds")
    assert len(weighed) == 1


def test_shallow_trees_have_shapley_values(tmp_path: Path) -> None:
    """Against the definition: the mean of what a part adds, over all orders of the parts."""
    data = table("quantity")
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    found = export(data, tmp_path, of_trees(lambda texts: tree))
    check(found, "tree-shap", "value")
    rows, asked = features(data.test.inputs), tree.tree_
    assert len({f for f in asked.feature if f >= 0}) >= 3  # else this shows little
    for row, explained in zip(rows, found.explained, strict=True):
        wanted = [shapley(asked, row, part) for part in range(4)]
        np.testing.assert_allclose(explained[-4:], wanted, atol=1e-5)
    assert found.explained[0, -5] == pytest.approx(asked.value[0, 0, 0], abs=1e-5)


def test_a_shallow_tree_of_three_classes_has_shapley_values(tmp_path: Path) -> None:
    data = table("classes", THREE)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    found = export(data, tmp_path, of_trees(lambda texts: tree))
    check(found, "tree-shap", "probability")
    label = found.answers.argmax(axis=1)
    for i, row in enumerate(features(data.test.inputs)):
        wanted = [shapley(tree.tree_, row, part, int(label[i])) for part in range(4)]
        np.testing.assert_allclose(found.explained[i, -4:], wanted, atol=1e-5)


def features(inputs: Inputs) -> NDArray[np.float64]:
    """Numbers with gaps, and places of texts, as trees read them."""
    places = {text: float(i) for i, text in enumerate(["", "a", "b", "c"])}
    texts = [places[text] for text in inputs["categories"][:, 0]]
    return np.column_stack([inputs["input"].astype(np.float64), texts])


def shapley(tree: Any, row: NDArray[np.float64], part: int, output: int = 0) -> float:
    others = [p for p in range(len(row)) if p != part]
    total = 0.0
    for size in range(len(row)):
        weight = factorial(size) * factorial(len(row) - size - 1) / factorial(len(row))
        for known in combinations(others, size):
            with_part = mean(tree, 0, row, {*known, part}, output)
            total += weight * (with_part - mean(tree, 0, row, set(known), output))
    return total


def mean(tree: Any, node: int, row: NDArray[np.float64], known: set[int], output: int) -> float:
    """A tree's mean where branches that ask for what is not known go both ways."""
    left, right, feature = (
        int(of[node]) for of in (tree.children_left, tree.children_right, tree.feature)
    )
    if left < 0:
        return float(tree.value[node, 0, output])
    if feature in known:
        x = np.float32(row[feature])
        goes_left = tree.missing_go_to_left[node] if np.isnan(x) else x <= tree.threshold[node]
        return mean(tree, left if goes_left else right, row, known, output)
    counts = tree.weighted_n_node_samples
    share = counts[left] / counts[node]
    return share * mean(tree, left, row, known, output) + (1 - share) * mean(
        tree, right, row, known, output
    )
