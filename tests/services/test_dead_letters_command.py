"""`ounce dead-letters`: options, usage, and all of it on the embedded broker."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer
from ounce_schemas.errors import OunceError
from ounce_schemas.topics import dead_letters_topic, requests_topic
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.dead_letters.command import command
from ounce_services.dead_letters.letter import (
    Position,
)
from ounce_services.dead_letters.options import parse_header, parse_since_ms
from ounce_services.dead_letters.topic import DeadLetterTopic

from tests.services.toy_letters import DEAD_LETTERS, REQUESTS, WHY


def test_options() -> None:
    assert parse_since_ms("10m", 1000.0) == 400_000
    assert parse_since_ms("1.5h", 7200.0) == 1_800_000
    assert parse_since_ms("1970-01-01T01:00", 0) == parse_since_ms("1970-01-01T02:00+01:00", 0)
    assert parse_header("a=b=c") == ("a", "b=c")
    for wrong in ("10", "m", "yesterday", "10y", ""):
        with pytest.raises(ValueError, match="neither a duration such as 10m"):
            parse_since_ms(wrong, 0)
    for wrong in ("a", "=b", ""):
        with pytest.raises(ValueError, match="is not NAME=VALUE"):
            parse_header(wrong)
    for wrong in ("", "0", "0:", ":1", "a:b", "0:-1", "0:1:2", "²:1", "0:" + "9" * 30):
        with pytest.raises(ValueError, match="is not PARTITION:OFFSET, for example 0:12"):
            Position.parse(wrong)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["show", "toy", "12"], "'12' is not PARTITION:OFFSET"),
        (["show", "Bad Name", "0:1"], "use lower-case letters, digits and '-', 63 at most"),
        (["list", "toy", "--since", "soon"], "neither a duration such as 10m"),
        (["list", "toy", "--reason", "bad"], "'bad' is not one of"),
        (["replay", "toy"], "say which: PARTITION:OFFSET, or --reason, or --all"),
        (["replay", "toy", "0:1", "--all"], "say which"),
        (["replay", "toy", "--all", "--value", __file__], "exactly one PARTITION:OFFSET"),
        (["replay", "toy", "0:1", "0:2", "--value", __file__], "exactly one PARTITION:OFFSET"),
        (["replay", "toy", "0:1", "--value", "absent"], "'absent' does not exist"),
        (["replay", "toy", "0:1", "--set-header", "a"], "'a' is not NAME=VALUE"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(command, [*arguments, "--kafka", "127.0.0.1:1"])
    assert result.exit_code == 2
    assert text in " ".join(result.output.split())


@pytest.mark.parametrize("name", ["list", "show", "replay"])
def test_help_shows_examples(name: str) -> None:
    assert (
        f"ounce dead-letters {name} digits" in CliRunner().invoke(command, [name, "--help"]).output
    )


def test_on_the_embedded_broker() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([REQUESTS, DEAD_LETTERS])
        with Producer({"bootstrap.servers": broker.bootstrap_servers}) as producer:
            producer.produce(DEAD_LETTERS, b"body", b"k", partition=2, headers=list(WHY))
            producer.flush(60)

        def run(*arguments: str) -> str:
            kafka = ["--kafka", broker.bootstrap_servers]
            result = CliRunner().invoke(command, [*arguments, *kafka], catch_exceptions=False)
            assert result.exit_code == 0
            return result.output

        assert json.loads(run("list", "toy", "--json", "--since", "1h"))["position"] == "2:0"
        assert "reason    wrong-length" in run("show", "toy", "2:0")
        assert "2:0 (wrong-length) -> 1:0" in run("replay", "toy", "--all")
        assert "nothing to replay" in run("replay", "toy", "--all")
        assert "a mark, not a dead letter" in run("show", "toy", "2:1")
        with pytest.raises(OunceError, match="has no 2:2: partition 2 holds offsets 0 to 1"):
            run("show", "toy", "2:2")


def test_reading_ends_with_the_last_letter(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, float]] = []

    class Noting(Consumer):
        def consume(self, num_messages: int = 1, timeout: float = -1) -> Any:
            asked.append((num_messages, timeout))
            return super().consume(num_messages, timeout)

    monkeypatch.setattr("ounce_services.dead_letters.topic.Consumer", Noting)
    embedded_broker.create_topics([requests_topic("ended"), dead_letters_topic("ended")])
    servers = embedded_broker.bootstrap_servers
    with Producer({"bootstrap.servers": servers}) as producer:
        for _ in range(3):
            producer.produce(dead_letters_topic("ended"), b"body", partition=2, headers=list(WHY))
        assert producer.flush(60) == 0
    with DeadLetterTopic(servers, "ended", 60) as topic:
        assert len([*topic.scan(topic.starts())]) == 3
    assert asked
    assert not [n for n, timeout in asked if n > 1 and timeout], "a full batch is waited for"
