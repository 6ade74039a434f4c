"""Bodies of calls: too large, packed, cut off, slow, or asked for first."""

import asyncio
import gzip
from typing import Any

import pytest

from tests.support.edge.stand_in_front import INFER, Client, StandIn, serve, told


def test_a_body_that_is_too_large_is_not_read() -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"a" * 1000

    async def test(stand: StandIn, client: Client) -> None:
        for body in (b"a" * 10_001, chunks(), b"a" * 9_900):
            status, said = await told(client, data=body)
            assert (status, "--max-message-bytes 10000" in said["error"]) == (413, True)
        assert said["error"].startswith("a body of 9900 bytes with its headers is over")
        assert (stand.sent, stand.count(413)) == ([], 3)
        assert (await told(client, data=b"a" * 5000))[0] == 200

    serve(test, max_message_bytes=10_000)


def test_a_body_that_swells_is_too_large() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        packed = {"Content-Encoding": "gzip"}
        bomb, small = (gzip.compress(bytes(n)) for n in (10_000_000, 500))
        assert (await told(client, data=bomb, headers=packed))[0] == 413
        assert stand.sent == []
        assert await told(client, data=small, headers=packed) == (200, {"echo": 500})
        assert (await told(client, data=b"no gzip", headers=packed))[0] == 400
        assert (stand.count(400), stand.count(499)) == (1, 0)

    serve(test)


def test_a_packed_body_that_holds_nothing_is_not_read_for_ever() -> None:
    async def nothing() -> Any:
        for _ in range(1000):
            yield gzip.compress(b"")

    async def test(stand: StandIn, client: Client) -> None:
        status, _ = await told(client, data=nothing(), headers={"Content-Encoding": "gzip"})
        assert (status, stand.sent) == (413, [])

    serve(test, max_message_bytes=10_000)


def test_a_body_that_is_cut_off_is_not_taken_for_whole() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        whole = gzip.compress(b"1,2\n3,4\n")
        for n in range(1, len(whole)):
            headers = {"Content-Encoding": "gzip"}
            assert (await told(client, data=whole[:n], headers=headers))[0] == 400
        assert (stand.sent, stand.count(400)) == ([], len(whole) - 1)

    serve(test)


def test_an_expectation_is_met_or_told() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        for path, method in ((INFER, "POST"), ("/v2", "GET")):
            status, said = await told(client, path, method=method, headers={"Expect": "tea"})
            assert (status, said["error"]) == (417, "Expect 'tea' can't be met: leave it out")
        assert (stand.sent, stand.count(417)) == ([], 1)
        assert await told(client, data=b"12", expect100=True) == (200, {"echo": 2})

    serve(test)


@pytest.mark.parametrize("encoding", ["compress", "gzip, gzip", "\xff"])
def test_a_body_that_stays_packed_is_refused(encoding: str) -> None:
    async def test(stand: StandIn, client: Client) -> None:
        status, said = await told(client, data=b"x", headers={"Content-Encoding": encoding})
        assert (status, "send gzip, deflate or none" in said["error"]) == (415, True)
        assert (stand.sent, stand.count(415)) == ([], 1)

    serve(test)


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def trickle() -> Any:
        yield b"a"
        await asyncio.Event().wait()

    async def test(stand: StandIn, client: Client) -> None:
        status, said = await told(client, data=trickle())
        assert (status, stand.sent) == (408, [])
        assert "did not come" in said["error"]
        assert len(stand.waiting) == 0

    serve(test, body_s=0.05)
