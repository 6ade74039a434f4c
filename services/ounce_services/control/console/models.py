"""The console's page of models: what serves, what the store holds, and retiring."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from ounce_schemas.errors import ArtifactError, BrokerError
from ounce_schemas.release import InService

from ounce_services.control.api.calls import Editor, Parts, Viewer
from ounce_services.control.api.models import Chosen, Retired, put_in_service
from ounce_services.control.api.models import retire as retire_models
from ounce_services.control.console.changes import BaseField, TaskField
from ounce_services.control.console.pages import page
from ounce_services.control.errors import NotFoundError, RefusedError
from ounce_services.control.model_book import Shown
from ounce_services.control.model_news import read_model_news
from ounce_services.control.plane import Plane
from ounce_services.control.store.outbox import Kind

router = APIRouter(include_in_schema=False, prefix="/models")


@router.get("")
def show(request: Request, plane: Parts, caller: Viewer) -> Response:
    """What serves of each task, and its releases."""
    serving, releases, trouble = _read(plane)
    try:
        news = read_model_news(plane.policy_topic, plane.models, caller)
    except BrokerError as e:
        news, trouble = [], trouble or str(e)
    waiting = [r for r in plane.outbox.waiting() if r.kind is Kind.MODELS]
    return page(
        request, "models", caller, serving=serving, releases=releases, trouble=trouble,
        tasks=sorted({*serving, *releases, *(told.task for told in news)}), waiting=waiting,
        news=news,
        may_change=caller.tenant is None,
    )  # fmt: skip


@router.post("/serve")
def serve(
    plane: Parts, caller: Editor, task: TaskField, base: BaseField,
    release: Annotated[str, Form(pattern=r"^[0-9a-f]{64}$")],
) -> Response:  # fmt: skip
    """Let a release of the store serve."""
    put_in_service(plane, caller, task, base, Chosen(release=release), Response())
    return RedirectResponse("/models", 303)


@router.post("/retire")
def retire(
    plane: Parts, caller: Editor, task: TaskField, base: BaseField,
    model: Annotated[list[TaskField] | None, Form(max_length=200)] = None,
) -> Response:  # fmt: skip
    """Take the models that are ticked out of service."""
    if not model:
        raise RefusedError("tick the models that are to retire")
    retire_models(plane, caller, task, base, Retired(models=model), Response())
    return RedirectResponse("/models", 303)


def _read(plane: Plane) -> tuple[dict[str, InService], dict[str, list[Shown]], str]:
    """What serves, and releases by task; and why there is no more."""
    serving: dict[str, InService] = {}
    try:
        serving = plane.models.serving()
        return serving, plane.models.releases(), ""
    except (ArtifactError, BrokerError, NotFoundError) as e:
        return serving, {}, str(e)
