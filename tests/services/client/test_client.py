"""The client on the embedded broker, and the command in front of it."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from ounce_edge.broker.label_reader import read_labels
from ounce_schemas.errors import BrokerError, DataError, InvalidMessageError
from ounce_schemas.label import Label
from ounce_schemas.topics import labels_topic, task_topics
from ounce_services.client import Answer, AsyncClient, Client, RefusedError, TooLargeError
from ounce_services.client.ask_command import command
from ounce_services.client.rows import read_rows
from ounce_services.cluster.admin import create_topics
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.cluster.reading import read_topic
from ounce_services.devices.samples import Samples

from tests.services.fake_worker import FakeWorker
from tests.support.process.wait import wait_until


@pytest.fixture
def kafka(embedded_broker: EmbeddedBroker) -> str:
    create_topics(embedded_broker.bootstrap_servers, task_topics("toy"), partitions=2)
    return embedded_broker.bootstrap_servers


def run(*words: str) -> Result:
    return CliRunner().invoke(command, words, standalone_mode=False)


def test_ask_gives_the_answer_of_its_own_request(kafka: str, samples: Samples) -> None:
    fates = {1: "dead-letter", 2: "nothing"}
    with (
        Client(kafka, "toy", timeout_s=60) as client,
        FakeWorker(kafka, samples, lambda i: fates.get(i, "answer")) as worker,
    ):
        answer = client.ask(samples.inputs["input"][0], max_latency_ms=20, min_accuracy=0.5)
        assert answer.label == samples.spec.labels[int(samples.targets[0])]
        assert (answer.model, answer.reason, answer.deadline_met) == (
            "light", "lightest-feasible", True,
        )  # fmt: skip
        headers = dict(worker.seen[0].headers() or ())
        assert headers["ce_maxlatencyms"] == b"20.0"
        assert headers["ounce-answer"] == b"v2"  # a policy may have another form
        with pytest.raises(RefusedError) as refused:
            client.ask(samples.inputs["input"][1], id="mine")
        assert refused.value.id == "mine"
        with pytest.raises(BrokerError, match=r"is a worker of the task running.*--task toy`"):
            client.ask(samples.inputs["input"][2], timeout_s=0.3)
        sent = {client.send(row) for row in samples.inputs["input"][3:6]}
        others = list(islice(client.answers(timeout_s=60), len(sent)))
        assert {found.id for found in others if isinstance(found, Answer)} == sent


def test_an_id_that_another_thread_waits_for_is_refused_and_that_one_gets_its_answer(
    kafka: str, samples: Samples
) -> None:
    row, may_answer = samples.inputs["input"][0], Event()

    def fate(_: int) -> str:
        may_answer.wait(60)
        return "answer"

    with (
        Client(kafka, "toy", timeout_s=60) as client,
        FakeWorker(kafka, samples, fate) as worker,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.ask, row, id="same")
        wait_until(lambda: "same" in client._waited_for, lambda: worker.seen)
        with pytest.raises(ValueError, match="'same' is waited for already"):
            client.ask(row, id="same")
        may_answer.set()
        assert first.result().id == "same"
        assert client.ask(row, id="same").id == "same"


def test_a_client_that_is_not_open_says_how_it_is_used(kafka: str, samples: Samples) -> None:
    client = Client(kafka, "toy")
    uses = (
        lambda: client.ask([1]), lambda: client.send([1]), lambda: next(client.answers(1)),
        lambda: client.label("a", label="1"),
    )  # fmt: skip
    for use in uses:
        with pytest.raises(RuntimeError, match=r"use it inside `with Client\(...\) as client`"):
            use()
    with client:
        client.send(samples.inputs["input"][0])
    for use in uses:
        with pytest.raises(RuntimeError, match="use it inside"):
            use()


@pytest.mark.parametrize("how", [{"id": 17}, {"device": 17}])
def test_an_id_or_a_device_that_is_no_text_is_refused(kafka: str, how: dict[str, Any]) -> None:
    (name,) = how
    with (
        Client(kafka, "toy") as client,
        pytest.raises(TypeError, match=f"{name} 17 is no text: give one, such as '17'"),
    ):
        client.ask([1], **how)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("", {"label": "1"}, "it has the id '': give that of the answer"),
    ("a", {}, "give either label="),
    ("a", {"label": "1", "value": 1.0}, "give either label="),
    ("a", {"value": float("nan")}, "the value nan is no finite number"),
    ("a" * 5000, {"label": "1"}, "more than 4096: use shorter ids"),
]


def test_a_label_has_the_key_of_its_request(kafka: str) -> None:
    with Client(kafka, "toy", timeout_s=60) as client:
        client.label("a", label=np.int64(1))
        client.label("b", value=np.float32(1.5), device="room-7")
        for id_, truth, why in WRONG:
            with pytest.raises(InvalidMessageError, match=re.escape(why)):
                client.label(id_, **truth)
    config = {"bootstrap.servers": kafka}
    found = [(m.key(), read_labels(m)) for m in read_topic(config, labels_topic("toy"), 60)]
    assert sorted(found) == [
        (b"client", [Label("a", label="1", device="client")]),
        (b"room-7", [Label("b", value=1.5, device="room-7")]),
    ]


def test_where_no_topic_of_labels_is_that_is_said(embedded_broker: EmbeddedBroker) -> None:
    servers = embedded_broker.bootstrap_servers
    topics = [topic for topic in task_topics("mute") if topic != labels_topic("mute")]
    create_topics(servers, topics)
    with Client(servers, "mute", timeout_s=60) as client:
        with pytest.raises(BrokerError, match=r"no topic ounce\.mute\.labels: create it with"):
            client.label("a", label="1")
        create_topics(servers, [labels_topic("mute")])
        client.label("a", label="1")


def test_many_are_asked_at_once(kafka: str, samples: Samples) -> None:
    async def ask() -> list[Answer]:
        async with AsyncClient(kafka, "toy") as client:
            rows = samples.inputs["input"][:8]
            answers = await asyncio.gather(*(client.ask(row) for row in rows))
            await asyncio.gather(*(client.label(a.id, label=a.label) for a in answers))
            return answers

    with FakeWorker(kafka, samples, lambda i: "answer"):
        answers = asyncio.run(ask())
    assert [a.label for a in answers] == [
        samples.spec.labels[int(target)] for target in samples.targets[:8]
    ]
    config = {"bootstrap.servers": kafka}
    labels = [
        label for m in read_topic(config, labels_topic("toy"), 60) for label in read_labels(m)
    ]
    assert {(a.id, a.label) for a in answers} <= {(label.id, label.label) for label in labels}


def test_where_nobody_answers_not_all_rows_of_a_file_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        asked = 0

        def __init__(self, *_: object, **__: object) -> None:
            """Connects with nothing."""

        def __enter__(self) -> "Silent":
            return self

        def __exit__(self, *_: object) -> None:
            """Ends."""

        def ask(self, row: object, **_: object) -> Answer:
            Silent.asked += 1
            if row == b"refused":
                raise RefusedError("id", "reason", "text")
            if row == b"large":
                raise TooLargeError("send fewer")
            raise BrokerError("no answer")

    monkeypatch.setattr("ounce_services.client.ask_command.Client", Silent)
    file = tmp_path / "rows.jsonl"
    rows = ["1", "refused", "large", "large", "large", *"234567"]
    file.write_text("\n".join(rows))
    result = run("toy", "--kafka=x:1", f"--file={file}")
    assert result.return_value == 1
    assert Silent.asked == 7
    told = [line.split(maxsplit=1)[1] for line in result.stdout.splitlines()]
    not_asked = "not asked: 2 before it got no answer"
    assert told == [
        "no answer", "reason: text", "send fewer", "the same", "the same", "no answer", "the same",
        not_asked, *["the same"] * 3,
    ]  # fmt: skip
    assert "0 of 11 answered, 7 without an answer, 1 refused, 3 too large" in result.stderr


def test_what_can_not_be_sent_is_said() -> None:
    assert "give --data or --file" in str(run("toy", "--local").exception)
    both = run("toy", "--local", "--data", "1", "--file", "x")
    assert "give --data or --file, not both" in str(both.exception)
    assert "give --kafka HOST:PORT or --local" in str(run("toy", "--data", "1").exception)
    no_ladder = run("toy", "--data", "1", "--local", "--models", "/nowhere").exception
    assert "ounce train" in str(no_ladder)


def test_rows_are_read_from_files(tmp_path: Path) -> None:
    rows = [{"a": "1", "b c": "x;y"}, {"a": "2", "b c": ""}]
    (tmp_path / "rows.csv").write_text('\ufeffa,"b c"\n1,x;y\n2,\n', encoding="utf-8")
    assert read_rows(None, tmp_path / "rows.csv") == rows
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    assert read_rows(None, tmp_path / "rows.json") == rows
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read_rows(None, tmp_path / "rows.jsonl") == [b'{"a": 1}', b'{"a": 2}']
    (tmp_path / "raw.bin").write_bytes(b"\0\1")
    assert read_rows(None, tmp_path / "raw.bin") == [b"\0\1"]
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="holds 0 rows"):
        read_rows(None, tmp_path / "empty.csv")
    with pytest.raises(DataError, match=r"absent\.csv: can't be read"):
        read_rows(None, tmp_path / "absent.csv")
