"""What workers told of the models that they serve: refused, or worse than their cards."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ounce_schemas.errors import OunceError
from ounce_schemas.release import SHORT, InService
from ounce_schemas.topics import events_topic

from ounce_services.control.access.principal import Principal
from ounce_services.control.fleet import HIDDEN, Topic
from ounce_services.control.model_book import ModelBook
from ounce_services.registry.workers import WorkerModels, read_workers


@dataclass(frozen=True)
class ModelNews:
    """What one worker told of the models of a task."""

    worker: str
    task: str
    release: str | None
    """First digits of the release that it serves; None: it told of none."""
    told_ms: int
    """When it told anything of models last, since 1970."""
    refuses: bool
    """Whether it does not serve all that is to serve."""
    troubles: Sequence[str]
    """What somebody should look at."""


def read_model_news(topic: Topic, models: ModelBook, caller: Principal) -> list[ModelNews]:
    """Of each worker and task that told of models.

    Raises:
        BrokerError: Kafka does not give the events, or what serves.
    """
    workers = read_workers(record.value() for record in topic.read(events_topic()))
    serving = models.serving() if workers else {}
    of_worse = {w.task for w in workers if w.worse}
    versions = {task: _versions(serving.get(task), models) for task in of_worse}
    return [
        _news(worker, serving.get(worker.task), versions.get(worker.task), caller)
        for worker in workers
    ]


def _news(
    worker: WorkerModels,
    serving: InService | None,
    versions: Collection[str] | None,
    caller: Principal,
) -> ModelNews:
    whys = worker.whys(serving)
    worse = [t for v, t in worker.worse.items() if versions is None or v in versions]
    troubles = [*whys, *worse]
    if caller.tenant is not None:  # it may name what is of others
        troubles = [HIDDEN] if troubles else []
    return ModelNews(
        worker.worker, worker.task, worker.release, worker.told_ms, bool(whys), troubles
    )


def _versions(serving: InService | None, models: ModelBook) -> Collection[str] | None:
    """Versions of the models that serve; None: nobody knows."""
    if serving is None:
        return None
    try:
        release = models.release(serving.task, serving.release).release
    except OunceError:
        return None
    return {file.sha256[:SHORT] for file in release.models.values()}
