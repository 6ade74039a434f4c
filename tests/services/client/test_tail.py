"""`ounce tail` shows a line for each answer, dead letter and event of its task."""

import threading
from typing import Any

import msgspec
from click.testing import CliRunner
from confluent_kafka import Producer
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.prediction import TextOutput
from ounce_schemas.topics import all_topics, events_topic
from ounce_services.client.answer import read_answer
from ounce_services.client.tail_command import _answer_line, command
from ounce_services.cluster.admin import create_topics
from ounce_services.cluster.embedded import EmbeddedBroker

from tests.services.fake_worker import make_prediction

LETTER = [(HEADER_REASON, b"wrong-length"), (HEADER_TEXT, b"body of 3 bytes\x1b[2J")]


def event(task: str) -> bytes:
    return msgspec.json.encode(
        OperationalEvent(EventKind.OVERLOAD, task, task, "late requests pile up", 1)
    )


def test_what_comes_is_shown(embedded_broker: EmbeddedBroker) -> None:
    kafka = embedded_broker.bootstrap_servers
    create_topics(kafka, all_topics(["watched"]), partitions=1)
    done = threading.Event()

    def send() -> None:
        producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
        topic = "ounce.watched.{}".format
        while not done.wait(0.2):
            good = make_prediction("good", task="watched")
            late = make_prediction("late", task="watched", deadline_met=False)
            for value in (good, late):
                producer.produce(topic("predictions"), msgspec.json.encode(value))
            producer.produce(topic("predictions"), b"\x01\x02")
            producer.produce(topic("dead-letters"), b"abc", headers=LETTER)
            producer.produce(topic("dead-letters"), None, headers=[("x", b"mark")])
            producer.produce(events_topic(), event("watched"))
            producer.produce(events_topic(), event("other"))
            producer.flush()

    sender = threading.Thread(target=send)
    sender.start()
    try:
        every = run("watched", f"--kafka={kafka}", "--limit=30")
        missed = run("watched", f"--kafka={kafka}", "--limit=9", "--missed-only")
    finally:
        done.set()
        sender.join()
    waits = "waiting for what comes to ounce.watched.predictions, ounce.watched.dead-letters, "
    assert waits in every
    assert "answer   good  0 (0.9000)  light  lightest-feasible  1.0 ms" in every
    assert "answer   late  0 (0.9000)  light  lightest-feasible  1.0 ms  deadline missed" in every
    assert "refused  wrong-length: body of 3 bytes" in every
    assert "\x1b" not in every
    assert "event    overload: late requests pile up" in every
    assert "answer   0x0102" in every
    assert "good" not in missed
    assert "late" in missed


def run(*words: str) -> str:
    result: Any = CliRunner().invoke(command, words, standalone_mode=False)
    assert result.exception is None, result.exception
    return str(result.output)


def test_the_answers_to_all_rows_stand_in_one_line() -> None:
    many = make_prediction("many")
    many.outputs = [TextOutput("label", [12], [str(i) for i in range(12)])]
    line = _answer_line(read_answer(msgspec.json.encode(many)))
    assert line.startswith("many  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...  light")
