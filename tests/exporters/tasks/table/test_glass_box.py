"""The glass box finds what two features do together, and computes no more than it may."""

from collections.abc import Iterator

import numpy as np
import onnxruntime as ort
import pytest
from ounce_exporters.tasks.table.ordinals import MOST_TEXTS
from ounce_exporters.training import budget
from ounce_exporters.training.budget import Budget, find_budget
from ounce_exporters.training.classical import few_threads
from ounce_exporters.training.glass_box import GlassBox


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with few_threads(0):
        yield


def compare(model: GlassBox, x: np.ndarray) -> float:
    """Largest difference of the file's answers."""
    session = ort.InferenceSession(model.to_graph().SerializeToString())
    (answers,) = session.run(None, {session.get_inputs()[0].name: x})
    return float(np.abs(answers - model.outputs(x)).max())


def test_a_pair_of_numbers_is_found_beside_texts() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 5)).astype(np.float32)
    x[:, 3:] = rng.integers(0, 4, (900, 2))
    y = (x[:, 0] > 0) * (x[:, 2] > 0) * 4.0 - (x[:, 0] > 0) * 2.0 - (x[:, 2] > 0) * 2.0
    texts = [False, False, False, True, True]
    train, test = slice(0, 600), slice(600, None)

    def error(pairs: int) -> float:
        model = GlassBox(0, texts, pairs=pairs).fit(x[train], y[train])
        return float(np.square(model.outputs(x[test])[:, 0] - y[test]).mean() / y[test].var())

    assert error(pairs=0) > 0.8
    assert error(pairs=3) < 0.2


def test_a_column_may_have_as_many_texts_as_boosting_takes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8_000, 2)).astype(np.float32)
    x[:, 1] = rng.permutation(np.arange(8_000) % MOST_TEXTS)
    x[:40, 1] = np.nan
    y = (x[:, 1] >= 200).astype(np.int64)
    model = GlassBox(2, [False, True], pairs=1).fit(x, y)
    answers = model.outputs(x).argmax(1)
    assert (answers == y).mean() > 0.95
    assert compare(model, x) < 1e-5


@pytest.mark.parametrize("n_classes", [0, 2, 3, 10, 26, 50])
@pytest.mark.parametrize("n_features", [1, 16, 62, 150])
@pytest.mark.parametrize("n_rows", [40, 4_000, 20_000])
def test_a_budget_holds(n_rows: int, n_features: int, n_classes: int) -> None:
    found = find_budget(n_rows, n_features, n_classes)
    trees = found.members * found.rounds * (n_classes if n_classes > 2 else 1)
    assert trees * n_rows * n_features <= budget.MOST_READINGS
    pairs = found.features_looked_at * (found.features_looked_at - 1) // 2
    assert pairs <= budget.MOST_LOOKED_AT
    assert pairs * found.rows_looked_at * n_classes <= budget.MOST_PAIR_READINGS
    assert found.rounds >= 20
    assert 1 <= found.rows_looked_at <= n_rows


def test_a_wide_table_costs_ensembles_first_and_rounds_then() -> None:
    assert find_budget(15_000, 20, 2) == Budget(4, 1000, 20, 15_000)
    assert find_budget(4_200, 62, 10) == Budget(1, 300, 62, 4_200)
    assert find_budget(15_000, 300, 2) == Budget(3, 222, 64, 15_000)
    assert find_budget(15_000, 3_000, 2) == Budget(1, 66, 64, 15_000)


def test_a_fit_keeps_to_its_budget_and_finds_the_pair_in_a_wide_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 90)).astype(np.float32)
    x[:, 89] += x[:, 3]
    y = (x[:, 3] > 0) * 1.0 + (x[:, 89] > 0) * 1.0 + 3.0 * (x[:, 3] > 0) * (x[:, 89] > 0)
    monkeypatch.setattr(budget, "MOST_READINGS", 600 * 90 * 25)
    model = GlassBox(0, pairs=1).fit(x, y)
    assert [member.n_iter_ for member in model.members_] == [25]
    assert model.members_[0].interaction_cst[-1] == (3, 89)


def test_a_fit_tells_how_far_it_is_and_leaves_nothing_of_the_last_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)).astype(np.float32)
    model = GlassBox(2, [False, False], pairs=1)
    shares: list[float] = []
    model.told = shares.append
    model.fit(x, (x[:, 0] > 0).astype(np.int64))
    before = model.to_graph().SerializeToString()
    assert shares == sorted(shares)
    assert len(shares) == len(model.members_)
    assert 0 < shares[0] < shares[-1] < 1
    model.fit(x, (x[:, 1] > 0).astype(np.int64))
    assert model.to_graph().SerializeToString() != before
    assert compare(model, x) < 1e-5
