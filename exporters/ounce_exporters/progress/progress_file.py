"""Telling other programs how far a training is: a line of JSON each time that changes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ArtifactError, ExportError
from ounce_schemas.training_progress import ModelProgress, ModelState, TrainingProgress

from ounce_exporters.ladder.recipe import Progress, Recipe

_PLANNING_SHARE = 0.04
"""Of the whole work."""
_TRAINING_SHARE = 0.85
"""Of a model's work; the rest is to export, check and measure it."""
_LEAST_S = 0.1
"""Between two lines of one model's training."""


@dataclass
class _Model:
    recipe: Recipe
    state: ModelState = ModelState.WAITING
    share: float = 0.0
    card: ModelCard | None = None

    @property
    def work_done(self) -> float:
        if self.state in (ModelState.DONE, ModelState.FAILED):
            return self.recipe.effort
        return self.recipe.effort * _TRAINING_SHARE * self.share

    def progress(self) -> ModelProgress:
        card = self.card
        return ModelProgress(
            name=self.recipe.name,
            state=self.state,
            share=self.share,
            accuracy=None if card is None else card.validation_accuracy.value,
            ms_per_item=None if card is None else card.latency.batches[0].p50_ms,
        )


class ProgressFile:
    """Implements the reporters of `ladder` and `cascades.planning`; writes to a file.

    A context manager: at its end the ladder is in its place.

    Raises:
        ArtifactError: the file can't be written.
    """

    def __init__(self, path: Path, task: str, recipes: Sequence[Recipe], begun_s: float) -> None:
        self._task = task
        self._models = {recipe.name: _Model(recipe) for recipe in recipes}
        self._begun_s = begun_s
        self._last_s = begun_s
        self._planned = 0.0
        try:
            self._file: IO[bytes] = path.open("ab", buffering=0)
        except OSError as e:
            raise ArtifactError(f"{path}: can't be written: {e.strerror or e}") from e
        self._write()

    def training(self, recipe: Recipe) -> Progress:
        """A model starts to train; the result is told the share done."""
        self._update(recipe, ModelState.TRAINING)

        def progress(done: float) -> None:
            self._models[recipe.name].share = done
            if time.monotonic() - self._last_s >= _LEAST_S:
                self._write()

        return progress

    def exporting(self, recipe: Recipe) -> None:
        """It is trained; it is exported, checked and measured next."""
        self._models[recipe.name].share = 1.0
        self._update(recipe, ModelState.MEASURING)

    def finished(self, recipe: Recipe, card: ModelCard) -> None:
        """It is written."""
        self._models[recipe.name].card = card
        self._update(recipe, ModelState.DONE)

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        """It could not be made."""
        self._update(recipe, ModelState.FAILED)

    def skipped(self, recipe: Recipe) -> None:
        """There is no time for it: as far as progress goes, it is done with."""
        self._update(recipe, ModelState.FAILED)

    def dropped(self, recipe: Recipe, reason: str) -> None:
        """It is a lighter form that gains nothing: as far as progress goes, it is done with."""
        self._update(recipe, ModelState.FAILED)

    def planning(self) -> Progress:
        """Planning starts; the result is told the share done."""

        def progress(done: float) -> None:
            self._planned = done
            self._write()

        return progress

    def left_out(self, line: str) -> None:
        """A model that no plan uses; nothing of progress."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._write(1.0)  # the ladder is in its place
        self._file.close()

    def _update(self, recipe: Recipe, state: ModelState) -> None:
        self._models[recipe.name].state = state
        self._write()

    def _share(self) -> float:
        work = sum(model.recipe.effort for model in self._models.values())
        done = sum(model.work_done for model in self._models.values()) / work
        return (1 - _PLANNING_SHARE) * done + _PLANNING_SHARE * self._planned * 0.9

    def _write(self, share: float | None = None) -> None:
        self._last_s = time.monotonic()
        line = TrainingProgress(
            task=self._task,
            elapsed_s=self._last_s - self._begun_s,
            share=self._share() if share is None else share,
            models=tuple(model.progress() for model in self._models.values()),
        )
        self._file.write(msgspec.json.encode(line) + b"\n")
