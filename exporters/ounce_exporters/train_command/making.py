"""Making the ladder of a task that ships, or of a table, as `ounce train` was told."""

import math
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from ounce_schemas.advice import Advice
from ounce_schemas.wording import counted
from rich.console import Console

from ounce_exporters.cascades.planning import PlannedLadder, plan_ladder
from ounce_exporters.evaluation.floors import floor_advice, guess_advice
from ounce_exporters.evaluation.group_table import groups_table
from ounce_exporters.export.artifacts import REPORT_FILE, new_ladder
from ounce_exporters.ladder.building import BuiltLadder, IncompleteLadderError, build_ladder
from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.ladder.time_limit import TimeLimit
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.progress.console import (
    ConsoleReporter,
    ladder_table,
    plans_table,
    say,
    wide_console,
)
from ounce_exporters.progress.progress_file import ProgressFile
from ounce_exporters.progress.reading_reporter import ReadingReporter
from ounce_exporters.progress.reporters import Reporter, Reporters
from ounce_exporters.report.page import write_report
from ounce_exporters.tasks import registry
from ounce_exporters.train_command.advised import caveat, check_same_data
from ounce_exporters.train_command.choosing import choose, fitting
from ounce_exporters.train_command.next_steps import next_steps
from ounce_exporters.train_command.pretrained import backbone_recipes, find_backbone, find_start
from ounce_exporters.train_command.resuming import resumable
from ounce_exporters.train_command.settings import TrainSettings

_TUNING_SHARE = 0.5
"""Of a time limit, until no trial begins; the rest is to train what the search found."""


def make(name: str | None, settings: TrainSettings, advice: Advice | None, begun_s: float) -> None:
    """Train, export and plan what the options ask for, and say what came of it.

    Args:
        name: the task that ships; None for a table.
        settings: options that go together.
        advice: what `settings` are built by, if anything.
        begun_s: when the command began, on the monotonic clock.

    Raises:
        click.UsageError: an option names what these data do not have.
        IncompleteLadderError: a model failed; the others are written.
    """
    console = wide_console()
    data, recipes = _open(name, settings, console)
    if advice is not None and settings.advice is not None:
        check_same_data(settings.advice, advice, data.sha256)
        known = caveat(advice)
        if known is not None:
            say(console, f"Note: {known}")
    chosen = choose(recipes, settings)
    chosen = fitting(chosen, settings, console)
    if settings.tune is not None:
        if settings.resume:
            say(console, "Note: a search with --tune is not kept, so --resume searches anew")
        data, chosen = _tune(data, chosen, settings, console, begun_s)
    say(
        console,
        f"Task {data.spec.name}: {_say_splits(data)}, {len(data.test)} to test; {_count(chosen)}",
    )
    with _unwinding_on_sigterm(), ExitStack() as stack:
        reporters: list[Reporter] = [stack.enter_context(ConsoleReporter(console, chosen))]
        if settings.report is not None:
            progress = ProgressFile(settings.report, data.spec.name, chosen, begun_s)
            reporters.append(stack.enter_context(progress))
        limit = TimeLimit(settings.time_limit, begun_s)
        told = Reporters(*reporters)
        built, planned = _make_ladder(data, chosen, settings, told, limit, console)
    console.print(ladder_table(built.cards))
    by_group = groups_table(built.cards)
    if by_group is not None:
        console.print(by_group)
    console.print(plans_table(planned))
    for line in (
        guess_advice(planned.plans, data.spec, data.validation.targets),
        floor_advice(planned.plans, quantity=data.spec.kind == "regression"),
        limit.overrun(),
    ):
        if line is not None:
            say(console, f"Note: {line}")
    folder = settings.folder / data.spec.name
    say(console, f"All figures and plots: {folder / REPORT_FILE}")
    say(console, f"Written to {folder}\n")
    for line in next_steps(data, settings.folder):
        say(console, line)
    if built.failures:
        raise IncompleteLadderError(
            f"{len(built.failures)} of {len(chosen)} models failed; {folder} holds the others and "
            f"can serve. Failed: {'; '.join(built.failures)}"
        )


