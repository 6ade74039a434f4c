"""How soon a canary that answers worse is stopped, and how often one that does not.

Labels are drawn each second for both policies, as three workers see them: each bets on its own
part, with what all have seen, and the test looks once a second. The code is what workers run.

Example: python -m benchmarks.policies.canaries --runs 200
"""

from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.arrays import Floats
from ounce_edge.recommender.canary.sequential_test import (
    DIFFERENCES,
    bets_on_items,
    log_evidences,
)
from ounce_edge.recommender.canary.verdict import needed_evidence
from ounce_schemas.canary import Canary, Criterion

from benchmarks import results
from benchmarks.results import Table

N_WORKERS = 3
STOPPED_WITHIN_S = 180
WATCHED_S = 1800
"""So long a canary that is no worse is watched."""
PLAIN = Canary(document="{}", share=0.1)
WRONG = (0.02, 0.05, 0.1)
"""Shares of the baseline's answers that are wrong."""
WORSE_BY = 0.03


class Traffic(NamedTuple):
    """Labels a minute."""

    name: str
    canary: float
    baseline: float


TRAFFICS = (
    Traffic("1,000 of a canary on 10% of the devices, 9,000 of the others", 1000, 9000),
    Traffic("1,000 of a canary on half of the devices, 1,000 of the others", 1000, 1000),
    Traffic("500 of a canary on half of the devices, 500 of the others", 500, 500),
)


def seconds_until_stopped(
    rng: np.random.Generator, traffic: Traffic, shares: tuple[float, float], most_s: int, runs: int
) -> Floats:
    """Of each of several trials, when its canary was stopped; infinite where it was not.

    Args:
        rng: draws labels.
        traffic: how many.
        shares: of wrong answers, the others' and the canary's.
        most_s: end of the trials.
        runs: how many trials.
    """
    margin = PLAIN.margin_of(Criterion.ACCURACY)
    needed = needed_evidence(1, PLAIN.confidence)
    growth = np.zeros((runs, len(DIFFERENCES)))
    before = np.zeros((2, runs), dtype=np.int64)
    found = np.full(runs, np.inf)
    for second in range(1, most_s + 1):
        news = np.zeros_like(before)
        for _ in range(N_WORKERS):
            baseline = _draw(rng, traffic.baseline / 60 / N_WORKERS, shares[0], runs)
            canary = _draw(rng, traffic.canary / 60 / N_WORKERS, shares[1], runs)
            growth += bets_on_items([*baseline, *canary, *before], margin)
            news += baseline
        before += news
        is_stopped = log_evidences(growth) >= needed
        found[is_stopped & np.isinf(found)] = second
    return found


def _draw(rng: np.random.Generator, mean: float, wrong: float, runs: int) -> NDArray[np.int64]:
    n = rng.poisson(mean, runs)
    return np.array([n, rng.binomial(n, wrong)])


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runs", type=click.IntRange(min=1), default=200, show_default=True, help="Of each trial."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the labels.")
@results.publish_option
def main(runs: int, seed: int, publish: bool) -> None:
    """Print and write the table."""
    rows: list[list[results.Cell]] = []
    for traffic in TRAFFICS:
        for wrong in WRONG:
            rows.append(_row(traffic, wrong, runs, seed))
            click.echo(" ".join(map(str, rows[-1])))
    margin = PLAIN.margin_of(Criterion.ACCURACY)
    note = (
        f"{runs} runs each; {N_WORKERS} workers; a margin of {margin:g} and a confidence of "
        f"{PLAIN.confidence:g}, the defaults. A canary that is no worse was watched for "
        f"{WATCHED_S // 60} minutes."
    )
    columns = [
        "labels a minute",
        "wrong answers of the others",
        f"{WORSE_BY * 100:g} points worse: stopped within {STOPPED_WITHIN_S // 60} minutes",
        "median, s",
        "no worse: stopped",
    ]
    table = Table(columns, rows, note)
    results.report("canaries", {"canaries": table}, publish=publish)


def _row(traffic: Traffic, wrong: float, runs: int, seed: int) -> list[results.Cell]:
    rng = np.random.default_rng(seed)
    worse = seconds_until_stopped(rng, traffic, (wrong, wrong + WORSE_BY), STOPPED_WITHIN_S, runs)
    same = seconds_until_stopped(rng, traffic, (wrong, wrong), WATCHED_S, runs)
    median = float(np.median(worse))
    shares = [f"{np.isfinite(found).mean():.1%}" for found in (worse, same)]
    told = f"{median:.0f}" if np.isfinite(median) else None
    return [traffic.name, f"{wrong:.0%}", shares[0], told, shares[1]]


if __name__ == "__main__":
    main()
