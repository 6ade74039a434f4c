"""Which models `ounce train` makes."""

import click
from rich.console import Console

from ounce_exporters.ladder.recipe import Recipe
from ounce_exporters.ladder.time_limit import within
from ounce_exporters.progress.console import say
from ounce_exporters.train_command.settings import TrainSettings
from ounce_exporters.training.distillation import STUDENTS, with_distilled

_LADDER_SHARE = 0.85
"""Of a time limit, for the models; the rest is to read the table and to plan."""


def fitting(recipes: list[Recipe], settings: TrainSettings, console: Console) -> list[Recipe]:
    """The models whose work fits in the time limit, of a table."""
    if settings.time_limit is None or settings.data is None:  # else efforts are no seconds
        return recipes
    kept, left_out = within(recipes, _LADDER_SHARE * settings.time_limit)
    for recipe in left_out:
        say(
            console,
            f"Note: {recipe.name} is left out: about {recipe.effort:.0f} s of work don't fit in "
            f"--time-limit {settings.time_limit:g}",
        )
    return kept


def choose(recipes: list[Recipe], settings: TrainSettings) -> list[Recipe]:
    """The models that are named, or those that are made by default.

    Raises:
        UsageError: there is no model of a name.
    """
    only, names = settings.only, [recipe.name for recipe in recipes]
    for name in only:
        if name not in names:
            raise click.UsageError(f"--only {name}: no such model; one of {', '.join(names)}")
    if only:
        with_forms = only if settings.keep_lighter else ()
        return [r for r in recipes if r.name in only or r.form_of in with_forms]
    if not settings.distil:
        return [recipe for recipe in recipes if recipe.by_default]
    return with_distilled([r for r in recipes if r.by_default or r.name in STUDENTS])
