"""How far a training is: one JSON line each time that changes, for programs that show it."""

from enum import StrEnum

import msgspec


class ModelState(StrEnum):
    """Where a model of a ladder is."""

    WAITING = "waiting"
    TRAINING = "training"
    MEASURING = "measuring"
    DONE = "done"
    FAILED = "failed"


class ModelProgress(msgspec.Struct, frozen=True):
    """One model."""

    name: str
    state: ModelState
    share: float
    """Of its training that is done, in [0, 1]."""
    accuracy: float | None = None
    """On the validation split, where it is done."""
    ms_per_item: float | None = None
    """Median in calls of one item, where it is done."""


class TrainingProgress(msgspec.Struct, frozen=True):
    """A ladder that is being built."""

    task: str
    elapsed_s: float
    share: float
    """Of the whole work that is done, in [0, 1]; 1 where the ladder is in its place."""
    models: tuple[ModelProgress, ...]
