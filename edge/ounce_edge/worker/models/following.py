"""Putting in service what the topic `ounce.models` says."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from ounce_schemas.errors import ArtifactError
from ounce_schemas.release import InService

from ounce_edge.broker.followed_models import FollowedModels
from ounce_edge.models.release_cache import ReleaseCache
from ounce_edge.worker.models.beginning import Source, Sources
from ounce_edge.worker.models.reload import Reload

logger = logging.getLogger(__name__)

FIRST_AGAIN_S, LAST_AGAIN_S = 1.0, 60.0
"""From a release that could not be taken to the next try, and at most."""


@dataclass
class _Wanted:
    """What is to serve of one task, and how that goes."""

    digest: str = ""
    """Of the release that serves, or that was tried last."""
    again_at_s: float = float("inf")
    wait_s: float = FIRST_AGAIN_S


class ModelFollowing:
    """Fetches, checks and puts in service the releases of a worker's tasks.

    Args:
        topic: says which release of each task serves; its `latest` is asked for.
        cache: fetches them.
        tasks: names of the worker's tasks.
        clock: seconds on a steady clock.
    """

    def __init__(
        self,
        topic: FollowedModels,
        cache: ReleaseCache,
        tasks: Collection[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic = topic
        self._cache = cache
        self._wanted = {task: _Wanted() for task in tasks}
        self._clock = clock

    def begin(self, served: Mapping[str, InService]) -> dict[str, Sources]:
        """Where models come from to begin with, by task; tasks of which no release serves are
        absent.

        Where a release can't be had, the one that served last serves, until it can.

        Args:
            served: what the topic says.

        Raises:
            ArtifactError: a release can't be had, and none served last.
        """
        found = {}
        for task, wanted in self._wanted.items():
            if task not in served:
                continue
            asked, last = served[task].release, partial(self._last, task)
            wanted.digest = asked
            try:
                first = Source(self._cache.fetch(task, asked), asked)
            except ArtifactError as e:
                served_last = last()
                if served_last is None:
                    raise
                logger.error("models of task %s are those that served last: %s", task, e)
                found[task] = Sources(asked, served_last, why=str(e))
                self._try_again(wanted)
            else:
                found[task] = Sources(asked, first, last)
        return found

    @property
    def released(self) -> set[str]:
        """Tasks of which a release is to serve."""
        return {task for task, wanted in self._wanted.items() if wanted.digest}

    def look(self, reload: Reload) -> None:
        """Take what is new, and what is to be tried again; what goes wrong with one task costs no
        other anything."""
        served = self._topic.latest()
        for task, wanted in self._wanted.items():
            try:
                if task in served:
                    self._look_at(task, wanted, served[task].release, reload)
            except ArtifactError as e:
                self._try_again(wanted)
                text = f"{e}; what served goes on, trying again in {wanted.wait_s:g} s"
                reload.refuse(task, wanted.digest, text)
            except Exception:  # without this the thread would end, and nobody would know
                self._try_again(wanted)
                logger.exception("models of task %s are not taken, trying again", task)

    def _look_at(self, task: str, wanted: _Wanted, digest: str, reload: Reload) -> None:
        if digest == wanted.digest and self._clock() < wanted.again_at_s:
            return
        if digest != wanted.digest:
            wanted.digest, wanted.wait_s = digest, FIRST_AGAIN_S
        wanted.again_at_s = float("inf")
        reload.take(task, self._cache.fetch(task, digest), digest)

    def _last(self, task: str) -> Source | None:
        folder = self._cache.last(task)
        return None if folder is None else Source(folder, folder.name)

    def _try_again(self, wanted: _Wanted) -> None:
        wanted.again_at_s = self._clock() + wanted.wait_s
        wanted.wait_s = min(2.0 * wanted.wait_s, LAST_AGAIN_S)
