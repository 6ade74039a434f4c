"""The connection with a real mosquitto: acknowledgements, losses, logins, crowds, hostile ones."""

import asyncio
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ounce_edge.gateway.answers import publish
from ounce_edge.gateway.arrivals import Arrived
from ounce_edge.gateway.maps import TopicMaps
from ounce_edge.gateway.patterns import Pattern, Place
from ounce_edge.gateway.replies import Reply, ReplyAddress
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings
from ounce_schemas.request import HEADER_REPLY

from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.mosquitto
WAIT_S = 0.02


def settings(broker: Mosquitto, **more: Any) -> GatewaySettings:
    usual = {"mqtt": broker.url, "name": "g", "mqtt_version": "5"}
    return GatewaySettings(
        map=("s/+device/+task",), task=("digits",), kafka="nowhere:1", **{**usual, **more}
    )


@contextmanager
def session(broker: Mosquitto, **more: Any) -> Iterator[Session]:
    own = settings(broker, **more)
    made = Session(own, own.topic_maps.filters)
    made.start()
    try:
        wait_until(lambda: made.trouble is None, lambda: made.trouble)
        yield made
    finally:
        made.close()


def take(own: Session, n: int, each: Callable[[Arrived], None] = lambda _: None) -> list[Arrived]:
    """The next `n` messages."""
    found: list[Arrived] = []

    def more() -> bool:
        for arrived in own.take(WAIT_S):
            each(arrived)
            found.append(arrived)
        return len(found) >= n

    wait_until(more, lambda: [a.payload for a in found])
    own.take(0)  # acknowledges what is finished
    return found


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_is_not_finished_comes_again_to_the_next_session(
    mosquitto: Mosquitto, version: str
) -> None:
    with MqttDevice(mosquitto.port) as device:
        with session(mosquitto, mqtt_version=version) as first:
            for name in (b"1", b"2", b"3"):
                device.send("s/d/digits", name)
            messages = take(first, 3)
            first.finish(messages[2])
            first.finish(messages[0])
            first.take(WAIT_S)
        with session(mosquitto, mqtt_version=version) as second:
            again = take(second, 2, second.finish)
            assert [a.payload for a in again] == [b"2", b"3"], "acknowledged in order: 1 alone"
        with session(mosquitto, mqtt_version=version) as third:
            device.send("s/d/digits", b"4")
            assert [a.payload for a in take(third, 1, third.finish)] == [b"4"]


def test_a_lost_connection_forwards_nothing_twice(mosquitto: Mosquitto) -> None:
    with session(mosquitto) as own:
        with MqttDevice(mosquitto.port) as device:
            for name in (b"1", b"2"):
                device.send("s/d/digits", name)
            messages = take(own, 2)
        mosquitto.stop()
        wait_until(lambda: own.trouble is not None, lambda: own.trouble)
        own.finish(messages[0])
        mosquitto.start()
        wait_until(lambda: own.trouble is None, lambda: own.trouble)
        with MqttDevice(mosquitto.port) as device:
            device.send("s/d/digits", b"3")
        assert [a.payload for a in take(own, 1, own.finish)] == [b"3"]
        own.finish(messages[1])
        own.take(WAIT_S)
    with session(mosquitto) as own, MqttDevice(mosquitto.port) as device:
        device.send("s/d/digits", b"4")
        assert [a.payload for a in take(own, 1, own.finish)] == [b"4"], "all were acknowledged"


@pytest.mark.usefixtures("mosquitto")  # skips without one
def test_a_broker_that_is_killed_knows_the_gateway_again_where_it_saves_often() -> None:
    with Mosquitto(["allow_anonymous true", "autosave_interval 1"]) as broker:
        saved = broker.folder / "mosquitto.db"
        with session(broker) as own:
            wait_until(lambda: saved.exists() and b"s/+/+" in saved.read_bytes(), lambda: saved)
            broker.kill()
            broker.start()
            with MqttDevice(broker.port) as device:  # before the gateway is back
                device.send("s/d/digits", b"1")
            assert [a.payload for a in take(own, 1, own.finish)] == [b"1"]


def test_answers_go_out_and_are_confirmed(mosquitto: Mosquitto) -> None:
    with session(mosquitto) as own, MqttDevice(mosquitto.port, ["answers/#"]) as device:
        own.publish(Reply("answers/d/digits", b"\x01"), b"yes", "text/plain", [("a", "b")])
        (heard,) = device.wait_for(1)
        assert heard.properties is not None
        assert heard.properties.CorrelationData == b"\x01"
        assert heard.properties.ContentType == "text/plain"
        assert heard.properties.UserProperty == [("a", "b")]
        wait_until(lambda: own.n_unconfirmed == 0, lambda: own.n_unconfirmed)


