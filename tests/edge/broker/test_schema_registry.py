"""A registry is asked once for each schema, and never makes a worker wait for long."""

import base64
import json
import socket
import time
from collections.abc import Iterator

import pytest
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_schemas.errors import InvalidMessageError, Reason

from tests.support.clock import Clock
from tests.support.schema_registry import OwnRegistry, register

AVRO = json.dumps({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]})


@pytest.fixture
def server() -> Iterator[OwnRegistry]:
    own = OwnRegistry()
    yield own
    own.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def why(registry: SchemaRegistry, schema_id: int) -> InvalidMessageError:
    with pytest.raises(InvalidMessageError) as caught:
        registry.schema(schema_id)
    return caught.value


def test_each_schema_is_asked_for_once(server: OwnRegistry) -> None:
    number = register(server.url, "a", AVRO)
    registry = SchemaRegistry(server.url + "/", timeout_s=60)
    assert [registry.schema(number).content for _ in range(3)] == [AVRO.encode()] * 3
    assert server.asked == [f"/schemas/ids/{number}"]


def test_an_id_that_is_not_there_is_asked_for_once_a_minute(
    server: OwnRegistry, clock: Clock
) -> None:
    registry = SchemaRegistry(server.url, timeout_s=60, clock=clock)
    errors = [why(registry, 7), why(registry, 7)]
    assert {error.reason for error in errors} == {Reason.UNKNOWN_SCHEMA}
    assert errors[0].text == f"the registry at {server.url} has no schema 7"
    assert len(server.asked) == 1
    clock.now_s = 61
    why(registry, 7)
    assert len(server.asked) == 2


def test_noise_does_not_ask_without_end(server: OwnRegistry, clock: Clock) -> None:
    registry = SchemaRegistry(server.url, timeout_s=60, clock=clock)
    for number in range(1005):
        error = why(registry, number + 1)
    assert len(server.asked) == 1000
    assert "is not asked for" in error.text
    clock.now_s = 61
    assert "has no schema" in why(registry, 2000).text


def test_a_registry_that_is_away_is_left_in_peace(server: OwnRegistry, clock: Clock) -> None:
    number = register(server.url, "a", AVRO)
    registry = SchemaRegistry(server.url, timeout_s=60, clock=clock)
    server.broken = 503, b"no"
    for _ in range(3):
        error = why(registry, number)
        assert error.reason == Reason.REGISTRY_AWAY
        assert "503" in error.text
    assert len(server.asked) == 1
    server.broken = None
    clock.now_s = 11
    assert registry.schema(number).kind == "AVRO"


def test_what_is_known_needs_no_registry(server: OwnRegistry, clock: Clock) -> None:
    number = register(server.url, "a", AVRO)
    registry = SchemaRegistry(server.url, timeout_s=60, clock=clock)
    registry.schema(number)
    server.broken = 500, b""
    assert why(registry, number + 1).reason == Reason.REGISTRY_AWAY
    assert registry.schema(number).content == AVRO.encode()


def test_nobody_listens(clock: Clock) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # nobody else gets the port meanwhile
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        error = why(SchemaRegistry(url, timeout_s=60, clock=clock), 1)
    assert error.reason == Reason.REGISTRY_AWAY
    assert "refused" in error.text.lower()


def test_an_answer_that_is_slow_has_a_limit_and_serves_later(server: OwnRegistry) -> None:
    number = register(server.url, "a", AVRO)
    clock = Clock()
    registry = SchemaRegistry(server.url, timeout_s=0.05, clock=clock)
    server.gate.clear()
    error = why(registry, number)
    assert error.reason == Reason.REGISTRY_AWAY
    server.gate.set()
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        clock.now_s += 11
        try:
            assert registry.schema(number).kind == "AVRO"
            return
        except InvalidMessageError:
            time.sleep(0.01)
    pytest.fail("the registry was never asked again")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b"<html>", Reason.UNKNOWN_SCHEMA),
        (200, b"[]", Reason.UNKNOWN_SCHEMA),
        (200, b"[" * 100_000, Reason.UNKNOWN_SCHEMA),
        (200, b'{"schema": 5}', Reason.UNKNOWN_SCHEMA),
        (200, b'{"schema": "' + b"x" * 5_000_000, Reason.UNKNOWN_SCHEMA),
        (200, b'{"schema": "message {", "schemaType": "PROTOBUF"}', Reason.UNKNOWN_SCHEMA),
        (200, b'{"schema": "{}", "references": [{}]}', Reason.REGISTRY_AWAY),
        (401, b"who are you", Reason.REGISTRY_AWAY),
    ],
)
def test_answers_that_are_none(
    server: OwnRegistry, status: int, body: bytes, reason: Reason
) -> None:
    server.broken = status, body
    error = why(SchemaRegistry(server.url, timeout_s=60), 1)
    assert error.reason == reason
    assert server.url in error.text


def test_references_without_end(server: OwnRegistry) -> None:
    body = {"schema": "{}", "references": [{"name": "a", "subject": "s", "version": 1}]}
    server.broken = 200, json.dumps(body).encode()
    error = why(SchemaRegistry(server.url, timeout_s=60), 1)
    assert "names more than" in error.text


def test_a_file_that_leaves_its_folder(server: OwnRegistry) -> None:
    register(server.url, "evil", 'syntax = "proto3";', "PROTOBUF")
    number = register(
        server.url, "main", 'syntax = "proto3";', "PROTOBUF", {"../../evil.proto": "evil"}
    )
    error = why(SchemaRegistry(server.url, timeout_s=60), number)
    assert "a file is called '../../evil.proto'" in error.text


def test_the_login_is_sent(server: OwnRegistry) -> None:
    number = register(server.url, "a", AVRO)
    SchemaRegistry(server.url, ("ann", "secret"), timeout_s=60).schema(number)
    token = base64.b64encode(b"ann:secret").decode()
    assert server.headers[0]["Authorization"] == f"Basic {token}"
