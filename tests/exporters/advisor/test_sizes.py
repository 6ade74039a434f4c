"""A limit of size holds once a model learns from all rows, where a sample raced."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.advisor.sizes import most_bytes
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import families
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import sample

SEED = 0


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> TaskData:
    """Of noise a tree has a leaf for every few rows."""
    rng = np.random.default_rng(SEED)
    n = 4_000
    table = pd.DataFrame({name: rng.normal(size=n).round(3) for name in "abc"})
    table["state"] = np.where(table["a"] * table["b"] + rng.normal(size=n) > 0, "worn", "good")
    path = Path(tmp_path_factory.mktemp("tables")) / "noise.csv"
    table.to_csv(path, index=False)
    data = load(path, "state", "noise", TableOptions(), SEED, lambda line: None)
    return replace(data, folds=None)


def content(data: TaskData, name: str) -> bytes:
    recipe = next(f.recipe() for f in families(data) if f.name == name)
    return recipe.fit(data, SEED, lambda done: None).to_onnx().SerializeToString()


@pytest.mark.parametrize(
    ("name", "least_share"),
    [
        ("logistic-regression", 1.0),
        ("decision-tree", 0.2),
        ("gradient-boosting-small", 0.9),
        ("random-forest-small", 0.7),
        ("extra-trees-small", 0.6),
    ],
)
def test_the_file_of_all_rows_is_no_larger_than_told_of_a_sample(
    noisy: TaskData, name: str, least_share: float
) -> None:
    n = len(noisy.train)
    few = sample(noisy, n // 3, SEED)

    told = most_bytes(name, content(few, name), len(few.train), n)

    assert least_share * told <= len(content(noisy, name)) <= told


@pytest.mark.parametrize("name", ["gradient-boosting", "gradient-boosting-small"])
def test_boosting_of_a_few_rows_has_trees_that_grow(noisy: TaskData, name: str) -> None:
    """No tree of the sample has all the leaves that it may have."""
    few = sample(noisy, 150, SEED)

    told = most_bytes(name, content(few, name), len(few.train), len(noisy.train))

    assert 0.9 * told <= len(content(noisy, name)) <= told


def test_the_file_of_the_race_is_told_where_all_rows_raced(noisy: TaskData) -> None:
    found = content(noisy, "random-forest-small")

    assert most_bytes("random-forest-small", found, 10, 10) == len(found)
    assert most_bytes("mlp", b"weights", 10, 1_000) == len(b"weights")
