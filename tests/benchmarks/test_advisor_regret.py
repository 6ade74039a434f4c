"""Regret of advice, and peers beside it: on made-up cases and one small table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from ounce_schemas.errors import DataError

from benchmarks.advisor import __main__ as benchmark
from benchmarks.advisor.__main__ import command
from benchmarks.advisor.case import Case, Failure, Peered, keep, read_kept
from benchmarks.advisor.peers import PEERS, Searcher, compare
from benchmarks.advisor.regret import regret, regret_of_always, splits_of
from benchmarks.advisor.report import tables
from benchmarks.peers.environment import PeerUnavailableError

LIMIT = (20.0, 128)


def case(
    accuracy: float,
    tested: dict[str, float],
    within: frozenset[str] | None = None,
    table: str = "t",
    seed: int = 0,
) -> Case:
    return Case(
        table=table,
        seed=seed,
        limit=LIMIT,
        plan=("a",),
        accuracy=accuracy,
        tested=tested,
        within=frozenset(tested) if within is None else within,
        kept=True,
        row_us=2.0,
        alone_us=9.0,
        race_s=3.0,
        early=0.0,
    )


def peered(accuracy: float, row_us: float) -> Peered:
    return Peered("flaml", "t", LIMIT, accuracy, row_us=row_us, alone_us=900.0, seconds=15.0)


def test_the_best_choice_is_one_model_on_the_mean_over_splits() -> None:
    splits = [case(0.8, {"a": 0.8, "b": 0.9}), case(0.9, {"a": 0.9, "b": 0.7})]

    assert regret(splits) == pytest.approx(0.0)
    assert regret_of_always("b", splits) == pytest.approx(5.0)
    assert regret_of_always("c", splits) is None


def test_a_model_that_breaks_the_limit_on_half_of_the_splits_is_no_choice() -> None:
    splits = [
        case(0.8, {"a": 0.8, "b": 0.9}, frozenset({"a"})),
        case(0.8, {"a": 0.8, "b": 0.9}),
    ]

    assert regret(splits) == pytest.approx(0.0)
    seldom = case(0.8, {"a": 0.8, "b": 0.9}, seed=2)
    assert regret([*splits, seldom]) == pytest.approx(10.0)
    nothing = [case(0.8, {"a": 0.8, "b": 0.9}, frozenset())]
    assert regret(nothing) == pytest.approx(10.0)


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    assert read_kept(path) == []

    found = [case(0.8, {"a": 0.8}), peered(0.7, 30.0), Failure("flaml", "u", "no such option")]
    keep(path, found[:1])
    keep(path, found[1:])
    assert read_kept(path) == found

    path.write_bytes(path.read_bytes() + b'{"type":"adv')
    assert read_kept(path) == found


def test_tables_say_what_was_lost_and_what_is_missing() -> None:
    kept = [
        case(0.8, {"a": 0.8, "gradient-boosting": 0.85}),
        case(0.8, {"a": 0.8, "gradient-boosting": 0.85}, seed=1),
        case(0.9, {"a": 0.9}, table="u"),
        peered(0.7, 30.0),
        Failure("flaml", "u", "no such option"),
        Failure("flaml", "t", "it went well at last"),
        Failure("advice", "v", "no rows"),
    ]

    found = tables(kept, n_tables=3)

    regrets, peers = found["advisor_regret"], found["advisor_peers"]
    row = dict(zip(regrets.columns, regrets.rows[0], strict=True))
    assert row["limit"] == "20 µs a row, calls of 128"
    assert row["tables"] == 2
    assert row["mean regret, points"] == 2.5
    assert row["worst tenth"] == 5.0
    assert row["always gradient-boosting"] == 0.0
    assert row["always random-forest"] is None
    assert regrets.note is not None
    assert "2 of 3 tables" in regrets.note
    assert "No advice: v" in regrets.note
    beside = dict(zip(peers.columns, peers.rows[0], strict=True))
    assert beside["limit kept, %"] == 0.0
    assert beside["by the advice, %"] == 100.0
    assert beside["its accuracy, %"] == 70.0
    assert peers.note is not None
    assert peers.note.endswith("Ended with an error: flaml of u.")


@pytest.mark.parametrize(("n_rows", "n_splits"), [(200, 8), (800, 5), (20_000, 2)])
def test_the_fewer_the_rows_the_more_splits(tmp_path: Path, n_rows: int, n_splits: int) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"target": np.zeros(n_rows)}).to_parquet(path)

    assert splits_of(path) == n_splits


def test_a_table_of_many_splits_counts_once() -> None:
    kept = [case(0.8, {"a": 0.9}, seed=seed) for seed in range(4)] + [
        case(0.9, {"a": 0.9}, table="u")
    ]

    found = tables([replace(one, kept=one.table == "u") for one in kept], 2)["advisor_regret"]

    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert row["limit kept, %"] == 50.0
    assert found.note is not None
    assert "the mean of 1 to 4 splits, more where rows are few" in found.note


def test_before_anything_was_measured_there_is_no_table() -> None:
    assert tables([Failure("advice", "v", "no rows")], n_tables=1) == {}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"c0": rng.normal(size=200), "c1": rng.choice(["x", "y", "z"], 200)})
    frame["target"] = np.where(frame["c0"] + (frame["c1"] == "x") > 0, "up", "down")
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return path


def test_a_peer_answers_the_same_test_rows(table: Path) -> None:
    found = compare(PEERS["tuned-boosting"], table, LIMIT, 0.1)

    assert (found.peer, found.table, found.limit) == ("tuned-boosting", "table", LIMIT)
    assert found.accuracy > 0.8
    assert found.row_us > 0
    assert found.alone_us > 0


def test_a_peer_that_fails_is_told(table: Path, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no such option')\n")

    with pytest.raises(PeerUnavailableError, match="no such option"):
        compare(Searcher("broken", str(program)), table, LIMIT, 0.1)


def test_a_run_goes_on_with_what_is_missing(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def advise(path: Path, budget: float, limits: object, seed: int) -> list[Case]:
        asked.append(seed)
        if len(asked) == 2:
            raise DataError("the disk is full")
        return [case(0.8, {"a": 0.8}, table=path.stem, seed=seed)]

    def run(*more: str) -> str:
        words = ["--data", str(table.parent), "--short", "--splits", "2"]
        words += ["--out", str(tmp_path / "cases.jsonl")]
        result = CliRunner().invoke(command, [*words, *more])
        assert result.exit_code == 0, result.output
        return result.output

    monkeypatch.setattr(benchmark, "advice_cases", advise)
    monkeypatch.setattr(benchmark, "report", lambda name, tables, publish: None)

    assert "failed: the disk is full" in run()
    assert "1 of 1, 0 min left: table, split 1: a 0.8000" in run("--resume")
    assert "table, split" not in run("--resume", "--most-minutes", "0")
    assert asked == [0, 1, 1]
    run()
    assert asked == [0, 1, 1, 0, 1]
