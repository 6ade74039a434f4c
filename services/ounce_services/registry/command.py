"""`ounce models`: publish, list, show, retire, restore."""

from pathlib import Path
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import ArtifactError, BrokerError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import SHORT, InService, Release, signature_path
from ounce_schemas.task import TaskName
from ounce_schemas.wording import shell_word
from pydantic import BaseModel

from ounce_services.cluster.admin import BROKERS_CHOICE
from ounce_services.registry.contents import read_contents
from ounce_services.registry.display import detail_lines, release_lines
from ounce_services.registry.publishing import Registry
from ounce_services.registry.settings import PublishSettings, RegistrySettings
from ounce_services.registry.signing import make_key
from ounce_services.registry.store import find_release, whole_digest
from ounce_services.registry.topic import ModelsTopic
from ounce_services.registry.workers import WorkerModels, read_workers


class _Task(BaseModel):
    task: TaskName


@click.group("models")
def command() -> None:
    """Publish models to running workers, and take them back.

    A store keeps every release: all models of a task at one time. Nothing in it changes. The topic
    ounce.models says which release serves.

    Example: ounce models publish models/digits --store /srv/models --kafka localhost:9092
    """


@command.command(
    epilog="Example: ounce models publish models/digits/mlp --store s3://models/edge "
    "--key release.pem --note 'retrained' --kafka localhost:9092"
)
@click.argument("folder", type=click.Path(path_type=Path))
@settings_options(PublishSettings)
def publish(folder: Path, **values: Any) -> None:
    """Put FOLDER in service: a task's folder in place of what serves, or a model's folder beside
    the others."""
    settings = make_settings(PublishSettings, values)
    contents = read_contents(folder)
    _tell(*_registry(settings).publish(contents))


@command.command(
    epilog="Example: ounce models retire digits random-forest --store /srv/models "
    "--kafka localhost:9092"
)
@click.argument("task")
@click.argument("model", nargs=-1, required=True)
@settings_options(PublishSettings)
def retire(task: str, model: tuple[str, ...], **values: Any) -> None:
    """Take each MODEL of TASK out of service. The store keeps it."""
    settings = make_settings(PublishSettings, values)
    _tell(*_registry(settings).retire(_name(task), model))


@command.command(
    epilog="Example: ounce models restore digits 3f2a91 --store /srv/models --kafka localhost:9092"
)
@click.argument("task")
@click.argument("release")
@settings_options(PublishSettings)
def restore(task: str, release: str, **values: Any) -> None:
    """Put an earlier RELEASE of TASK in service again; the first digits of it are enough."""
    settings = make_settings(PublishSettings, values)
    registry = _registry(settings)
    _tell(*registry.restore(task, whole_digest(registry.store, _name(task), release)))


@command.command(
    "list", epilog="Example: ounce models list --store /srv/models --kafka localhost:9092"
)
@click.argument("task", required=False)
@settings_options(RegistrySettings)
def list_(task: str | None, **values: Any) -> None:
    """List the releases of TASK, or of all tasks, and which of them serve."""
    settings = make_settings(RegistrySettings, values)
    topic = _topic(settings)
    store, serving, workers = ModelStore(settings.store), topic.read(), _workers(topic)
    tasks = [_name(task)] if task else store.names("releases")
    n_shown = 0
    for name in tasks:
        digests = store.names(f"releases/{name}")
        releases = {digest: find_release(store, name, digest) for digest in digests}
        of_task = [worker for worker in workers if worker.task == name]
        for line in release_lines(releases, serving.get(name), of_task):
            click.echo(line)
            n_shown += 1
    if not n_shown:
        click.echo(f"{settings.store} holds no release{f' of task {task}' if task else ''}")


@command.command(
    epilog="Example: ounce models show digits --store /srv/models --kafka localhost:9092"
)
@click.argument("task")
@click.argument("release", required=False)
@settings_options(RegistrySettings)
def show(task: str, release: str | None, **values: Any) -> None:
    """Show a RELEASE of TASK, its files and digests; without RELEASE the one that serves."""
    settings = make_settings(RegistrySettings, values)
    topic = _topic(settings)
    store, serving = ModelStore(settings.store), topic.read().get(_name(task))
    workers = [worker for worker in _workers(topic) if worker.task == task]
    if release is not None:
        digest = whole_digest(store, task, release)
    elif serving is not None:
        digest = serving.release
    else:
        raise ArtifactError(f"no release of task {task} serves; `ounce models list` shows all")
    is_signed = store.has(signature_path(digest))
    release_ = find_release(store, task, digest)
    for line in detail_lines(digest, release_, serving, is_signed, workers):
        click.echo(line)


@command.command(epilog="Example: ounce models key release.pem")
@click.argument("path", type=click.Path(path_type=Path))
def key(path: Path) -> None:
    """Make a private key at PATH that signs releases, and PATH.pub, which workers check them by."""
    public = make_key(path)
    click.echo(
        f"private key: {path}\npublic key:  {public}  "
        f"(ounce worker --models-key {shell_word(public)})"
    )


def _registry(settings: PublishSettings) -> Registry:
    return Registry(
        ModelStore(settings.store),
        _topic(settings, settings.replication),
        settings.key,
        settings.author,
        settings.note,
    )


def _topic(settings: RegistrySettings, replication: int | None = None) -> ModelsTopic:
    return ModelsTopic(
        settings.kafka,
        settings.kafka_timeout_s,
        settings.security,
        replication=replication or BROKERS_CHOICE,
    )


def _workers(topic: ModelsTopic) -> list[WorkerModels]:
    """What workers told; nothing, and a line that says so, where their events can't be read."""
    try:
        return read_workers(topic.events())
    except BrokerError as e:
        click.echo(f"what workers serve is not known: {e}", err=True)
        return []


def _name(task: str) -> str:
    return make_settings(_Task, {"task": task}).task


def _tell(record: InService, release: Release) -> None:
    models = ", ".join(release.models)
    click.echo(
        f"release {record.release[:SHORT]} of task {record.task} serves as number "
        f"{record.number}: {models}"
    )
