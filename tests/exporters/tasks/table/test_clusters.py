"""Tasks of clusters: a reference assigns rows, lighter models agree, distances are kept."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_edge.wire.answers.outputs import DISTANCES, distances
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.export.cluster_odds import ClusterOdds
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions, read_measure
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.train_command.command import command
from ounce_exporters.training.clusters import KMeansClusters, MixtureClusters
from ounce_schemas.documents import read_card, read_task
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.cluster import KMeans

CENTRES = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, 3.0], [0.0, 7.0, -3.0]])
N = 900


def customers() -> pd.DataFrame:
    """Three groups on three scales, one of them aslant; a gap now and then."""
    rng = np.random.default_rng(0)
    group = rng.choice(3, N, p=[0.5, 0.3, 0.2])
    rows = CENTRES[group] + rng.normal(size=(N, 3)) * [1.0, 0.5, 2.0]
    rows[:, 1] += 0.8 * rows[:, 0] * (group == 1)
    table = pd.DataFrame(rows * [100.0, 1.0, 0.1], columns=["spend", "visits", "age"])
    table["group"] = np.array(["a", "b", "c"])[group]
    table.loc[rng.random(N) < 0.01, "age"] = np.nan
    return table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("customers") / "customers.csv"
    customers().to_csv(path, index=False)
    return path


def loaded(path: Path, target: str | None = "group", **options: Any) -> tuple[TaskData, str]:
    said: list[str] = []
    made = TableOptions(kind="clusters", **options)
    return load(path, target, "customers", made, 0, said.append), "\n".join(said)


def test_the_groups_are_found_without_their_names(table: Path) -> None:
    data, said = loaded(table)
    assert data.spec.labels == ("cluster-1", "cluster-2", "cluster-3", "none")
    assert "gaussian-mixture assigns 3 clusters (so many were found" in said
    counts = np.bincount(data.train.targets)
    assert counts[0] > counts[1] > counts[2] > counts[3] > 0  # by size, a few rows are far from all
    assert "adjusted Rand index of 0.9" in said
    assert all("group" not in (t.columns or ()) for t in data.spec.inputs)


def test_a_number_that_is_found_makes_no_cluster_of_few_rows(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"of 40 has \d training rows?: at least 8 are needed"):
        loaded(table, clusters=40, reference="k-means")
    monkeypatch.setattr("ounce_exporters.tasks.table.clusters.count_clusters", lambda *_: 40)
    data, said = loaded(table, reference="k-means")
    assert "(so many were found" in said
    assert np.bincount(data.train.targets)[:-1].min() >= 8
    assert 2 < len(data.spec.labels) - 1 < 40


def test_a_ladder_agrees_with_its_reference(table: Path, tmp_path: Path) -> None:
    data, _ = loaded(table, clusters=3)
    chosen = [recipe for recipe in recipes(data) if recipe.name != "cluster-network"]
    with new_ladder(tmp_path, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, chosen, scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
    folder = tmp_path / "customers"
    assert read_task(folder / "task.json").kind == "clusters"
    accuracies = {
        name: read_card(folder / name / "card.json").test_accuracy.value
        for name in ("k-means", "diagonal-mixture", "gaussian-mixture")
    }
    assert accuracies["gaussian-mixture"] == 1.0
    assert 0.8 < accuracies["k-means"] < 1.0
    assert "3 clusters and `none`" in (folder / "k-means" / "README.md").read_text()


def test_a_network_learns_assignment_and_distance(table: Path) -> None:
    data, _ = loaded(table, clusters=3)
    made = {recipe.name: recipe for recipe in recipes(data)}
    teacher = made["gaussian-mixture"].fit(data, 0, lambda _: None)
    network = made["cluster-network"].fit(data, 0, lambda _: None)
    own, taught = (ClusterOdds(1.0).apply(m.predict(data.test.inputs)) for m in (network, teacher))
    assert (own.argmax(axis=1) == taught.argmax(axis=1)).mean() > 0.9
    assert np.median(np.abs(distances(own) / distances(taught) - 1)) < 0.2


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("covariance", ["full", "diag", None])
def test_a_graph_gives_the_distance_whatever_the_temperature(
    covariance: Any, temperature: float
) -> None:
    rows = customers()[["spend", "visits", "age"]].dropna().to_numpy()
    rows = ((rows - rows.mean(axis=0)) / rows.std(axis=0)).astype(np.float32)
    model = (KMeansClusters(3) if covariance is None else MixtureClusters(3, covariance)).fit(rows)
    spec = spec_of(3)
    graph = ClusterOdds(temperature).attach(model.to_graph(), spec)
    session = ort.InferenceSession(graph.SerializeToString())
    (answers,) = session.run(None, {"features": rows})
    native = ClusterOdds(temperature).apply(model.outputs(rows))
    assert np.abs(answers - native).max() < 1e-3
    assert answers.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-5)
    exact = np.sqrt(np.maximum(model.energies_.of(rows).min(axis=1), 0))
    assert distances(answers) == pytest.approx(np.clip(exact, *DISTANCES), rel=2e-3)
    assert ((answers.argmax(axis=1) == 3) == (exact > 1)).mean() > 0.998
    assert 0.005 < (exact > 1).mean() < 0.015


def spec_of(n: int) -> Any:
    return TaskSpec(
        name="customers",
        kind="clusters",
        description="",
        inputs=(TensorSpec(name="features", datatype="FP32", shape=(3,)),),
        labels=(*(f"cluster-{i + 1}" for i in range(n)), "none"),
    )


def test_k_means_assigns_as_scikit_learn_does() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 2)) + np.repeat(CENTRES[:, :2], 100, axis=0)
    own = KMeansClusters(3).fit(rows).outputs(rows)[:, :3].argmax(axis=1)
    theirs = KMeans(3, n_init=10, random_state=0).fit_predict(rows)
    assert len({(a, b) for a, b in zip(own, theirs, strict=True)}) == 3


def test_categories_are_clustered_by_k_means(table: Path, tmp_path: Path) -> None:
    mixed = pd.read_csv(table).assign(site=lambda t: np.where(t["group"] == "a", "in", "out"))
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    data, said = loaded(tmp_path / "mixed.csv", None, without=frozenset({"group"}), clusters=3)
    assert "k-means assigns 3 clusters" in said
    assert data.spec.kind == "clusters"


def far_texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(code=[f"c{i % 400}" for i in range(len(table))])


def one_far(table: pd.DataFrame) -> pd.DataFrame:
    """Two groups, of which one has six rows."""
    far = np.arange(len(table)) % (len(table) // 6) == 0
    values = np.random.default_rng(0).normal(size=(len(table), 3)) + 500.0 * far[:, None]
    return pd.DataFrame(values, columns=["spend", "visits", "age"]).assign(group="a")


def alike(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(spend=[i % 2 for i in range(len(table))], visits=1, age=1)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (None, {"measure": read_measure("balanced-accuracy")}, "accuracy is agreement"),
        (None, {"clusters": 60}, "training row: at least 8 are needed; say --clusters"),
        (one_far, {"reference": "k-means"},
         "cluster-2 of 2 has .*--reference gaussian-mixture may .*--kind anomaly finds rows"),
        (alike, {"clusters": 3}, "2 different rows make no 3 clusters"),
        (far_texts, {"columns": {"code": "category"}}, "'code' has 126 texts.*--without code"),
        (None, {"columns": {"group": "ignore"}, "kind": "classification", "clusters": 3},
         "are for --kind clusters"),
    ],
)  # fmt: skip
def test_what_makes_no_clusters_is_refused(
    table: Path, tmp_path: Path, change: Any, options: dict[str, Any], said: str
) -> None:
    if change is not None:
        change(pd.read_csv(table)).to_csv(tmp_path / "changed.csv", index=False)
        table = tmp_path / "changed.csv"
    with pytest.raises(DataError, match=said):
        load(table, "group", "customers", TableOptions(**{"kind": "clusters", **options}), 0, print)


def test_tuning_is_refused(table: Path) -> None:
    result = CliRunner().invoke(command, [f"--data={table}", "--kind=clusters", "--tune=2"])
    assert result.exit_code == 2
    assert "--tune needs labels" in result.output
