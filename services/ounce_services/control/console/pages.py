"""Making pages: templates, and what every page is told."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined
from ounce_schemas import __version__
from ounce_schemas.wording import utc_text

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import UnauthorizedError
from ounce_services.policies.listing import note_of

_HERE = Path(__file__).parent
NAVIGATION = (
    ("/", "Fleet", Role.VIEWER, False),
    ("/ladders", "Ladders", Role.VIEWER, False),
    ("/models", "Models", Role.VIEWER, False),
    ("/policy", "Policy", Role.VIEWER, False),
    ("/trial", "Trial", Role.VIEWER, True),
    ("/decision", "Decision", Role.VIEWER, True),
    ("/dead-letters", "Dead letters", Role.VIEWER, False),
    ("/keys", "Keys", Role.ADMIN, False),
    ("/audit", "Audit log", Role.ADMIN, False),
)
"""Path, name, the role that a page needs, and whether it is of all tenants."""


def _environment() -> Environment:
    loader = PackageLoader("ounce_services.control.console", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["share"] = lambda value: f"{value:.1%}"
    environment.filters["time"] = utc_text
    environment.filters["ms"] = _duration
    environment.filters["rate"] = lambda per_s: f"{per_s:,.0f}" if per_s >= 10 else f"{per_s:.2g}"
    environment.filters["note"] = note_of
    environment.globals["release"] = __version__
    return environment


def _duration(ms: float) -> str:
    """In seconds where it is one at least."""
    if ms < 999.5:
        return f"{ms:.3g} ms"
    return f"{ms / 1e3:.3g} s" if ms < 999_500 else f"{ms / 1e3:,.0f} s"


_templates = Jinja2Templates(env=_environment())


def static_files() -> StaticFiles:
    """Style and scripts."""
    return StaticFiles(directory=_HERE / "static")


def page_of(target: str) -> str:
    """An address that names one of the pages, and nothing elsewhere; else the first page."""
    path = target.partition("?")[0]
    return target if path in {each[0] for each in NAVIGATION} else "/"


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
    role = None if caller is None else caller.role
    known = {
        "navigation": [
            (path, text)
            for path, text, needed, is_of_all in NAVIGATION
            if caller is not None
            and caller.role.covers(needed)
            and not (is_of_all and caller.tenant is not None)
        ],
        "here": request.url.path,
        "caller": caller,
        "is_open": caller is not None and caller.key_id is None,
        "may_edit": role is not None and role.covers(Role.EDITOR),
    }
    return _templates.TemplateResponse(request, f"{name}.html", {**known, **values}, status)


def error_page(request: Request, error: Exception, status: int, title: str) -> Response:
    """What went wrong, as a page or as a part of one; who is not known is sent to log in."""
    if isinstance(error, UnauthorizedError) and request.url.path != "/login":
        if is_fragment(request):
            return Response(status_code=401, headers={"HX-Redirect": "/login"})
        asked = f"{request.url.path}?{request.url.query}".removesuffix("?")
        wanted = request.method == "GET" and page_of(asked) != "/"
        return RedirectResponse(f"/login?to={quote(asked)}" if wanted else "/login", 303)
    findings = getattr(error, "findings", ())
    values: dict[str, Any] = {"title": title, "text": str(error), "findings": findings}
    if is_fragment(request):  # htmx shows what has status 200
        return page(request, "problem", None, **values)
    return page(request, "error", None, status, **values)
