"""Requests go to Kafka, and who sent them hears what became of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ounce_edge.front.sending import KafkaAwayError, Place, Sender
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.gateway.arrivals import KafkaRecord

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}
MOCKED = {"test.mock.num.brokers": 1}
"""librdkafka's own cluster."""


def record(value: bytes = b"x") -> KafkaRecord:
    return KafkaRecord("requests", b"", value, [("a", b"1")], 1)


def run(
    test: Callable[[Sender], Awaitable[None]], kafka: dict[str, object], patience_s: float
) -> None:
    async def begin() -> None:
        sender = Sender({**kafka}, 10_000, patience_s)
        try:
            await test(sender)
        finally:
            sender.close()

    asyncio.run(begin())


def test_while_kafka_is_away_one_tries_and_others_hear_at_once() -> None:
    async def test(sender: Sender) -> None:
        with pytest.raises(KafkaAwayError, match=r"no request for 0\.2 s") as caught:
            await sender.send(record())
        assert (caught.value.status, sender.is_away, sender.n_unconfirmed) == (503, True, 0)
        trying = sender.send(record())
        with pytest.raises(KafkaAwayError):
            sender.send(record())
        with pytest.raises(KafkaAwayError):
            await trying

    run(test, NOWHERE, 0.2)


def test_kafka_counts_as_away_for_a_while_only_so_that_balancers_send_a_call_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ounce_edge.front.sending._AWAY_S", 0.0)

    async def test(sender: Sender) -> None:
        with pytest.raises(KafkaAwayError):
            await sender.send(record())
        assert not sender.is_away
        trying = sender.send(record())
        with pytest.raises(KafkaAwayError):  # one tries, all the same
            sender.send(record())
        with pytest.raises(KafkaAwayError):
            await trying

    run(test, NOWHERE, 0.2)


def test_who_sent_hears_where_kafka_has_it() -> None:
    async def test(sender: Sender) -> None:
        places = await asyncio.gather(*(sender.send(record()) for _ in range(20)))
        assert {type(place) for place in places} == {Place}
        assert len({(place.partition, place.offset) for place in places}) == 20
        assert (sender.n_unconfirmed, sender.is_away) == (0, False)

    run(test, MOCKED, 60.0)


def test_who_goes_away_costs_nothing() -> None:
    async def test(sender: Sender) -> None:
        gone = sender.send(record())
        gone.cancel()
        await sender.send(record())
        async with asyncio.timeout(60):  # they may go to two partitions, and the first come last
            while sender.n_unconfirmed:
                await asyncio.sleep(0.01)

    run(test, MOCKED, 60.0)


def test_a_record_that_is_too_large_is_told_at_once() -> None:
    async def test(sender: Sender) -> None:
        with pytest.raises(NotAnsweredError, match="send less") as caught:
            sender.send(record(b"x" * 20_000))
        assert (caught.value.status, sender.n_unconfirmed) == (413, 0)

    run(test, NOWHERE, 60.0)