def _tune(
    data: TaskData,
    chosen: list[Recipe],
    settings: TrainSettings,
    console: Console,
    begun_s: float,
) -> tuple[TaskData, list[Recipe]]:
    assert settings.tune is not None
    from ounce_exporters.tasks.table.recipes import families
    from ounce_exporters.tasks.table.workload import bound_work
    from ounce_exporters.train_command.tuned_ladder import tune_ladder

    names = [recipe.name for recipe in chosen]
    balanced = settings.class_weights == "balanced"
    every = families(data, balanced=balanced, start=find_start(settings))
    of_these = [f for f in every if f.name in names]
    ends_s = begun_s + _TUNING_SHARE * (settings.time_limit or math.inf)
    data, found = tune_ladder(data, of_these, settings.tune, settings.seed, console, ends_s)
    bounded = bound_work([replace(recipe, balanced=balanced) for recipe in found], data)
    return data, with_lighter(bounded, keep=True) if settings.keep_lighter else bounded


def _make_ladder(
    data: TaskData,
    recipes: list[Recipe],
    settings: TrainSettings,
    reporter: Reporter,
    limit: TimeLimit,
    console: Console,
) -> tuple[BuiltLadder, PlannedLadder]:
    keep_models = bool(settings.only) and settings.advice is None
    with (
        new_ladder(settings.folder, data.spec, data.test, keep_models=keep_models) as scratch,
        resumable(data, recipes, settings, console),
    ):
        built = build_ladder(data, recipes, scratch, settings.seed, reporter, limit)
        planned = plan_ladder(data, scratch, settings.seed, reporter)
        write_report(scratch / data.spec.name, data)
    return built, planned


def _open(
    name: str | None, settings: TrainSettings, console: Console
) -> tuple[TaskData, list[Recipe]]:
    if settings.data is not None:
        return _open_table(settings.data, settings, console)
    assert name is not None
    module = registry.find_task(name)
    say(console, f"Task {name}: making its data")
    data = module.load(settings.seed, quick=settings.quick)
    if settings.quick:
        data = replace(data, source=f"{data.source}; a quick ladder, made with --quick")
    found = module.recipes(data, quick=settings.quick)
    if settings.quick or settings.time_limit is not None:
        return data, found
    return data, with_lighter(found, keep=settings.keep_lighter)


def _open_table(
    path: Path, settings: TrainSettings, console: Console
) -> tuple[TaskData, list[Recipe]]:
    start, backbone = find_start(settings), find_backbone(settings)
    with ReadingReporter(console, path) as reporter:
        # Imported here: it takes seconds, and a task that ships needs neither pandas nor pyarrow.
        from ounce_exporters.tasks.table.task import load, task_name

        task = settings.task or task_name(path)
        registry.check_free(task)
        data = load(path, settings.target, task, settings.table, settings.seed, reporter.notice)
        settings.check_weights(data.spec)
        reporter.choosing()
        from ounce_exporters.tasks.table.recipes import recipes
        from ounce_exporters.tasks.table.workload import bound_work

        balanced = settings.class_weights == "balanced"
        made = recipes(data, balanced=balanced, start=start)
    made += backbone_recipes(data, backbone, settings, console)
    bounded = bound_work([replace(recipe, balanced=balanced) for recipe in made], data)
    return data, with_lighter(bounded, keep=True) if settings.keep_lighter else bounded


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


def _say_splits(data: TaskData) -> str:
    if data.folds is None:
        return f"{len(data.train)} items to train, {len(data.validation)} to validate"
    n_folds = int(data.folds.max()) + 1
    return (
        f"{len(data.train)} items to train; {len(data.validation)} of them validate, each with a "
        f"model that has not seen it ({n_folds} {'folds' if n_folds > 1 else 'fold'})"
    )


def _count(chosen: list[Recipe]) -> str:
    n_forms = sum(recipe.form_of is not None for recipe in chosen)
    models = counted(len(chosen) - n_forms, "model")
    return f"{models}, {counted(n_forms, 'other form')} to try" if n_forms else models
