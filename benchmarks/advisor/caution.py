"""What each rule against luck is worth, on tables that no rule was made on.

All kinds of models race once on each table. Then half of the held-out rows choose a plan, and the
other half judge it, 20 times: with every rule, and without each.

Example: python -m benchmarks.advisor.caution --data tables
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from ounce_exporters.advisor.advising import Advised, Asked, advise, count_judging
from ounce_exporters.advisor.candidates import candidates_of
from ounce_exporters.advisor.deciding import Candidate
from ounce_exporters.advisor.exporting import measure
from ounce_exporters.ladder.recipe import TaskData
from ounce_schemas.advice import Limits
from ounce_schemas.errors import OunceError

from benchmarks.advisor.regret import LIMITS, limits_of, load_table, tables_option
from benchmarks.advisor.replay import (
    ADVICE,
    DRAWS,
    SIMPLE,
    WITHOUT,
    Chooser,
    Chosen,
    best_of,
    choose,
)
from benchmarks.results import Cell, Table, publish_option, report

FEW_ROWS = 250
"""Held-out rows of a small table."""
_BATCH = 128
"""Of a call where latency has no limit."""


@dataclass(frozen=True)
class Replayed:
    """What one table gave."""

    table: str
    n_rows: int
    """Held out."""
    chosen: Mapping[tuple[Chooser, bool], Chosen]
    """By who chose, and whether latency had a limit: then the mean over the limits."""
    best: Mapping[bool, float]
    """Accuracy of the best model within the limit, in hindsight, likewise."""


@click.command(help=__doc__)
@tables_option
@click.option("--budget", type=float, default=30.0, show_default=True, help="Of each race.")
@publish_option
def command(data: Path, budget: float, publish: bool) -> None:
    """Race on each table, and choose again and again from what it gave."""
    files = sorted(data.glob("*.parquet"))
    found = []
    for number, path in enumerate(files, 1):
        try:
            found.append(replayed(path, budget))
        except OunceError as e:
            click.echo(f"{number} of {len(files)}: {path.stem} is left out: {e}")
            continue
        click.echo(f"{number} of {len(files)}: {path.stem}: {_told(found[-1])}")
    if not found:
        raise click.ClickException(f"{data}: no table could be advised on")
    tables = {"advisor_caution": rules_table(found), "advisor_luck": luck_table(found)}
    report("advisor_caution", tables, publish=publish)


def replayed(path: Path, budget_s: float) -> Replayed:
    """Race on a table, and choose.

    Raises:
        OunceError: no advice can be of it.
    """
    data = load_table(path, 0)
    asked = Asked(
        limits=Limits(batch=_BATCH),
        budget_s=budget_s,
        seed=0,
        balanced=False,
        options={},
        notices=(),
    )
    advised = advise(data, asked, lambda what, done: None)
    n_first = count_judging(advised.rows, advised.advice.budget.n_folds)
    chosen: dict[tuple[Chooser, bool], Chosen] = {}
    best: dict[bool, float] = {}
    for limited in (False, True):
        limits = [limits_of(limit) for limit in LIMITS] if limited else [Limits(batch=_BATCH)]
        cases = [(limit, _candidates(data, advised, limit.batch)) for limit in limits]
        for chooser in (ADVICE, *WITHOUT.values(), SIMPLE):
            of_limits = [choose(candidates, limit, chooser, n_first) for limit, candidates in cases]
            chosen[chooser, limited] = Chosen(
                float(np.mean([one.accuracy for one in of_limits])),
                float(np.mean([one.log_work for one in of_limits])),
            )
        best[limited] = float(np.mean([best_of(candidates, limit) for limit, candidates in cases]))
    return Replayed(path.stem, len(advised.raced.held_out), chosen, best)


def _candidates(data: TaskData, advised: Advised, batch: int) -> list[Candidate]:
    timed = [t for t in advised.advice.measured.models if t.batch_size == batch]
    timed = timed or measure(advised.exported, data, [batch])
    return candidates_of(advised.rows, advised.raced, advised.exported, timed, batch)


def rules_table(found: Sequence[Replayed]) -> Table:
    """What is lost without each rule: paired over tables."""
    rows: list[list[Cell]] = []
    for rule, without in WITHOUT.items():
        for limited in (True, False):
            with_it = [one.chosen[ADVICE, limited] for one in found]
            others = [one.chosen[without, limited] for one in found]
            lost = [100 * (a.accuracy - b.accuracy) for a, b in zip(with_it, others, strict=True)]
            work = [b.log_work - a.log_work for a, b in zip(with_it, others, strict=True)]
            rows.append([rule, _LIMITED[limited], *_mean(lost), _times(work)])
    return Table(
        columns=["rule", "latency", "points lost without it", "±", "work without it, times"],
        rows=rows,
        note=f"Means over {len(found)} tables: {', '.join(one.table for one in found)}. ± is a "
        f"standard error over tables. {DRAWS} draws of the half that chooses.",
    )


_LIMITED = {True: "limited", False: "free"}


def luck_table(found: Sequence[Replayed]) -> Table:
    """What a choice loses to the best in hindsight, where few rows judge and where many do."""
    few = [one for one in found if one.n_rows <= FEW_ROWS]
    many = [one for one in found if one.n_rows > FEW_ROWS]
    parts = {f"up to {FEW_ROWS}": few, f"over {FEW_ROWS}": many}
    rows: list[list[Cell]] = []
    for held_out, of in parts.items():
        for limited in (True, False) if of else ():
            lost = (*_lost(of, ADVICE, limited), *_lost(of, SIMPLE, limited))
            work = [
                one.chosen[ADVICE, limited].log_work - one.chosen[SIMPLE, limited].log_work
                for one in of
            ]
            rows.append([held_out, len(of), _LIMITED[limited], *lost, _times(work)])
    return Table(
        columns=[
            "held-out rows",
            "tables",
            "latency",
            "points lost by the advice",
            "±",
            "by the most accurate model, whatever it costs",
            "± of these",
            "work of the advice, times that model's",
        ],
        rows=rows,
        note="Lost: against the model within the limit that is best on all held-out rows.",
    )


def _lost(found: Sequence[Replayed], chooser: Chooser, limited: bool) -> tuple[Cell, Cell]:
    return _mean(
        [100 * (one.best[limited] - one.chosen[chooser, limited].accuracy) for one in found]
    )


def _mean(values: Sequence[float]) -> tuple[Cell, Cell]:
    """With its standard error; of one value there is none."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
    return round(float(np.mean(values)), 2) + 0.0, None if error is None else round(float(error), 2)


def _times(log_work: Sequence[float]) -> float:
    return round(float(np.exp(np.mean(log_work))), 2)


def _told(one: Replayed) -> str:
    lost = {
        limited: 100 * (one.best[limited] - one.chosen[ADVICE, limited].accuracy)
        for limited in (True, False)
    }
    return f"{one.n_rows} rows judge; {lost[True]:.2f} points lost, {lost[False]:.2f} without limit"


if __name__ == "__main__":
    command()
