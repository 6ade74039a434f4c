"""Many dead letters are replayed once, whatever the broker refuses and whoever interrupts."""

import os
import re
import signal
import subprocess

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.services.dead_letters import DEAD_LETTERS, REQUESTS, Run, read_topic
from tests.support.kafka.topics import OwnTopics, configure
from tests.support.process.worker import OUNCE


@pytest.fixture
def run(kafka: str) -> Run:
    return Run(kafka)


def test_a_long_topic_with_foreign_records_replays_once(
    kafka: str, topics: OwnTopics, run: Run
) -> None:
    topics.of_task("digits", partitions=2)
    n = 1700  # several chunks
    producer = Producer({"bootstrap.servers": kafka})
    for i in range(n):
        origin = {
            "reason": "model-failed", "text": f"number {i}", "topic": REQUESTS,
            "partition": str(i % 3), "offset": str(i), "timestamp": "-1",
        }  # fmt: skip
        headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in origin.items()]
        producer.produce(DEAD_LETTERS, b"%d" % i, b"k%d" % i, headers=headers)
        if not i % 100:
            producer.produce(DEAD_LETTERS, None, b"\xff", headers=[("", None)])
    producer.flush()
    listed = run("list", "digits")
    assert listed.stdout.endswith(f"{n:,} dead letters: {n:,} model-failed; 17 foreign\n")
    assert "the newest 100 are shown" in listed.stderr
    done = run("replay", "digits", "--all", "--yes").stdout
    assert "passed over: 17 foreign, not dead letters" in done
    assert "replayed 1,700 of 1,700 dead letters" in done
    assert "nothing to replay" in run("replay", "digits", "--all", "--yes").stdout
    sent = read_topic(kafka, REQUESTS, n)
    assert {m.value() for m in sent} == {b"%d" % i for i in range(n)}
    assert len(sent) == n
    for message in sent:
        i = int(message.value() or b"")
        if i % 3 < 2:  # the topic has no third partition
            assert message.partition() == i % 3
        assert dict(message.headers() or [])["ce_id"] == f"{REQUESTS}-{i % 3}-{i}".encode()


def test_what_the_broker_refuses_is_told_and_the_others_are_sent(
    kafka: str, topics: OwnTopics, run: Run
) -> None:
    topics.of_task("digits")
    configure(kafka, REQUESTS, max_message_bytes=20_000)
    producer = Producer({"bootstrap.servers": kafka})
    why = {"reason": "refused", "topic": REQUESTS, "partition": "0", "offset": "1"}
    headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in why.items()]
    for size in (15_000, 900_000, *[15_000] * 8):
        producer.produce(DEAD_LETTERS, os.urandom(size), headers=headers)
    producer.flush()
    result = run("replay", "digits", "--all", "--yes", code=1)
    assert re.search(r"^0:1 failed: .*too large", result.stderr)
    assert result.stdout.endswith(
        f"replayed 9 of 10 dead letters to {REQUESTS}; 1 not taken by Kafka\n"
    )
    assert len(read_topic(kafka, REQUESTS, 9, partitions=1)) == 9
    assert "replayed 0 of 1 dead letter" in run("replay", "digits", "--all", code=1).stdout
    assert len(read_topic(kafka, REQUESTS, 9, partitions=1)) == 9


def test_one_that_is_interrupted_can_go_on(kafka: str, topics: OwnTopics, run: Run) -> None:
    topics.of_task("digits", partitions=1)
    n = 20_000
    producer = Producer({"bootstrap.servers": kafka})
    why = {"reason": "refused", "topic": REQUESTS, "partition": "0", "offset": "1"}
    headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in why.items()]
    for i in range(n):
        producer.produce(DEAD_LETTERS, b"%d" % i, headers=headers)
    producer.flush()
    command = [OUNCE, "dead-letters", "replay", "digits", "--all", "--yes", f"--kafka={kafka}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition(REQUESTS, 0, 0)])
    assert consumer.poll(60) is not None
    child.send_signal(signal.SIGINT)
    consumer.close()
    told, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert re.search(r"left over: the same command goes on with them$", told)
    run("replay", "digits", "--all", "--yes")
    sent = read_topic(kafka, REQUESTS, n, partitions=1)
    assert sorted(int(m.value() or b"") for m in sent) == list(range(n))
