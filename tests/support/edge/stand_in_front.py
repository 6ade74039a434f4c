"""The pages of an HTTP front, whose Kafka and workers do as a test says."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientTimeout
from aiohttp.test_utils import TestClient, TestServer
from ounce_edge.front.calls import Calls
from ounce_edge.front.instruments import FrontInstruments
from ounce_edge.front.pages import Pages
from ounce_edge.front.sending import Place
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.tokens import Tokens
from ounce_edge.front.waiting import Came, Waiting
from ounce_edge.front.workers import Workers
from ounce_edge.gateway.arrivals import KafkaRecord
from ounce_schemas.request import HEADER_ANSWER, HEADER_REPLY
from prometheus_client import CollectorRegistry

Client = TestClient[Any, Any]
INFER = "/v2/models/digits/infer"
ECHO = b'{"echo":%d}'
V2 = b"""{"model_name": "mlp", "id": "7", "parameters": {"deadline_met": true}, "outputs": [
 {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["4", "9"]},
 {"name": "confidence", "shape": [2], "datatype": "FP32", "data": [0.9, 0.8]}]}"""
"""The answer of a worker to a call that asks for a form."""


class StandIn:
    """A front whose workers do as a test says.

    Args:
        tokens: file of those who may call.
        settings: beside the task.
    """

    def __init__(self, tokens: Path | None = None, **settings: Any) -> None:
        self.settings = HttpSettings(task=("digits",), kafka="nowhere:1", **settings)
        self.tokens = Tokens(tokens)
        self.n_unclaimed = 0
        self.at_s = 0.0
        self.workers = Workers(
            self.settings.task, "ounce", self.settings.grace_s, lambda: self.at_s
        )
        self.workers.note_group(None)
        self.waiting = Waiting(self.settings.max_waiting, self.leave)
        self.sent: list[KafkaRecord] = []
        self.registry = CollectorRegistry()
        self.why: str | None = None
        self.is_confirming = self.is_answering = True
        self.is_faulty = self.is_stopping = False
        self.error: NotAnsweredError | None = None
        self.asked = asyncio.Event()

    def ready(self) -> tuple[bool, str]:
        return self.why is None, self.why or "ready"

    def trouble_of(self, task: str) -> str | None:
        return self.why or self.workers.trouble(task)

    def trouble(self, task: str) -> str | None:
        return self.why

    def send(self, record: KafkaRecord) -> "asyncio.Future[Place]":
        if self.is_faulty:
            raise ZeroDivisionError
        self.sent.append(record)
        self.asked.set()
        told: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        if self.error is not None:
            told.set_exception(self.error)
        elif self.is_confirming:
            told.set_result(Place(record.topic, 3, 14))
        if self.is_answering:
            self.answer(record)
        return told

    def answer(self, record: KafkaRecord) -> None:
        number = self.waiting.mark.read(dict(record.headers).get(HEADER_REPLY) or b"")
        if number is not None:
            body = V2 if HEADER_ANSWER in dict(record.headers) else ECHO % len(record.value or b"")
            self.waiting.finish([Came(number, body, [])])

    def leave(self) -> None:
        self.n_unclaimed += 1

    def count(self, status: int) -> float:
        labels = {"task": "digits", "status": str(status)}
        return self.registry.get_sample_value("ounce_http_requests_total", labels) or 0.0


def serve(
    test: Callable[[StandIn, Client], Awaitable[None]],
    tokens: Path | None = None,
    body_s: float = 30.0,
    tls: ssl.SSLContext | None = None,
    **settings: Any,
) -> None:
    async def run() -> None:
        stand = StandIn(tokens, **settings)
        calls = Calls(stand.settings, stand, stand, stand.workers, stand.waiting, body_s)
        metrics = FrontInstruments(stand.registry)
        app = Pages(stand.settings, calls, stand, stand.tokens, metrics).make_app()
        server = TestServer(app)
        await server.start_server(ssl=tls, auto_decompress=False)  # as `Door` has it
        async with TestClient(server, timeout=ClientTimeout(60)) as client:
            await test(stand, client)

    asyncio.run(run())


async def told(client: Client, path: str = INFER, **how: Any) -> tuple[int, Any]:
    async with client.request(how.pop("method", "POST"), path, **how) as response:
        return response.status, await response.json()
