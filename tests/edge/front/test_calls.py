"""Calls of HTTP against the pages of a front, whose Kafka is a stand-in."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.front.sending import KafkaAwayError
from ounce_edge.front.waiting import NOBODY
from ounce_schemas.request import HEADER_REPLY

from tests.support.edge.stand_in_front import INFER, Client, StandIn, serve, told

TOKEN = "t" * 16


def test_an_answer_comes_back() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        assert await told(client, data=b"12345") == (200, {"echo": 5})
        assert (stand.count(200), len(stand.waiting)) == (1, 0)

    serve(test)


def test_each_of_many_gets_its_own_answer_in_whatever_order_they_come() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        calls = [asyncio.create_task(told(client, data=b"x" * n)) for n in range(1, 101)]
        async with asyncio.timeout(60):
            while len(stand.sent) < len(calls):
                await asyncio.sleep(0)
        for record in random.Random(0).sample(stand.sent, len(calls)):
            stand.answer(record)
        assert [await call for call in calls] == [(200, {"echo": n}) for n in range(1, 101)]

    serve(test)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/v2/models/others/infer", 404, "there are digits"),
        ("POST", "/v2/models/digits/versions/1/infer", 404, "Ounce chooses"),
        ("GET", "/v2/models/digits/versions/1", 404, "Ounce chooses"),
        ("GET", "/v2/models/digits/versions/1/ready", 404, "Ounce chooses"),
        ("GET", "/v2/models/others", 404, "there are digits"),
        ("GET", "/v2/models/others/ready", 404, "there are digits"),
        ("GET", "/v2/models/digits", 404, "not known here"),
        ("GET", INFER, 405, "Method Not Allowed; send POST"),
        ("GET", "/", 404, "Not Found; POST /v2/models/TASK/infer asks"),
        ("GET", "/v2/models/..%2f..%2fetc", 404, "there are digits"),
    ],
)
def test_what_is_not_there_is_told_as_the_protocol_has_it(
    method: str, path: str, status: int, text: str, tmp_path: Path
) -> None:
    async def test(stand: StandIn, client: Client) -> None:
        found, body = await told(client, path, method=method)
        assert found == status
        assert text in body["error"]
        assert stand.sent == []

    serve(test, models=tmp_path)


def test_health_and_readiness_are_those_of_the_protocol() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/digits/ready"):
            assert (await told(client, path, method="GET"))[0] == 200, path
        stand.why = "topic x is absent"
        assert (await told(client, "/v2/health/live", method="GET"))[0] == 200
        for path in ("/v2/health/ready", "/v2/models/digits/ready"):
            assert await told(client, path, method="GET") == (503, {"error": stand.why}), path
        assert await told(client, data=b"1") == (503, {"error": stand.why})
        assert stand.sent == []

    serve(test)


def test_too_many_wait() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        first = asyncio.create_task(told(client, data=b"1"))
        await stand.asked.wait()
        status, said = await told(client, data=b"2")
        assert (status, "--max-waiting" in said["error"]) == (429, True)
        stand.answer(stand.sent[0])
        assert await first == (200, {"echo": 1})
        assert len(stand.sent) == 1

    serve(test, max_waiting=1)


def test_who_only_says_that_it_will_send_much_takes_no_room() -> None:
    async def trickle() -> Any:
        yield b"a"
        begun.set()
        await asyncio.Event().wait()

    async def test(stand: StandIn, client: Client) -> None:
        slow = [asyncio.create_task(told(client, data=trickle())) for _ in range(3)]
        length = {"Content-Length": "9000"}
        slow += [asyncio.create_task(told(client, data=trickle(), headers=length))]
        await begun.wait()
        assert await told(client, data=b"2" * 9000) == (200, {"echo": 9000})
        for each in slow:
            each.cancel()

    begun = asyncio.Event()
    serve(test, max_waiting_mb=0.01, max_waiting=1)


def test_bodies_are_held_up_to_a_bound() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        first = asyncio.create_task(told(client, data=b"1" * 9000))
        await stand.asked.wait()
        status, said = await told(client, data=b"2" * 9000)
        assert (status, "--max-waiting-mb" in said["error"]) == (429, True)
        stand.answer(stand.sent[0])
        assert (await first)[0] == 200
        stand.is_answering = True
        assert (await told(client, data=b"2" * 9000))[0] == 200

    serve(test, max_waiting_mb=0.01)


@pytest.mark.parametrize(("is_confirming", "status"), [(True, 504), (False, 503)])
def test_an_answer_that_does_not_come_is_not_waited_for(is_confirming: bool, status: int) -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering, stand.is_confirming = False, is_confirming
        headers = {"ce-maxlatencyms": "20"}
        found, said = await told(client, data=b"1", headers=headers)
        assert (found, "within 0.03 s" in said["error"]) == (status, True)
        stand.answer(stand.sent[0])
        assert stand.n_unclaimed == 1

    serve(test, grace_s=0.01)


def test_a_request_that_kafka_does_not_take_is_told_at_once() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        stand.error = KafkaAwayError(503, "Kafka is away")
        for headers in ({}, {"Prefer": "respond-async"}):
            async with client.post(INFER, data=b"1", headers=headers) as response:
                assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert len(stand.waiting) == 0

    serve(test)


def test_who_hangs_up_is_not_waited_for() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        call = asyncio.create_task(told(client, data=b"1"))
        await stand.asked.wait()
        call.cancel()
        while len(stand.waiting):
            await asyncio.sleep(0)
        while not stand.count(499):
            await asyncio.sleep(0)
        stand.answer(stand.sent[0])
        assert stand.n_unclaimed == 1

    serve(test)


def test_who_does_not_wait_hears_the_id_once_kafka_has_the_request() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        prefer = {"Prefer": "respond-async"}
        where = (202, {"id": "ounce.digits.requests-3-14"})
        assert await told(client, data=b"1,2", headers=prefer) == where
        assert await told(client, data=b'{"id": 7}', headers=prefer) == (202, {"id": "7"})
        named = {**prefer, "ce-id": "q"}
        assert await told(client, data=b'{"id": 7}', headers=named) == (202, {"id": "q"})
        assert {dict(record.headers)[HEADER_REPLY] for record in stand.sent} == {NOBODY}
        assert stand.waiting.mark.read(NOBODY) is None

    serve(test)


def test_who_brings_no_token_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(TOKEN)

    async def test(stand: StandIn, client: Client) -> None:
        for headers in ({}, {"Authorization": "Bearer other"}):
            assert (await told(client, data=b"1", headers=headers))[0] == 401
        assert stand.count(401) == 2
        assert (await told(client, "/v2/models/digits", method="GET"))[0] == 401
        assert (await told(client, "/v2/health/ready", method="GET"))[0] == 200
        own = {"Authorization": f"Bearer {TOKEN}"}
        assert (await told(client, data=b"1", headers=own))[0] == 200
        (record,) = stand.sent
        assert TOKEN not in json.dumps(str(record))

    serve(test, tokens=path)


def test_at_the_end_each_answer_is_the_last_of_its_connection_and_nobody_is_left_waiting() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        async with client.post(INFER, data=b"1") as response:
            assert "Connection" not in response.headers
        stand.is_stopping = True
        async with client.post(INFER, data=b"1") as response:
            assert (response.status, response.headers["Connection"]) == (200, "close")
        stand.is_answering = False
        stand.asked.clear()
        call = asyncio.create_task(told(client, data=b"1"))
        await stand.asked.wait()
        stand.waiting.give_up()
        status, said = await call
        assert (status, "this front ends" in said["error"]) == (503, True)

    serve(test)


def test_a_fault_of_ours_costs_one_call(caplog: pytest.LogCaptureFixture) -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_faulty = True
        assert (await told(client, data=b"1"))[0] == 500
        assert (stand.count(500), stand.count(499)) == (1, 0)
        stand.is_faulty = False
        assert (await told(client, data=b"1"))[0] == 200
        assert len(stand.waiting) == 0

    serve(test)
    assert f"POST {INFER} failed" in caplog.text
