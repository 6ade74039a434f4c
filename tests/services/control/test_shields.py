"""Headers of answers, and bodies that are large or never come."""

import asyncio

from ounce_services.control.api.shields import SmallBodies
from starlette.types import Message, Receive, Scope, Send

from tests.services.control.conftest import Caller


def test_answers_have_security_headers_and_large_bodies_are_refused(as_: Caller) -> None:
    client = as_("editor")
    for answer in (client.get("/v1/me"), client.get("/nowhere"), as_(None).get("/v1/me")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    large = b"x" * (10 << 20)
    assert client.post("/v1/policies", content=large).status_code == 413
    unsaid = client.post("/v1/policies", content=(large[:65_536] for _ in range(100)))
    assert unsaid.status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        if sent:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"9")]}
    asyncio.run(SmallBodies(app, body_s=0.01)(scope, receive, send))
    assert (sent[0]["status"], b"within 0.01 s" in sent[1]["body"]) == (408, True)
