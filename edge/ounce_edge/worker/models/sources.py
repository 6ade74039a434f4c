"""Where a worker's models come from: releases of a store, else a folder; also while it serves."""

import fcntl
import logging
import math
import threading
import time
from functools import partial
from pathlib import Path
from typing import TextIO

from ounce_schemas.errors import ArtifactError, OunceError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release_signature import need_model_signing
from ounce_schemas.topics import models_topic

from ounce_edge.broker.followed_models import FollowedModels
from ounce_edge.models.catalogue import Ladder
from ounce_edge.models.cpu_and_gpu import load_everywhere
from ounce_edge.models.energy import make_meters
from ounce_edge.models.first_trial import first_trial
from ounce_edge.models.release_cache import ReleaseCache
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.tried import Tried
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.models.beginning import Beginning, Source, Sources, begin_with
from ounce_edge.worker.models.engine_building import EngineBuilding
from ounce_edge.worker.models.following import ModelFollowing
from ounce_edge.worker.models.reload import Reload
from ounce_edge.worker.models.watching import ModelWatching
from ounce_edge.worker.serving.serving import Serving
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_JOIN_S = 10.0


class ModelSources:
    """Gives the models to begin with, and puts in service what comes later, on one thread.

    Args:
        settings: of the worker.
        metrics: count records of the topic that can't be used.

    Raises:
        OunceError: the settings name a store, and neither a key nor that none is needed; or the
            store can't be used.
    """

    def __init__(self, settings: WorkerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._from = {task: Sources("", Source(settings.models)) for task in settings.task}
        self._begun: dict[str, Beginning] = {}
        engines = _engines_of(settings)
        self._has_engines = engines is not None
        self._watching = ModelWatching(settings.models, settings.task, engines)
        self._following = self._topic = self._cache = self._cache_lock = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        if settings.models_store is None:
            return
        if not settings.models_key and not settings.models_unsigned:
            raise OunceError(
                "--models-store needs --models-key FILE, the public key that releases are signed "
                "with, or --models-unsigned, which trusts whoever may write to the store and to "
                f"the topic {models_topic()}"
            )
        if settings.models_key:
            need_model_signing()  # it is large: not while requests are served
        for key in settings.models_key:
            if not key.is_file():
                raise OunceError(f"--models-key {key}: no such file")
        store = ModelStore(settings.models_store)
        self._cache_lock = _sole_use(settings.models_cache)
        self._topic = FollowedModels(
            settings.kafka,
            settings.security,
            settings.fetch_wait_ms,
            metrics.count_passed_over(models_topic()),
        )
        self._cache = ReleaseCache(
            store,
            settings.models_cache,
            round(settings.models_cache_mb * 1e6),
            settings.models_key,
        )
        self._following = ModelFollowing(self._topic, self._cache, settings.task)

    def begin(self, runtime: Runtime) -> None:
        """Fetch, try and load the models that each task begins with.

        Args:
            runtime: loads them.

        Raises:
            ArtifactError: a release can't be had, or no model of a task can serve.
            BrokerError: the topic is absent or not compacted, or can't be read.
        """
        settings = self._settings
        if self._following is not None and self._topic is not None:
            self._from |= self._following.begin(self._topic.start(settings.kafka_timeout_s))
        tried = Tried(settings.state / "tried", runtime.name)
        self._trial = partial(first_trial, settings.threads, tried)
        with self._trial(needs_process=False) as trial:
            for task, sources in self._from.items():

                def load(folder: Path, serving: Ladder | None, task: str = task) -> Ladder:
                    return load_everywhere(
                        folder, task, runtime, serving=serving, first_trial=trial
                    )

                self._begun[task] = begin_with(sources, load)

    def first_ladder(self, task: str) -> Ladder:
        """The models that a task begins with; after `begin`, before `start`."""
        return self._begun[task].ladder

    def start(
        self,
        serving: Serving,
        runtime: Runtime,
        events: Events,
        page: ModelsPage,
        building: EngineBuilding | None,
    ) -> None:
        """Say what serves, and begin to look for what is new.

        Args:
            serving: what serves now.
            runtime: loads what comes.
            events: tells people.
            page: shows what serves.
            building: where there is a GPU that needs engines, builds those of all models.
        """
        watts = make_meters(runtime).watts
        reload = Reload(serving, runtime, events, watts, self._trial, page)
        if building is not None:
            reload.taken = building.add
        if self._cache is not None:
            reload.released = self._cache.serves
        for task, begun in self._begun.items():
            reload.begin(task, begun)
        all_tried = all(begun.ladder.is_tried for begun in self._begun.values())
        self._begun.clear()  # else models that others replace would keep their memory
        looks = self._settings.models_watch_s or self._following is not None or self._has_engines
        if looks or not all_tried:
            self._thread = threading.Thread(
                target=self._run, args=(reload,), name="models", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Stop; what is being loaded or fetched is left."""
        self._stopping.set()
        if self._topic is not None:
            self._topic.close()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        if self._cache_lock is not None:
            self._cache_lock.close()

    def _run(self, reload: Reload) -> None:
        every_s = self._settings.models_watch_s or math.inf
        watched_at_s = time.monotonic()
        while not self._stopping.is_set():
            self._wait(min(every_s, _LOOK_S))
            released = set[str]()
            if self._following is not None and not self._stopping.is_set():
                self._following.look(reload)
                released = self._following.released
            if not self._stopping.is_set():
                self._watching.look_again(reload)
            if time.monotonic() - watched_at_s >= every_s and not self._stopping.is_set():
                watched_at_s = time.monotonic()
                self._watching.look(reload, released)

    def _wait(self, seconds: float) -> None:
        if self._topic is not None:
            self._topic.wait_for_change(seconds)
        else:
            self._stopping.wait(seconds)


def _engines_of(settings: WorkerSettings) -> EngineCache | None:
    """The engines of the GPU, where there may be any.

    Raises:
        ArtifactError: the GPU was asked for, and the folder can't be used.
    """
    if not settings.runtime.has_engines:
        return None
    try:
        return EngineCache(settings.engines)
    except ArtifactError as e:
        if settings.runtime is not RuntimeChoice.AUTO:
            raise
        logger.warning("models run on the CPU alone: --engines %s", e)
        return None


def _sole_use(folder: Path) -> TextIO:
    """Hold a lock on a folder that ends with the process.

    Raises:
        OunceError: another process holds it, or there can't be such a folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as e:
        raise OunceError(f"--models-cache {folder}: {e.strerror or e}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        lock.close()
        raise OunceError(
            f"another worker uses {folder}: give each a --models-cache of its own"
        ) from e
    return lock
