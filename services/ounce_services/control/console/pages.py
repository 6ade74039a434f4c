"""Making pages: templates, and what every page is told."""

from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import UnauthorizedError

_HERE = Path(__file__).parent
NAVIGATION = (
    ("/", "Fleet"),
    ("/ladders", "Ladders"),
    ("/policy", "Policy"),
    ("/decision", "Decision"),
    ("/dead-letters", "Dead letters"),
)


def _environment() -> Environment:
    loader = PackageLoader("ounce_services.control.console", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["share"] = lambda value: f"{value:.1%}"
    environment.filters["ms"] = lambda value: f"{value:,.3g} ms"
    return environment


_templates = Jinja2Templates(env=_environment())


def static_files() -> StaticFiles:
    """Style and scripts."""
    return StaticFiles(directory=_HERE / "static")


def is_fragment(request: Request) -> bool:
    """Whether a part of a page is asked for."""
    return request.headers.get("hx-request") == "true"


def page(
    request: Request,
    name: str,
    caller: Principal | None,
    status: int = 200,
    **values: Any,
) -> Response:
    """A page made of a template."""
    known = {
        "navigation": NAVIGATION,
        "here": request.url.path,
        "caller": caller,
        "is_open": caller is not None and caller.key_id is None,
        "may_edit": caller is not None and caller.role.covers(Role.EDITOR),
    }
    return _templates.TemplateResponse(request, f"{name}.html", {**known, **values}, status)


def error_page(request: Request, error: Exception, status: int, title: str) -> Response:
    """What went wrong, as a page or as a part of one; who is not known is sent to log in."""
    if isinstance(error, UnauthorizedError) and request.url.path != "/login":
        if is_fragment(request):
            return Response(status_code=401, headers={"HX-Redirect": "/login"})
        return RedirectResponse("/login", 303)
    findings = getattr(error, "findings", ())
    values: dict[str, Any] = {"title": title, "text": str(error), "findings": findings}
    if is_fragment(request):  # htmx shows what has status 200
        return page(request, "problem", None, **values)
    return page(request, "error", None, status, **values)
