"""`ounce train`: builds the ladder of a task that ships, or of a table."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import click
from ounce_schemas.command import grouped_command, make_settings, settings_options
from ounce_schemas.documents import QUICK_FOLDER
from pydantic import BaseModel, Field
from rich.console import Console

from ounce_exporters.cascades.planning import PlannedLadder, plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.floors import floor_advice
from ounce_exporters.ladder import BuiltLadder, IncompleteLadderError, build_ladder
from ounce_exporters.next_steps import next_steps
from ounce_exporters.progress_file import ProgressFile
from ounce_exporters.recipe import Recipe, TaskData
from ounce_exporters.reporters import Reporter, Reporters
from ounce_exporters.reporting import ConsoleReporter, ladder_table, plans_table
from ounce_exporters.tasks import registry

_TABLE_WIDTH = 140
"""Columns of the final table where no terminal says how wide it is."""


class TrainSettings(BaseModel):
    """Options of `ounce train`."""

    models: Path = Field(
        default=Path("models"),
        description="Folder of all tasks' models",
    )
    data: Path | None = Field(
        default=None,
        description="Table to learn from: text such as .csv or .tsv, maybe .gz, or .parquet",
    )
    target: str | None = Field(
        default=None,
        description="Column of the table to predict",
    )
    task: str | None = Field(
        default=None,
        description="Name of the table's task; default: the file's name",
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Regression: absolute error that is still acceptable; default: what a quick "
        "model reaches for 95% of the rows",
    )
    kind: Literal["classification", "regression"] | None = Field(
        default=None,
        description="What the target is; default: texts and up to 20 whole numbers are classes",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="Whether rare classes count as much as frequent ones while training",
    )
    sep: str | None = Field(
        default=None,
        description="Separator of values: one character, or tab, space; default: found out",
    )
    encoding: str | None = Field(
        default=None,
        description="Of a text file, such as latin-1; default: found out",
    )
    header: bool | None = Field(
        default=None,
        description="Whether the first line names the columns; default: found out; without one "
        "they are called 0, 1, 2",
    )
    skip: int | None = Field(
        default=None,
        ge=0,
        description="Lines before the header or first row; default: found out",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="Decimal mark of numbers; default: found out",
    )
    columns: tuple[str, ...] = Field(
        default=(),
        description="NAME=KIND: number, category, date, date:FORMAT such as date:%d/%m/%Y, or "
        "ignore (can be repeated)",
    )
    without: tuple[str, ...] = Field(
        default=(),
        description="Column that is no input (can be repeated)",
    )
    unit: str | None = Field(
        default=None,
        description="Column that tells whose a row is (machine, patient, site): all rows of one "
        "stay in one split",
    )
    time: str | None = Field(
        default=None,
        description="Column of dates or numbers: later rows validate and test",
    )
    test: Path | None = Field(
        default=None,
        description="Another table, of other days or places: it validates and tests",
    )
    quick: bool = Field(
        default=False,
        description="A smaller ladder of a task that ships, trained in seconds, in the folder "
        f"{QUICK_FOLDER}/ of the models folder: to see everything at work, not to be relied on",
    )
    only: tuple[str, ...] = Field(
        default=(),
        description="Build this model alone (can be repeated); others are left as they are",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="Fixes splits and training",
    )
    report: Path | None = Field(
        default=None, description="File to append progress to, a line of JSON each time"
    )

    @property
    def folder(self) -> Path:
        """Where the task's folder goes."""
        return self.models / QUICK_FOLDER if self.quick else self.models


_TABLE_OPTIONS = {
    "A table of your own": ("data", "target", "task", "tolerance", "kind", "class_weights"),
    "How the table is written": ("sep", "encoding", "header", "skip", "decimal"),
    "Its columns": ("columns", "without"),
    "What validates and tests": ("unit", "time", "test"),
}


