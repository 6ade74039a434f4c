"""The web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from ounce_schemas import __version__
from sqlalchemy import text

from ounce_services.control.api import (
    administration,
    dead_letters,
    decisions,
    fleet,
    models,
    policies,
    problems,
    trials,
)
from ounce_services.control.api.shields import SameOrigin, SecurityHeaders, SmallBodies
from ounce_services.control.console import administration as administration_pages
from ounce_services.control.console import changes, views
from ounce_services.control.console import models as model_pages
from ounce_services.control.console import trials as trial_pages
from ounce_services.control.console.pages import static_files
from ounce_services.control.plane import Plane, kept_in_step

_ABOUT = """Policies, models, workers and dead letters of a running fleet.

A change names the version that it is based on in `If-Match`; a response says the version in `ETag`.
Where somebody else was faster, the answer is 412. Where Kafka is away, a change waits: 202.
"""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def make_app(plane: Plane) -> FastAPI:
    """The application over the parts; while it runs, they are kept in step with Kafka."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with kept_in_step(plane):
            yield

    app = FastAPI(
        title="Ounce control plane",
        version=__version__,
        description=_ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would lead to whatever host the call names
        responses=problems.RESPONSES,
    )
    app.state.plane = plane
    problems.install(app)
    calls = (policies, trials, models, fleet, decisions, dead_letters, administration)
    pages = (views, changes, trial_pages, model_pages, administration_pages)
    for part in (*calls, *pages):
        app.include_router(part.router)
    app.mount("/static", static_files())

    @app.get("/healthz", tags=["health"], summary="Say that the process answers")
    async def healthz() -> dict[str, str]:  # on no thread: all may wait for the database
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], summary="Say that the database answers")
    def readyz() -> dict[str, str]:
        with plane.database.begin() as session:
            session.execute(text("SELECT 1"))
        return {"status": "ready"}

    app.add_middleware(SmallBodies)
    app.add_middleware(SameOrigin, hosts=_LOOPBACK if plane.settings.open else frozenset())
    app.add_middleware(SecurityHeaders)
    return app