@pytest.mark.parametrize("odd", ["a\x01b", "a\0b", "\x9f", "\ufffe", "\U0010ffff", "v" * 65_536])
def test_an_answer_with_a_header_that_mqtt_forbids_hinders_no_other(
    mosquitto: Mosquitto, odd: str
) -> None:
    address = ReplyAddress("g", Pattern.parse("answers/+device"), [], TopicMaps([], []))
    reply = (HEADER_REPLY, address.usual(Place("digits", "d")))
    with MqttDevice(mosquitto.port, ["answers/d"]) as device, session(mosquitto) as own:
        publish(own, address, b"1", [reply, ("traceparent", odd.encode()), ("ce_id", b"1")])
        publish(own, address, b"2", [reply])
        first, second = device.wait_for(2)
        wait_until(lambda: not own.n_unconfirmed, lambda: own.trouble)
    assert (first.payload, second.payload) == (b"1", b"2")
    assert first.properties is not None
    assert first.properties.UserProperty == [("id", "1")]


def test_gateways_of_a_group_share_the_messages(mosquitto: Mosquitto) -> None:
    with (
        session(mosquitto, name="a", group="both") as one,
        session(mosquitto, name="b", group="both") as other,
        MqttDevice(mosquitto.port) as device,
    ):
        for i in range(40):
            device.send("s/d/digits", b"%d" % i)
        shares: dict[Session, list[bytes]] = {one: [], other: []}

        def more() -> bool:
            for own, share in shares.items():
                for arrived in own.take(WAIT_S):
                    share.append(arrived.payload)
                    own.finish(arrived)
            return sum(map(len, shares.values())) >= 40

        wait_until(more, lambda: shares)
        assert sorted(shares[one] + shares[other]) == sorted(b"%d" % i for i in range(40))
        assert shares[one]
        assert shares[other]


def packet(kind: int, body: bytes) -> bytes:
    """One of MQTT 3.1.1 whose length takes up to two bytes."""
    n = len(body)
    return bytes([kind]) + (bytes([n]) if n < 128 else bytes([n % 128 | 128, n // 128])) + body


def text(content: bytes) -> bytes:
    return struct.pack(">H", len(content)) + content


def connect_packet(name: bytes) -> bytes:
    return packet(0x10, text(b"MQTT") + b"\x04\x02\x00\x3c" + text(name))


def publish_packet(topic: bytes, payload: bytes) -> bytes:
    return packet(0x32, text(topic) + b"\x00\x01" + payload)


@pytest.mark.parametrize(
    "hostile",
    [
        publish_packet(b"s/\xff\xfe/digits", b"x"),
        publish_packet(b"s/\xed\xa0\x80/digits", b"x"),
        publish_packet(b"s/a\x00b/digits", b"x"),
        publish_packet(b"s/+/digits", b"x"),
        publish_packet(b"#", b"x"),
        publish_packet(b"", b"x"),
        publish_packet(b"/".join([b"s"] * 150), b"x"),
        b"\x32\xff\xff\xff\xff\xff\xff",
        b"\x00" * 1000,
    ],
)
def test_a_hostile_client_hinders_nobody(mosquitto: Mosquitto, hostile: bytes) -> None:
    with (
        session(mosquitto) as own,
        MqttDevice(mosquitto.port) as device,
        socket.create_connection(("127.0.0.1", mosquitto.port)) as raw,
    ):
        raw.settimeout(30)
        raw.sendall(connect_packet(b"evil"))
        assert raw.recv(4)[:1] == b"\x20"
        raw.sendall(hostile)
        device.send("s/d/digits", b"good")
        assert b"good" in [a.payload for a in take(own, 1, own.finish)]
        assert own.trouble is None


def test_messages_of_16_mb_fill_no_memory(mosquitto: Mosquitto) -> None:
    with (
        session(mosquitto, max_waiting_mb=20.0) as own,
        MqttDevice(mosquitto.port) as device,
    ):
        for _ in range(4):
            device.send("s/d/digits", bytes(16_000_000))
        device.send("s/d/digits", b"after")
        found: list[Arrived] = []

        def more() -> bool:
            waiting = own.take(WAIT_S)
            assert sum(len(a.payload) for a in waiting) <= 32_000_000
            found.extend(waiting)
            for arrived in waiting:
                own.finish(arrived)
            return len(found) == 5

        wait_until(more, lambda: len(found))
        assert [len(a.payload) for a in found] == [16_000_000] * 4 + [5]


def test_thousands_of_devices_connect_at_once(mosquitto: Mosquitto) -> None:
    """Ten thousand, and an outage, are in the gateway's benchmark."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4000 if hard == resource.RLIM_INFINITY else min(hard, 4000)
    n = most - 1000
    assert n >= 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    mosquitto.stop()
    mosquitto.start()  # with the limit of this process

    async def device(i: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", mosquitto.port)
        try:
            writer.write(
                connect_packet(b"d%d" % i) + publish_packet(b"s/d%d/digits" % i, b"%d" % i)
            )
            await reader.readexactly(8)  # CONNACK and PUBACK
        finally:
            writer.close()

    async def all_devices() -> None:
        await asyncio.gather(*(device(i) for i in range(n)))

    try:
        with session(mosquitto) as own:
            asyncio.run(all_devices())
            messages = take(own, n, own.finish)
        assert sorted(int(a.payload) for a in messages) == list(range(n))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
