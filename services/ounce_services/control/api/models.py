"""Models over HTTP: which serve, what the store holds, and changing what serves."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.release import InService
from ounce_schemas.task import TaskName
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import Base, Editor, Parts, Viewer, set_etag, set_status
from ounce_services.control.errors import NotFoundError
from ounce_services.control.model_book import Put, Shown
from ounce_services.control.model_news import read_model_news
from ounce_services.control.store.outbox import State
from ounce_services.control.tenancy import visible_note

router = APIRouter(prefix="/v1/models", tags=["models"])
Task = Annotated[str, Path(pattern=TASK_NAME_PATTERN)]
DigestStart = Annotated[str, Field(pattern=r"^[0-9a-f]{4,64}$")]
_ALL_TENANTS = "what serves"


class Serving(BaseModel):
    """Which release of a task serves."""

    task: TaskName
    release: str
    number: int
    author: str
    at_ms: int


class FileLine(BaseModel):
    """A file of a release."""

    place: str
    sha256: str
    size_bytes: int


class ReleaseLine(BaseModel):
    """A release."""

    task: TaskName
    release: str
    created: AwareDatetime
    author: str
    note: str
    models: list[str]
    size_bytes: int
    is_signed: bool
    serves: bool


class ReleaseDetail(ReleaseLine):
    """A release and its files."""

    parent: str | None
    files: list[FileLine]


class WorkerModelsLine(BaseModel):
    """What a worker told of the models of a task."""

    worker: str
    release: str | None
    """First digits of the release that it serves; null: it told of none."""
    told_ms: int
    refuses: bool
    """Whether it does not serve all that is to serve."""
    troubles: list[str]
    """What somebody should look at: why models are refused, or worse than their cards."""


class Chosen(BaseModel):
    """The release that is to serve."""

    model_config = ConfigDict(extra="forbid")

    release: DigestStart = Field(description="Its digest, or the first digits of it")


class Retired(BaseModel):
    """Models that are to leave."""

    model_config = ConfigDict(extra="forbid")

    models: list[TaskName] = Field(min_length=1, max_length=200)


class Changed(Serving):
    """What serves from now on."""

    models: list[str]
    state: State


@router.get("", summary="List what serves")
def list_serving(plane: Parts, caller: Viewer) -> list[Serving]:
    """Which release of each task serves."""
    return [_serving(served) for _, served in sorted(plane.models.serving().items())]


@router.get("/{task}", summary="Show what serves of a task")
def show_serving(plane: Parts, caller: Viewer, task: Task, response: Response) -> Serving:
    """Which release of a task serves."""
    served = plane.models.serving().get(task)
    if served is None:
        raise NotFoundError(f"no release of task {task} serves")
    set_etag(response, served.number)
    return _serving(served)


@router.get("/{task}/releases", summary="List releases of a task")
def list_releases(plane: Parts, caller: Viewer, task: Task) -> list[ReleaseLine]:
    """What the store holds of a task, the newest first."""
    found = plane.models.releases(task)[task]
    return [ReleaseLine(**_line(shown, caller)) for shown in found]


@router.get("/{task}/releases/{release}", summary="Show a release")
def show_release(
    plane: Parts,
    caller: Viewer,
    task: Task,
    release: Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$")],
) -> ReleaseDetail:
    """One release and its files."""
    shown = plane.models.release(task, release)
    files = [FileLine(**file.model_dump()) for file in shown.release.files]
    return ReleaseDetail(**_line(shown, caller), parent=shown.release.parent, files=files)


@router.get("/{task}/workers", summary="List what workers serve of a task")
def list_workers(plane: Parts, caller: Viewer, task: Task) -> list[WorkerModelsLine]:
    """Which release each worker serves, and why not the one that is to serve."""
    return [
        WorkerModelsLine(
            worker=told.worker,
            release=told.release,
            told_ms=told.told_ms,
            refuses=told.refuses,
            troubles=list(told.troubles),
        )
        for told in read_model_news(plane.policy_topic, plane.models, caller)
        if told.task == task
    ]


@router.put("/{task}/serving", status_code=201, summary="Put a release in service")
def put_in_service(
    plane: Parts, caller: Editor, task: Task, base: Base, body: Chosen, response: Response
) -> Changed:
    """Let a release that the store holds serve, such as one that a pipeline put there."""
    caller.need_all_tenants(_ALL_TENANTS)
    with plane.audit.watch(caller, "models.serve", f"{task} {body.release}") as note:
        put = plane.models.restore(task, body.release, base, caller.name)
        note(f"number {put.served.number} {put.state}")
    return _changed(put, response)


@router.post("/{task}/retire", status_code=201, summary="Take models out of service")
def retire(
    plane: Parts, caller: Editor, task: Task, base: Base, body: Retired, response: Response
) -> Changed:
    """Take models of a task out of service. The store keeps them."""
    caller.need_all_tenants(_ALL_TENANTS)
    with plane.audit.watch(caller, "models.retire", f"{task} {' '.join(body.models)}") as note:
        put = plane.models.retire(task, body.models, base, caller.name)
        note(f"number {put.served.number} {put.state}")
    return _changed(put, response)


def _serving(served: InService) -> Serving:
    return Serving(**served.model_dump(exclude={"schema_version"}))


def _changed(put: Put, response: Response) -> Changed:
    set_status(response, put.state)
    set_etag(response, put.served.number)
    values = put.served.model_dump(exclude={"schema_version"})
    return Changed(**values, models=list(put.release.models), state=put.state)


def _line(shown: Shown, caller: Principal) -> dict[str, object]:
    release = shown.release
    return {
        "task": release.task,
        "release": shown.digest,
        "created": release.created,
        "author": release.author,
        "note": visible_note(release.note, caller),
        "models": list(release.models),
        "size_bytes": release.size_bytes,
        "is_signed": shown.is_signed,
        "serves": shown.serves,
    }