@click.command(name="train", cls=grouped_command(_TABLE_OPTIONS))
@click.argument("name", metavar="[TASK]", required=False)
@settings_options(TrainSettings)
def command(name: str | None, **values: Any) -> None:
    """Train and export the ladder of TASK (digits, bearing) or of a table.

    \b
    Examples:
      ounce train digits
      ounce train --data rooms.csv --target Occupancy
      ounce train --data pumps.csv.gz --target state --unit pump --columns code=category
    """
    settings = make_settings(TrainSettings, values)
    begun_s = time.monotonic()
    console = Console()
    if not console.is_terminal:
        console.width = _TABLE_WIDTH
    data, recipes = _open(name, settings, console)
    chosen = _choose(recipes, settings.only)
    _say(
        console,
        f"Task {data.spec.name}: {len(data.train)} items to train, {len(data.validation)} to "
        f"validate, {len(data.test)} to test; {len(chosen)} models",
    )
    with _unwinding_on_sigterm(), ExitStack() as stack:
        reporters: list[Reporter] = [stack.enter_context(ConsoleReporter(console, len(chosen)))]
        if settings.report is not None:
            progress = ProgressFile(settings.report, data.spec.name, chosen, begun_s)
            reporters.append(stack.enter_context(progress))
        built, planned = _make_ladder(data, chosen, settings, Reporters(*reporters))
    console.print(ladder_table(built.cards))
    console.print(plans_table(planned))
    advice = floor_advice(planned.plans, quantity=data.spec.kind == "regression")
    if advice is not None:
        _say(console, f"Note: {advice}")
    folder = settings.folder / data.spec.name
    _say(console, f"Written to {folder}\n")
    for line in next_steps(data, settings.folder):
        _say(console, line)
    if built.failures:
        raise IncompleteLadderError(
            f"{len(built.failures)} of {len(chosen)} models failed; {folder} holds the others and "
            f"can serve. Failed: {'; '.join(built.failures)}"
        )


def _make_ladder(
    data: TaskData, recipes: list[Recipe], settings: TrainSettings, reporter: Reporter
) -> tuple[BuiltLadder, PlannedLadder]:
    keep_models = bool(settings.only)
    with new_ladder(settings.folder, data.spec, data.test, keep_models=keep_models) as scratch:
        built = build_ladder(data, recipes, scratch, settings.seed, reporter)
        planned = plan_ladder(data, scratch, settings.seed, reporter)
    return built, planned


def _open(
    name: str | None, settings: TrainSettings, console: Console
) -> tuple[TaskData, list[Recipe]]:
    if settings.data is not None:
        return _open_table(name, settings.data, settings, console)
    given = [o for names in _TABLE_OPTIONS.values() for o in names if o not in ("data", "task")]
    given = [o for o in given if _is_typed(o)]
    if given:
        options = ", ".join(f"--{option.replace('_', '-')}" for option in given)
        raise click.UsageError(f"{options}: of a table, so --data FILE is needed, too")
    if name is None:
        name = settings.task
    elif settings.task not in (None, name) and _is_typed("task"):
        raise click.UsageError(f"TASK is {name!r} and --task {settings.task!r}: give one of them")
    if name is None:
        tasks = ", ".join(registry.TASKS)
        raise click.UsageError(f"name a task ({tasks}), or give --data FILE --target COLUMN")
    module = registry.find_task(name)
    _say(console, f"Task {name}: making its data")
    data = module.load(settings.seed, quick=settings.quick)
    if settings.quick:
        data = replace(data, source=f"{data.source}; a quick ladder, made with --quick")
    return data, module.recipes(data, quick=settings.quick)


def _open_table(
    name: str | None, path: Path, settings: TrainSettings, console: Console
) -> tuple[TaskData, list[Recipe]]:
    if name is not None:
        raise click.UsageError(f"{name!r} beside --data: name the table's task with --task {name}")
    if settings.quick:
        raise click.UsageError("--quick is for the tasks that ship, not for --data")
    if settings.target is None:
        raise click.UsageError("--data needs --target COLUMN")
    # Imported here: a task that ships needs neither pandas nor pyarrow.
    from ounce_exporters.tasks.table import options as table
    from ounce_exporters.tasks.table.task import load, task_name

    task = settings.task or task_name(path)
    if task in registry.TASKS:
        raise click.UsageError(
            f"{task!r} is a task that ships: give the table's task another name with --task NAME"
        )
    options = table.TableOptions(
        writing=table.Writing(
            separator=table.read_separator(settings.sep),
            encoding=settings.encoding,
            header=settings.header,
            skip=settings.skip,
            decimal=settings.decimal,
        ),
        columns=table.read_column_kinds(settings.columns),
        without=frozenset(settings.without),
        kind=settings.kind,
        tolerance=settings.tolerance,
        unit=settings.unit,
        time=settings.time,
        test=settings.test,
    )
    data = load(
        path,
        settings.target,
        task,
        options,
        settings.seed,
        lambda line: _say(console, f"Note: {line}"),
    )
    from ounce_exporters.tasks.table.recipes import recipes  # after the table is known to be good

    return data, recipes(data, balanced=settings.class_weights == "balanced")


@contextmanager
def _unwinding_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as an error does, so that what is half made is removed."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_typed(parameter: str) -> bool:
    """Whether an option stands on the command line; OUNCE_TASK may be set for a worker's sake."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _choose(recipes: list[Recipe], only: tuple[str, ...]) -> list[Recipe]:
    names = [recipe.name for recipe in recipes]
    for name in only:
        if name not in names:
            raise click.UsageError(f"--only {name}: no such model; one of {', '.join(names)}")
    return [recipe for recipe in recipes if not only or recipe.name in only]
