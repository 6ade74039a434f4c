"""What a person sees while a ladder is built: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from typing import Self

from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ExportError
from ounce_schemas.measure import Measure
from ounce_schemas.plans import PlanProfile
from ounce_schemas.wording import figure
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ounce_exporters.cascades.cost import BATCH_SIZES
from ounce_exporters.cascades.planning import PlannedLadder
from ounce_exporters.ladder import recipe as recipes
from ounce_exporters.progress.heartbeat import EVERY_S, Heartbeat, Outlook, in_words

_PLANNING_SHARE = 0.05
"""Of the work of all models, to plan cascades."""
_TRAINING_SHARE = 0.9
"""Of a model's work; the rest is to export, check and measure it."""
_TERMINAL_EVERY_S = 0.5

_TABLE_WIDTH = 140
"""Columns of a table where no terminal says how wide it is."""


def wide_console() -> Console:
    """A console whose tables are whole where no terminal says how wide it is."""
    console = Console()
    if not console.is_terminal:
        console.width = _TABLE_WIDTH
    return console


def say(console: Console, line: str) -> None:
    """Print a line as it is."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)


class ConsoleReporter:
    """Implements the reporters of `ladder` and `cascades.planning`.

    A context manager that holds the progress bar.
    """

    def __init__(self, console: Console, chosen: Sequence[recipes.Recipe]) -> None:
        self._console = console
        work = sum(recipe.effort for recipe in chosen)
        self._outlook = Outlook(work * (1 + _PLANNING_SHARE))
        self._planning_work = work * _PLANNING_SHARE
        self._what = ""
        self._shown_s = time.monotonic()
        self._heartbeat = Heartbeat(self._beat, _TERMINAL_EVERY_S if console.is_terminal else 1.0)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._ladder = self._progress.add_task("ladder", left="", total=len(chosen))
        self._current = self._progress.add_task("", total=1.0, left="")
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._heartbeat.__exit__(*error)
        self._progress.stop()

    def training(self, recipe: recipes.Recipe) -> recipes.Progress:
        """A model starts to train; the result is told the share done."""
        self._begun = time.monotonic()
        self._outlook.begin(recipe.effort)
        self._now(f"{recipe.name}: training")

        def progress(done: float) -> None:
            self._outlook.tell(done * _TRAINING_SHARE)

        return progress

    def exporting(self, recipe: recipes.Recipe) -> None:
        """It is trained; now it is exported, checked and measured."""
        self._outlook.tell(_TRAINING_SHARE)
        self._what = f"{recipe.name}: exporting and measuring"

    def finished(self, recipe: recipes.Recipe, card: ModelCard) -> None:
        """It is written."""
        self._end(
            f"{recipe.name}: {short_name(card.measure)} {card.validation_accuracy.value:.4f}, "
            f"{card.size_bytes / 1000:,.0f} kB, parity {card.parity.agreement:.2%}, "
            f"{time.monotonic() - self._begun:.1f} s"
        )

    def failed(self, recipe: recipes.Recipe, error: ExportError) -> None:
        """It could not be exported; the others go on."""
        self._end(f"[red]{recipe.name}: failed[/]: {escape(str(error))}")

    def skipped(self, recipe: recipes.Recipe) -> None:
        """There is no time for it."""
        self._outlook.begin(0.0)
        self._outlook.drop(recipe.effort)
        self._end(f"[yellow]{recipe.name}: left out[/]: no time is left for it (--time-limit)")

    def dropped(self, recipe: recipes.Recipe, reason: str) -> None:
        """It is another form of a model, and gains nothing."""
        self._end(f"{recipe.name}: left out: {escape(reason)}")

    def planning(self) -> recipes.Progress:
        """Planning starts; the result is told the share done."""
        self._outlook.begin(self._planning_work)
        self._now("planning cascades")
        return self._outlook.tell

    def left_out(self, line: str) -> None:
        """A model that no plan uses, and why."""
        self._console.print(f"[yellow]No plan uses[/] {escape(line)}", highlight=False)

    def _now(self, what: str) -> None:
        self._what = what
        self._progress.reset(self._current, total=1.0, description=what)
        if not self._console.is_terminal:
            self._line(what)

    def _end(self, line: str) -> None:
        self._outlook.end()
        self._what = ""
        self._progress.advance(self._ladder)
        self._line(line)

    def _line(self, line: str) -> None:
        self._shown_s = time.monotonic()
        self._console.print(line, highlight=False)

    def _beat(self) -> None:
        left = in_words(self._outlook.left_s)
        share = self._outlook.share
        self._progress.update(self._current, completed=share, description=self._what)
        self._progress.update(self._ladder, left=left)
        waited_s = time.monotonic() - self._shown_s
        if self._what and not self._console.is_terminal and waited_s >= EVERY_S - 1:
            done = f", {share:.0%}" if share else ""
            so_far = f"{self._what}{done} after {self._outlook.step_s:.0f} s"
            self._line(f"{so_far}; {left}" if left else so_far)


def ladder_table(cards: Sequence[ModelCard]) -> Table:
    """The ladder, lightest first: what each model promises and what it costs.

    Costs are per item, in calls of 1 and of 32 items, and as a multiple of the lightest model's.
    """
    regression, name = cards[0].regression is not None, short_name(cards[0].measure)
    table = Table(
        title=f"Ladder of {cards[0].task}{_meaning(cards[0].measure)}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("model")
    table.add_column("family")
    for heading in (
        f"{name},\nvalidation",
        f"{name}, test\n(95% interval)",
        *(("mean abs.\nerror", "R²") if regression else ("balanced\naccuracy", "ROC-\nAUC", "ECE")),
        "size,\nkB",
        "ms/item,\nbatch 1",
        "x light-\nest",
        "ms/item,\nbatch 32",
        "x light-\nest",
    ):
        table.add_column(heading, justify="right")
    single = {card.model: ms_per_item(card, 1) for card in cards}
    batched = {card.model: ms_per_item(card, 32) for card in cards}
    for card in sorted(cards, key=lambda c: batched[c.model]):
        a = card.test_accuracy
        table.add_row(
            card.model,
            card.family,
            f"{card.validation_accuracy.value:.4f}",
            f"{a.value:.4f} ({a.low:.3f}-{a.high:.3f})",
            *_of_kind(card),
            f"{card.size_bytes / 1000:,.1f}",
            f"{single[card.model]:.4f}",
            f"{single[card.model] / min(single.values()):.1f}",
            f"{batched[card.model]:.4f}",
            f"{batched[card.model] / min(batched.values()):.1f}",
        )
    return table


def _of_kind(card: ModelCard) -> list[str]:
    """What matters most for the kind of task, on the test split."""
    if card.regression is not None:
        figures = card.regression
        return [figure(figures.mean_absolute_error, 4), f"{figures.r2:.3f}"]
    overall = card.overall
    if overall is None:  # a card of an earlier training
        return ["-", "-", f"{card.calibration.ece_after or 0:.3f}"]
    area = "-" if overall.roc_auc is None else f"{overall.roc_auc:.3f}"
    return [f"{overall.balanced_accuracy:.3f}", area, f"{card.calibration.ece_after or 0:.3f}"]


def plans_table(planned: PlannedLadder) -> Table:
    """Plans that no other beats in accuracy and cost, and the most accurate single model.

    Costs are per item when 1 and when 32 arrive together, beside how many times cheaper that is
    than the most accurate single model.
    """
    plans = planned.plans.plans
    costs = {p.name: [planned.ms_per_item(p, b) for b in BATCH_SIZES] for p in plans}
    best = max((p for p in plans if not p.is_cascade), key=lambda p: p.accuracy.value)
    table = Table(
        title=f"Plans of {planned.plans.task}, on validation data{_meaning(planned.plans.measure)}",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("plan", overflow="fold")
    measure = planned.plans.measure
    table.add_column(f"{short_name(measure)}\n(95% interval)", justify="right")
    if measure.kind == "recall":
        table.add_column("false\nalarms", justify="right")
    table.add_column("share that reaches\neach step", justify="right")
    table.add_column("errors among\naccepted, at most", justify="right")
    for batch_size in BATCH_SIZES:
        table.add_column(f"ms/item,\nbatch {batch_size}", justify="right")
        table.add_column("x\ncheaper", justify="right")
    for plan in sorted(plans, key=lambda p: (-p.accuracy.value, costs[p.name][-1])):
        beaten = any(
            other.accuracy.value >= plan.accuracy.value
            and costs[other.name] != costs[plan.name]
            and all(a <= b for a, b in zip(costs[other.name], costs[plan.name], strict=True))
            for other in plans
        )
        if beaten and plan is not best:
            continue
        a = plan.accuracy
        bounds = [step.error_bound for step in plan.steps if step.error_bound is not None]
        row = [
            escape(plan.name),
            f"{a.value:.4f} ({a.low:.3f}-{a.high:.3f})",
            *([_false_alarms(plan)] if measure.kind == "recall" else []),
            " > ".join(f"{step.reach:.0%}" for step in plan.steps),
            ", ".join(f"{bound:.1%}" for bound in bounds) or "-",
        ]
        for cost, of_best in zip(costs[plan.name], costs[best.name], strict=True):
            row += [f"{cost:.4f}", f"{of_best / cost:.1f}"]
        table.add_row(*row)
    return table


def short_name(measure: Measure) -> str:
    """As a heading says it."""
    return {"recall": "recall", "f1": "F1"}.get(measure.kind, measure.kind.replace("-", " "))


def _meaning(measure: Measure) -> str:
    return "" if measure.is_plain else f": {measure}"


def _false_alarms(plan: PlanProfile) -> str:
    alarms = plan.false_alarms
    return "-" if alarms is None else f"{alarms.value:.2%}"


def ms_per_item(card: ModelCard, batch_size: int) -> float:
    """Median milliseconds per item in calls of `batch_size` items."""
    of_batch = {b.batch_size: b.p50_ms for b in card.latency.batches}
    return of_batch[batch_size] / batch_size
