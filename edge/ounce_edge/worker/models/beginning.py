"""The models that a worker begins with: those that are to serve, and where some of these can't,
those that served last."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ounce_schemas.errors import ArtifactError

from ounce_edge.models.catalogue import Ladder, NotTriedError

logger = logging.getLogger(__name__)

Load = Callable[[Path, Ladder | None], Ladder]
"""Loads a task's models from a folder of all tasks, beside those that serve.

Raises:
    ArtifactError: none of them can serve.
"""


@dataclass(frozen=True)
class Source:
    """Where a task's models come from."""

    folder: Path
    """Of all tasks."""
    release: str = ""
    """Digest of the release; empty: it is the worker's folder of models."""


@dataclass(frozen=True)
class Sources:
    """Where a task's first models come from."""

    asked: str
    """Digest of the release that is to serve; empty: none is."""
    first: Source
    last: Callable[[], Source | None] = lambda: None
    """Where the models are that served last; None: nobody knows."""
    why: str = ""
    """Why what is asked for is not the first; empty: it is."""


@dataclass(frozen=True)
class Beginning:
    """What a task begins with."""

    ladder: Ladder
    source: Source
    asked: str
    """Digest of the release that is to serve; empty: none is."""
    why: str = ""
    """Why it is not what is asked for; empty: it is."""
    untried: Source | None = None
    """What is to serve, where none of it could be tried."""


def begin_with(sources: Sources, load: Load) -> Beginning:
    """Load the models that are to serve. Where some of them are refused, those of their names that
    served last go on, as they would if the worker had not ended between; those of a task that is
    asked otherwise don't.

    Raises:
        ArtifactError: no model can serve.
    """
    first, asked = sources.first, sources.asked
    try:
        ladder = load(first.folder, None)
    except ArtifactError as e:
        before = _load_last(sources, load)
        if before is None:
            raise
        untried = first if isinstance(e, NotTriedError) else None
        return Beginning(*before, asked, str(e), untried)
    if ladder.refused:
        before = _load_last(sources, load)
        if before is not None and ladder.task.is_asked_like(before[0].task):
            ladder = load(first.folder, before[0])
    return Beginning(ladder, first, asked, sources.why)


def _load_last(sources: Sources, load: Load) -> tuple[Ladder, Source] | None:
    last = sources.last()
    if last is None or last == sources.first:
        return None
    try:
        return load(last.folder, None), last
    except ArtifactError as e:
        logger.error("the models that served last are of no use: %s", e)
        return None
