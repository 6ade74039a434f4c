"""Telling several reporters the same."""

from typing import Protocol

from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ExportError

from ounce_exporters.cascades import planning
from ounce_exporters.ladder import building
from ounce_exporters.ladder.recipe import Progress, Recipe


class Reporter(building.Reporter, planning.Reporter, Protocol):
    """Told what happens from the first model to the plans."""


class Reporters:
    """Hands on everything to each of several reporters."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def training(self, recipe: Recipe) -> Progress:
        """A model starts to train; the result is told the share done."""
        return _all(*(reporter.training(recipe) for reporter in self._reporters))

    def exporting(self, recipe: Recipe) -> None:
        """It is trained; it is exported, checked and measured next."""
        for reporter in self._reporters:
            reporter.exporting(recipe)

    def finished(self, recipe: Recipe, card: ModelCard) -> None:
        """It is written."""
        for reporter in self._reporters:
            reporter.finished(recipe, card)

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        """It could not be made; the others go on."""
        for reporter in self._reporters:
            reporter.failed(recipe, error)

    def skipped(self, recipe: Recipe) -> None:
        """There is no time for it."""
        for reporter in self._reporters:
            reporter.skipped(recipe)

    def dropped(self, recipe: Recipe, reason: str) -> None:
        """It is another form of a model, and gains nothing."""
        for reporter in self._reporters:
            reporter.dropped(recipe, reason)

    def planning(self) -> Progress:
        """Planning starts; the result is told the share done."""
        return _all(*(reporter.planning() for reporter in self._reporters))

    def left_out(self, line: str) -> None:
        """A model that no plan uses, and why."""
        for reporter in self._reporters:
            reporter.left_out(line)


def _all(*progresses: Progress) -> Progress:
    def progress(done: float) -> None:
        for tell in progresses:
            tell(done)

    return progress
