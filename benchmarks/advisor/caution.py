"""What each rule against luck is worth, on tables that no rule was made on.

All kinds of models race once on each table. Then half of the held-out rows choose a plan, and the
other half judge it, 20 times: with every rule, and without each.

Example: python -m benchmarks.advisor.caution --data tables
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from ounce_exporters.advisor.advising import Advised, Asked, advise, count_judging
from ounce_exporters.advisor.candidates import candidates_of
from ounce_exporters.advisor.deciding import CAUTION, Candidate, Caution, decide
from ounce_exporters.advisor.exporting import measure
from ounce_exporters.recipe import TaskData
from ounce_schemas.advice import Limits, Plan
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.errors import OunceError

from benchmarks.advisor.regret import LIMITS, limits_of, load_table
from benchmarks.results import Cell, Table, publish_option, report, text

DRAWS = 20
FEW_ROWS = 250
"""Held-out rows of a small table."""
_BATCH = 128
"""Of a call where latency has no limit."""


class Judging(StrEnum):
    """Which answers count."""

    FIRST = "first"
    """To the rows of the first folds, which judge all the race long."""
    ONCE = "once"
    """To every row, by the models of one division into folds."""
    AGAIN = "again"
    """To every row, by those of other divisions, too."""


@dataclass(frozen=True)
class Chooser:
    """A way to choose a plan."""

    caution: Caution = CAUTION
    judging: Judging = Judging.AGAIN
    single: bool = False
    """Whether the most accurate model is taken, whatever it costs."""


ADVICE = Chooser()
WITHOUT = {
    "at the last point all rows judge": Chooser(judging=Judging.FIRST),
    "they judge again, in other folds": Chooser(judging=Judging.ONCE),
    "the most accurate of models with up to a tenth more work": Chooser(Caution(little_more=1.0)),
    "a cascade has a standard error to spare": Chooser(Caution(to_spare=0.0)),
}
"""Each rule, and the choice without it."""
SIMPLE = Chooser(single=True)


@dataclass(frozen=True)
class Chosen:
    """Means over the draws of one table under one limit, or over several limits."""

    accuracy: float
    """Of the chosen plans, on the rows that judge."""
    log_work: float
    """Logarithm of their counted work."""


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
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of tables, .parquet, each with a column `target`.",
)
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
    for table in tables.values():
        click.echo(text(table))
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
        best[limited] = float(np.mean([_best(candidates, limit) for limit, candidates in cases]))
    return Replayed(path.stem, len(advised.raced.held_out), chosen, best)


def _candidates(data: TaskData, advised: Advised, batch: int) -> list[Candidate]:
    timed = [t for t in advised.advice.measured.models if t.batch_size == batch]
    timed = timed or measure(advised.exported, data, [batch])
    return candidates_of(advised.rows, advised.raced, advised.exported, timed, batch)


def choose(
    candidates: Sequence[Candidate], limits: Limits, chooser: Chooser, n_first: int
) -> Chosen:
    """Half of the rows choose, the others judge; the mean over the draws.

    Args:
        candidates: with answers to all held-out rows.
        limits: what a plan has to keep.
        chooser: chooses it.
        n_first: rows of the first folds; they come first.
    """
    right, log_work = [], []
    for choosing in halves(np.atleast_2d(candidates[0].right).shape[1]):
        seen = choosing.copy()
        if chooser.judging is Judging.FIRST:
            seen[n_first:] = False
        mine = [_seen(c, seen, chooser.judging is Judging.AGAIN) for c in candidates]
        plan = _plan(mine, limits, chooser)
        right.append(_judged(plan, candidates, mine, ~choosing))
        log_work.append(np.log(plan.counted_ns))
    return Chosen(float(np.mean(right)), float(np.mean(log_work)))


def halves(n_rows: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows choose, of each draw; the same for every chooser."""
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        choosing = np.zeros(n_rows, np.bool_)
        choosing[rng.permutation(n_rows)[: n_rows // 2]] = True
        yield choosing


def _seen(candidate: Candidate, rows: NDArray[np.bool_], again: bool) -> Candidate:
    """What it is by some of its answers."""
    divisions = slice(None) if again else slice(1)
    right = np.atleast_2d(candidate.right)[divisions, rows]
    confidence = candidate.confidence
    if confidence is not None:
        confidence = np.atleast_2d(confidence)[divisions, rows]
    return replace(candidate, right=right, confidence=confidence, accuracy=_measure(right))


def _measure(right: NDArray[np.bool_]) -> AccuracyEstimate:
    return AccuracyEstimate(value=float(right.mean()), low=0.0, high=1.0, n=right.shape[-1])


def _plan(candidates: Sequence[Candidate], limits: Limits, chooser: Chooser) -> Plan:
    if chooser.single:
        model = max(_within(candidates, limits), key=lambda c: (c.accuracy.value, -c.counted_ns))
        return Plan(models=(model.name,), accuracy=model.accuracy, counted_ns=model.counted_ns)
    plan = decide(candidates, limits, 0.0, _measure, chooser.caution).plan
    assert plan is not None  # something raced
    return plan


def _within(candidates: Sequence[Candidate], limits: Limits) -> Sequence[Candidate]:
    """Those that keep the limit; where none does, the quickest."""
    most_ms = np.inf if limits.max_latency_ms is None else limits.max_latency_ms
    return [c for c in candidates if c.latency_ms <= most_ms] or [
        min(candidates, key=lambda c: c.latency_ms)
    ]


def _judged(
    plan: Plan, candidates: Sequence[Candidate], seen: Sequence[Candidate], rows: NDArray[np.bool_]
) -> float:
    """Accuracy of a plan on other rows than it was chosen by. A cascade hands over by the
    confidence that it was chosen with."""
    of_name = {c.name: c for c in candidates}
    right = np.atleast_2d(of_name[plan.models[0]].right)[:, rows]
    if plan.handed_over is None:
        return float(right.mean())
    known = next(c.confidence for c in seen if c.name == plan.models[0])
    confidence = of_name[plan.models[0]].confidence
    assert known is not None  # it hands over by it
    assert confidence is not None
    threshold = np.quantile(known, plan.handed_over)
    heavy = np.atleast_2d(of_name[plan.models[1]].right)[:, rows]
    return float(np.where(np.atleast_2d(confidence)[:, rows] < threshold, heavy, right).mean())


def _best(candidates: Sequence[Candidate], limits: Limits) -> float:
    return max(float(c.right.mean()) for c in _within(candidates, limits))


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
