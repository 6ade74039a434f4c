"""What rules against luck are worth: choices replayed over made-up candidates, one small table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_exporters.advisor.deciding import Candidate, Caution
from ounce_schemas.advice import Limits
from ounce_schemas.card import AccuracyEstimate

from benchmarks.advisor.caution import Replayed, command, luck_table, rules_table
from benchmarks.advisor.replay import (
    ADVICE,
    DRAWS,
    SIMPLE,
    WITHOUT,
    Chooser,
    Chosen,
    Judging,
    choose,
    halves,
)

N = 400
LIGHT_NS, HEAVY_NS = 100.0, 100_000.0


def candidate(name: str, accuracy: float, counted_ns: float, seed: int = 0) -> Candidate:
    """The least confident answers are wrong; another seed shuffles which rows these are."""
    confidence = np.random.default_rng(seed).permutation(np.linspace(0.0, 1.0, N))
    right = confidence >= 1 - accuracy
    return Candidate(
        name=name,
        neural=False,
        interpretable=False,
        counted_ns=counted_ns,
        size_bytes=1_000,
        latency_ms=counted_ns / 1e6,
        right=np.stack([right, right]),
        confidence=np.stack([confidence, confidence]),
        accuracy=AccuracyEstimate(value=float(right.mean()), low=0.0, high=1.0, n=N),
    )


def test_half_of_the_rows_choose_in_each_draw() -> None:
    drawn = list(halves(7))

    assert len(drawn) == DRAWS
    assert {int(choosing.sum()) for choosing in drawn} == {3}
    assert len({tuple(choosing) for choosing in drawn}) > 1
    assert [tuple(c) for c in halves(7)] == [tuple(c) for c in drawn]


def test_a_plan_is_judged_by_the_rows_that_did_not_choose_it() -> None:
    """One model is right where the first draw's chooser looks, the other everywhere else."""
    choosing = next(halves(N))
    lucky, other = candidate("lucky", 0.5, LIGHT_NS), candidate("other", 0.5, LIGHT_NS)
    lucky.right[:], other.right[:] = choosing, ~choosing

    found = choose([lucky, other], Limits(), SIMPLE, N)

    assert found.accuracy < 0.5


def test_the_most_accurate_is_taken_whatever_it_costs_and_within_the_limit() -> None:
    light, heavy = candidate("light", 0.90, LIGHT_NS), candidate("heavy", 0.95, HEAVY_NS, seed=1)

    assert choose([light, heavy], Limits(), SIMPLE, N).log_work == pytest.approx(np.log(HEAVY_NS))
    limits = Limits(max_latency_ms=0.01)
    assert choose([light, heavy], limits, SIMPLE, N).log_work == pytest.approx(np.log(LIGHT_NS))
    assert choose([light, heavy], limits, SIMPLE, N).accuracy == pytest.approx(0.90, abs=0.03)


def test_a_cascade_hands_over_the_rows_of_least_confidence() -> None:
    """The light model's wrong answers are its least confident: with the heavy one's help it is
    better than either, for little more work."""
    light, heavy = candidate("light", 0.90, LIGHT_NS), candidate("heavy", 0.95, HEAVY_NS, seed=1)

    found = choose([light, heavy], Limits(max_latency_ms=1.0), ADVICE, N)

    assert found.accuracy > 0.97
    assert found.log_work < np.log(HEAVY_NS / 2)


def test_a_rule_that_is_left_out_changes_the_choice() -> None:
    lightest, other = candidate("lightest", 0.9, 100.0), candidate("other", 0.9, 105.0, seed=1)
    lightest.right[:, :2] = False
    other.right[:, :2] = True

    with_rule = choose([lightest, other], Limits(), ADVICE, N)
    without = choose([lightest, other], Limits(), Chooser(Caution(little_more=1.0)), N)

    assert with_rule.log_work > without.log_work


def test_other_folds_judge_only_where_they_may() -> None:
    """By the first division both are alike; by the second the heavier one is far better."""
    light, heavy = candidate("light", 0.8, LIGHT_NS), candidate("heavy", 0.8, HEAVY_NS)
    light.right[1], heavy.right[1] = False, True

    assert choose([light, heavy], Limits(), Chooser(judging=Judging.ONCE), N).log_work < np.log(
        HEAVY_NS
    )
    assert choose([light, heavy], Limits(), ADVICE, N).log_work == pytest.approx(np.log(HEAVY_NS))


def test_only_the_rows_of_the_first_folds_judge_where_no_others_may() -> None:
    """There both are alike; elsewhere the heavier one is far better."""
    light, heavy = candidate("light", 0.8, LIGHT_NS), candidate("heavy", 0.8, HEAVY_NS)
    n_first = N // 4
    light.right[:, n_first:], heavy.right[:, n_first:] = False, True
    first = Chooser(judging=Judging.FIRST)

    assert choose([light, heavy], Limits(), first, n_first).log_work < np.log(HEAVY_NS)
    found = choose([light, heavy], Limits(), ADVICE, n_first)
    assert found.log_work == pytest.approx(np.log(HEAVY_NS))


def replayed(n_rows: int, advice: float, other: float, best: float) -> Replayed:
    choosers = [ADVICE, SIMPLE, *WITHOUT.values()]
    chosen = {
        (chooser, limited): Chosen(advice if chooser == ADVICE else other, 0.0)
        for chooser in choosers
        for limited in (True, False)
    }
    return Replayed(f"t{n_rows}", n_rows, chosen, {True: best, False: best})


def test_tables_say_what_is_lost_with_standard_errors() -> None:
    found = [replayed(100, 0.90, 0.89, 0.93), replayed(900, 0.80, 0.77, 0.81)]

    rules = rules_table(found)
    assert [row[2:] for row in rules.rows] == [[2.0, 1.0, 1.0]] * 8
    luck = luck_table(found)
    assert luck.rows[0] == ["up to 250", 1, "limited", 3.0, None, 4.0, None, 1.0]
    assert luck.rows[-1] == ["over 250", 1, "free", 1.0, None, 4.0, None, 1.0]
    assert luck_table(found[:1]).rows == luck.rows[:2]


def test_the_command_races_on_a_table_and_leaves_out_what_can_not_be_advised_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "tables"
    data.mkdir()
    x = np.random.default_rng(0).normal(size=200)
    table = pd.DataFrame({"x": x, "target": np.where(x > 0, "up", "down")})
    table.to_parquet(data / "halves.parquet")
    table.assign(target=1.0).to_parquet(data / "same.parquet")

    result = CliRunner().invoke(command, ["--data", str(data), "--budget", "2"])

    assert result.exit_code == 0, result.output
    assert "1 of 2: halves: " in result.output
    assert "2 of 2: same is left out: " in result.output
    assert (tmp_path / "results" / "advisor_caution.json").exists()


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--data", str(tmp_path)])

    assert result.exit_code == 1
    assert "no table could be advised on" in result.output
