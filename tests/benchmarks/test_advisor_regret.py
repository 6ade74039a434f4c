"""Regret of advice, and peers beside it: on made-up cases and one small table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.advisor.peers import PEERS, Searcher, compare
from benchmarks.advisor.regret import Case, regret, regret_of_always
from benchmarks.peers.environment import PeerUnavailableError

LIMIT = (20.0, 128)


def case(accuracy: float, tested: dict[str, float], within: frozenset[str] | None = None) -> Case:
    return Case(
        table="t",
        limit=LIMIT,
        plan=("a",),
        accuracy=accuracy,
        tested=tested,
        within=frozenset(tested) if within is None else within,
        kept=True,
        race_s=3.0,
        early=0.0,
    )


def test_the_best_choice_is_one_model_on_the_mean_over_splits() -> None:
    splits = [case(0.8, {"a": 0.8, "b": 0.9}), case(0.9, {"a": 0.9, "b": 0.7})]

    assert regret(splits) == pytest.approx(0.0)
    assert regret_of_always("b", splits) == pytest.approx(5.0)
    assert regret_of_always("c", splits) is None


def test_a_model_that_breaks_the_limit_once_is_no_choice() -> None:
    splits = [
        case(0.8, {"a": 0.8, "b": 0.9}, frozenset({"a"})),
        case(0.8, {"a": 0.8, "b": 0.9}),
    ]

    assert regret(splits) == pytest.approx(0.0)
    nothing = [case(0.8, {"a": 0.8, "b": 0.9}, frozenset())]
    assert regret(nothing) == pytest.approx(10.0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"c0": rng.normal(size=200), "c1": rng.choice(["x", "y", "z"], 200)})
    frame["target"] = np.where(frame["c0"] + (frame["c1"] == "x") > 0, "up", "down")
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return path


def test_a_peer_answers_the_same_test_rows(table: Path) -> None:
    ours = {LIMIT: case(0.9, {"a": 0.9})}

    [found] = compare(PEERS["tuned-boosting"], table, ours, 0.1)

    assert found.accuracy > 0.8
    assert found.ours == 0.9
    assert found.row_us > 0


def test_a_peer_that_fails_is_told(table: Path, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('no such option')\n")

    with pytest.raises(PeerUnavailableError, match="no such option"):
        compare(Searcher("broken", str(program)), table, {LIMIT: case(0.9, {"a": 0.9})}, 0.1)
