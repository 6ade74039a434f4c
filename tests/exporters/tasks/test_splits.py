"""Splits are disjoint, complete, stratified and fixed by seed; what can't be split is named."""

import numpy as np
import pytest
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.tasks import splits
from ounce_exporters.tasks.splits import digest, split_task
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec, TensorSpec

TASK = TaskSpec(
    name="three-classes",
    kind="classification",
    description="Made for a test.",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=("a", "b", "c"),
)
TARGETS = np.repeat(np.arange(3), [200, 100, 20])


def split(targets: np.ndarray = TARGETS, seed: int = 0) -> TaskData:
    rows = np.arange(len(targets), dtype=np.float32).reshape(-1, 1)
    return split_task(TASK, "a test", {"input": rows}, targets, seed)


def rows_of(part: Split) -> list[int]:
    return [int(row) for row in part.inputs["input"][:, 0]]


def test_every_item_is_in_exactly_one_split() -> None:
    data = split()
    rows = [row for part in (data.train, data.validation, data.test) for row in rows_of(part)]
    assert sorted(rows) == list(range(320))
    assert [len(data.train), len(data.validation), len(data.test)] == [160, 80, 80]


def test_targets_stay_with_their_inputs() -> None:
    for part in (split().train, split().validation, split().test):
        assert (TARGETS[rows_of(part)] == part.targets).all()


def test_each_split_has_the_shares_of_the_classes() -> None:
    data = split()
    assert np.bincount(data.train.targets).tolist() == [100, 50, 10]
    assert np.bincount(data.validation.targets).tolist() == [50, 25, 5]
    assert np.bincount(data.test.targets).tolist() == [50, 25, 5]


def test_the_seed_fixes_the_splits() -> None:
    assert rows_of(split(seed=3).test) == rows_of(split(seed=3).test)
    assert rows_of(split(seed=3).test) != rows_of(split(seed=4).test)


def test_a_class_with_one_member_is_named() -> None:
    with pytest.raises(DataError, match=r"class 'c' of task 'three-classes' has 1 row\b"):
        split(np.repeat(np.arange(3), [200, 100, 1]))


def test_too_few_rows_are_counted() -> None:
    with pytest.raises(DataError, match=r"has 9 rows: at least 40"):
        split(np.repeat(np.arange(3), 3))


def test_the_digest_depends_on_every_value_and_on_where_text_is_divided() -> None:
    targets = np.array([0, 1])
    texts = {"categories": np.array([["ab", "c"]], dtype=object)}
    other = {"categories": np.array([["a", "bc"]], dtype=object)}
    assert digest(texts, targets) == digest(dict(texts), targets.copy())
    assert digest(texts, targets) != digest(other, targets)
    assert digest(texts, targets) != digest(texts, np.array([1, 1]))


def test_of_very_many_items_all_but_enough_to_judge_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "MOST_JUDGED", 300)
    targets = np.repeat(np.arange(3), [6000, 1990, 10])
    data = split(targets)
    rows = [row for part in (data.train, data.validation, data.test) for row in rows_of(part)]
    assert sorted(rows) == list(range(8000))
    assert [len(data.validation), len(data.test)] == pytest.approx([330, 330], abs=30)
    assert data.validation.targets.tolist().count(2) >= 2  # a rare class is judged, too
    assert data.test.targets.tolist().count(2) >= 2
