"""The paths that the front answers, and what it answers where something is wrong."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from ounce_schemas import __version__
from ounce_schemas.documents import TASK_FILE, read_task
from ounce_schemas.errors import ArtifactError

from ounce_edge.front.asking import wants_no_answer
from ounce_edge.front.calls import Calls
from ounce_edge.front.instruments import FrontInstruments
from ounce_edge.front.metadata import describe
from ounce_edge.front.protocol_v1 import ASKED_EXPLANATION, ASKED_FORM, as_v1
from ounce_edge.front.responses import HEADER_SERVER, SERVER_NAME, json_response, refusal
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.tokens import Tokens

logger = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_GONE = 499
"""As nginx calls it: the caller went away."""
_NO_VERSIONS = "Ounce chooses the model of each request: leave /versions/... out of the path"


class Readiness(Protocol):
    """As `Front`."""

    @property
    def is_stopping(self) -> bool:
        """Whether each answer is the last one of its connection."""

    def ready(self) -> tuple[bool, str]:
        """Whether requests go and answers come, and a line that says why not."""

    def trouble_of(self, task: str) -> str | None:
        """Why requests of a task are not served now; None where they are."""


class Pages:
    """Answers calls.

    Args:
        settings: tasks, and where they are described.
        calls: ask.
        readiness: of the process.
        tokens: who may call.
        metrics: counts.
    """

    def __init__(
        self,
        settings: HttpSettings,
        calls: Calls,
        readiness: Readiness,
        tokens: Tokens,
        metrics: FrontInstruments,
    ) -> None:
        self._settings, self._calls, self._readiness = settings, calls, readiness
        self._tokens, self._metrics = tokens, metrics

    def make_app(self) -> web.Application:
        """The application, for aiohttp's server."""
        app = web.Application(middlewares=[self._guard])
        model = "/v2/models/{task}"
        pages: list[tuple[str, str, _Handler]] = [
            ("POST", f"{model}/infer", self._infer),
            ("POST", "/v1/models/{task:[^/:]+}:predict", self._predict),
            ("POST", "/v1/models/{task:[^/:]+}:explain", self._explain),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{task:[^/:]+}", self._model_ready),
            ("GET", "/v2", self._server),
            ("GET", "/v2/health/live", self._live),
            ("GET", "/v2/health/ready", self._ready),
            ("GET", model, self._model),
            ("GET", f"{model}/ready", self._model_ready),
            ("*", model + "/versions/{rest:.*}", self._version),
        ]
        for method, path, handler in pages:
            for one in ("GET", "HEAD") if method == "GET" else (method,):
                app.router.add_route(one, path, handler, expect_handler=_say_nothing)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Whatever is wrong is told as the protocol has it; of calls to infer it is counted."""
        since_s, status = time.monotonic(), _GONE
        try:
            response = await self._told(request, handler)
            status = response.status
        finally:
            if request.match_info.handler in (self._infer, self._predict, self._explain):
                self._count(request.match_info["task"], status, time.monotonic() - since_s)
        response.headers[HEADER_SERVER] = SERVER_NAME
        if self._readiness.is_stopping:
            response.force_close()  # the caller connects to another front, and loses nothing
        return response

    def _count(self, task: str, status: int, took_s: float) -> None:
        known = task if task in self._settings.task else ""
        self._metrics.requests.labels(known, str(status)).inc()
        if status == 200:
            self._metrics.answering.labels(known).observe(took_s)

    async def _told(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            is_probe = request.path.startswith("/v2/health/")
            if not is_probe and not self._tokens.permit(request.headers.get("authorization", "")):
                raise NotAnsweredError(401, "bring a token: `Authorization: Bearer TOKEN`")
            expected = request.headers.get("expect", "100-continue")
            if expected.lower() != "100-continue":
                raise NotAnsweredError(417, f"Expect {expected[:40]!r} can't be met: leave it out")
            return await handler(request)
        except NotAnsweredError as e:
            return refusal(e)
        except web.HTTPException as e:
            allow = e.headers.get("Allow", "")
            what_to_do = f"send {allow}" if allow else "POST /v2/models/TASK/infer asks a task"
            text = f"{request.method} {request.path[:80]}: {e.reason}; {what_to_do}"
            response = refusal(NotAnsweredError(e.status, text))
            if allow:
                response.headers["Allow"] = allow
            return response
        except web.RequestPayloadError as e:
            return refusal(NotAnsweredError(400, f"the body can't be read: {e}"))
        except Exception:  # a fault of ours; no other call suffers
            logger.exception("%s %s failed", request.method, request.path[:80])
            return refusal(NotAnsweredError(500, "the front failed; its log says why"))

    async def _infer(self, call: web.Request) -> web.StreamResponse:
        task = call.match_info["task"]
        self._check(task)
        if wants_no_answer(call.headers):
            id_ = await self._calls.leave(task, call)
            response = json_response({"id": id_}, 202)
            response.headers["Preference-Applied"] = "respond-async"
            return response
        reply = await self._calls.ask(task, call)
        return web.Response(body=reply.body, headers=reply.headers)

    async def _predict(self, call: web.Request) -> web.StreamResponse:
        return await self._by_v1(call, [ASKED_FORM])

    async def _explain(self, call: web.Request) -> web.StreamResponse:
        return await self._by_v1(call, [ASKED_FORM, ASKED_EXPLANATION])

    async def _by_v1(self, call: web.Request, more: list[tuple[str, str]]) -> web.Response:
        task = call.match_info["task"]
        self._check(task)
        reply = as_v1(await self._calls.ask(task, call, more))
        return web.Response(body=reply.body, headers=reply.headers)

    async def _models(self, call: web.Request) -> web.Response:
        return json_response({"models": list(self._settings.task)})

    async def _server(self, call: web.Request) -> web.Response:
        return json_response({"name": "ounce", "version": __version__, "extensions": []})

    async def _live(self, call: web.Request) -> web.Response:
        return json_response({"live": True})

    async def _ready(self, call: web.Request) -> web.Response:
        is_ready, why = self._readiness.ready()
        if not is_ready:
            raise NotAnsweredError(503, why)
        for task in self._settings.task:
            self._check_ready(task)
        return json_response({"live": True, "ready": True})

    async def _model_ready(self, call: web.Request) -> web.Response:
        task = call.match_info["task"]
        self._check(task)
        self._check_ready(task)
        return json_response({"name": task, "ready": True})

    async def _model(self, call: web.Request) -> web.Response:
        task = call.match_info["task"]
        self._check(task)
        try:
            return json_response(describe(read_task(self._settings.models / task / TASK_FILE)))
        except ArtifactError as e:
            text = f"inputs and outputs of task {task} are not known here (--models): {e}"
            raise NotAnsweredError(404, text) from e

    async def _version(self, call: web.Request) -> web.Response:
        self._check(call.match_info["task"])
        raise NotAnsweredError(404, _NO_VERSIONS)

    def _check_ready(self, task: str) -> None:
        if why := self._readiness.trouble_of(task):
            raise NotAnsweredError(503, why)

    def _check(self, task: str) -> None:
        tasks = self._settings.task
        if task not in tasks:
            text = f"no task {task[:80]!r} is served here; there are {', '.join(tasks)}"
            raise NotAnsweredError(404, text)


async def _say_nothing(call: web.Request) -> None:
    """To `Expect`: whether a body is wanted is known where it is read."""
