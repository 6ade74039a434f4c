"""The benchmark of public tables: one small case as it runs, and what is made of cases."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from ounce_edge.recommender.beliefs.measures import wilson
from sklearn.datasets import load_iris

from benchmarks.public_tables import report, sources, truth
from benchmarks.public_tables.__main__ import main, read_cases
from benchmarks.public_tables.case import Case, Promise, run


def case(table: str, seed: int, best: float, **other: object) -> Case:
    seen = Case(
        table, "classification", seed, 0, "", 3.0, models=5, asked=5, n_learn=75, n_test=25,
        best="mlp", best_score=best, boosting_score=0.9, forest_score=0.8, lightest="decision-tree",
        row_us=0.5, boosting_row_us=4.0, alone_us=5.0, boosting_alone_us=10.0,
        boosting_parity=1e-6,
        promises=[Promise("mlp", 0.9, 75, 24, 25), Promise("a>b", 0.9, 75, 20, 25)],
    )  # fmt: skip
    return msgspec.structs.replace(seen, **other)


def test_a_case_holds_a_ladder_against_its_opponents(tmp_path: Path) -> None:
    path = tmp_path / "iris.csv"
    load_iris(as_frame=True).frame.to_csv(path, index=False)
    source = sources.Source("iris", path, "target", "classification")
    seen = run(source, 0, tmp_path / "models", only=["decision-tree", "gradient-boosting"])
    assert (seen.exit_code, seen.models, seen.asked, seen.n_learn, seen.n_test) == (
        0,
        2,
        2,
        112,
        38,
    )
    assert min(seen.best_score, seen.boosting_score, seen.forest_score) > 0.8
    assert seen.boosting_parity <= report.MOST_DIFFERENCE
    assert min(seen.row_us, seen.boosting_row_us, seen.alone_us, seen.boosting_alone_us) > 0
    assert {"decision-tree", "gradient-boosting"} <= {p.plan for p in seen.promises}
    assert all(0 < p.low < 1 and 0 <= p.right <= p.n == 38 for p in seen.promises)


def test_a_training_that_fails_is_a_case_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,target\n" + "1,x\n" * 50)
    source = sources.Source("t", tmp_path / "t.csv", "target", "classification")
    seen = run(source, 0, tmp_path / "models")
    assert seen.exit_code != 0
    assert "nothing to learn" in seen.output
    assert report.tables_table([seen]).rows[0][:3] == ["t", None, f"exit code {seen.exit_code}"]


def test_claims_are_of_tables_and_not_of_seeds() -> None:
    cases = [case("a", 0, 0.95), case("a", 1, 0.85), case("b", 0, 0.85), case("b", 1, 0.87)]
    cases.append(msgspec.structs.replace(case("c", 0, 0.9), exit_code=3, models=4))
    rows = {str(row[0]): row[2] for row in report.claims_table(cases).rows}
    seen = list(rows.values())
    assert seen[0] == "4 of 5"
    assert seen[1] == f"{np.mean([0.0, -0.04, 0.0]) * 100:+.2f}"
    assert seen[2] == "1 of 3: b"
    assert seen[3] == "8.0 times"
    assert seen[4] == "100.0% of 10"
    assert seen[5] == "50.0% of 10"
    assert seen[6] == "within it in 5 of 5; at most 1.0e-06"


def test_a_promise_is_refuted_beyond_the_chance_of_its_test_rows() -> None:
    """80 of 100 may be 0.87 in truth, 70 of 100 may not; both are below 0.86."""
    promises = [Promise("a", 0.86, 300, right, 100) for right in (90, 80, 70, 86)]
    refuted, reached = report.kept_promises(promises)
    assert refuted[1:] == ["95%", "75.0% of 4"]
    assert reached[1:] == ["84% of exact bounds", "50.0% of 4"]
    assert report.kept_promises([]) == []


def test_exact_bounds_are_reached_as_often_as_is_said() -> None:
    """A model of true accuracy 0.8, judged by 3,000 rows and tested by 1,000, many times."""
    rng = np.random.default_rng(0)
    promises = [
        Promise("a", wilson(rng.binomial(3000, 0.8) / 3000, 3000)[0], 3000,
                int(rng.binomial(1000, 0.8)), 1000)
        for _ in range(4000)
    ]  # fmt: skip
    _, (_, said, seen) = report.kept_promises(promises)
    assert said == "84% of exact bounds"
    assert float(str(seen).partition("%")[0]) == pytest.approx(83.6, abs=1.5)


@pytest.mark.parametrize(
    ("make", "linear", "floor"),
    [(truth.five_classes, "logistic-regression", 0.3), (truth.quantity, "ridge", 0.5)],
)
def test_promises_are_held_against_fresh_rows_of_a_generated_table(
    make: Callable[[int, int], truth.Rows], linear: str, floor: float, tmp_path: Path
) -> None:
    only = ("decision-tree", truth.LINEAR)
    found = truth.check(make, 200, 0, tmp_path, only=only, n_fresh=2000)
    assert {p.plan for p in found} >= {"decision-tree", linear}
    assert all(p.n == 2000 and p.judged == 150 for p in found)
    assert all(p.right / p.n > floor for p in found), "columns and labels are told apart"


def test_a_run_goes_on_where_one_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    kept = Path("cases.jsonl")
    kept.write_bytes(msgspec.json.encode(case("iris", 0, 0.9)) + b"\n")
    words = ["--only", "iris", "--seeds", "1", "--out", str(kept)]
    result = CliRunner().invoke(main, [*words, "--resume"])
    assert result.exit_code == 0, result.output
    assert len(read_cases(kept)) == 1
    assert "public_tables.json" in result.output


def test_tables_of_a_folder_are_found_small_ones_first(tmp_path: Path) -> None:
    for name, size in (("tables/big.parquet", 20), ("tables/small.parquet", 5)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "regression").mkdir()
    (tmp_path / "regression/Wage.csv").write_bytes(b"x" * 10)
    found = [(s.name, s.target, s.kind) for s in sources.in_folder(tmp_path)]
    assert found == [
        ("small", "target", "classification"),
        ("Wage (quantity)", "wage", "regression"),
        ("big", "target", "classification"),
    ]
    with pytest.raises(FileNotFoundError, match=r"no tables/NAME\.parquet"):
        [*sources.in_folder(tmp_path / "regression")]
