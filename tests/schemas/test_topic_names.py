"""Topics that a platform calls otherwise."""

import os
from pathlib import Path

import pytest
from ounce_schemas.asyncapi import asyncapi
from ounce_schemas.command import root
from ounce_schemas.documents import read_topic_names
from ounce_schemas.errors import OunceError
from ounce_schemas.names import TOPICS_VARIABLE
from ounce_schemas.topic_names import SharedTopic, TaskTopic, TopicNames
from ounce_schemas.topics import all_topics, requests_topic, shadow_topic, topic_names

OWN = """
prefix: plant-1.ounce
tasks:
  digits:
    requests: sensors.images
    dead_letters: errors.images
"""


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that ship, before and after."""
    monkeypatch.setenv(TOPICS_VARIABLE, "")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of names, in force."""
    file = tmp_path / "topics.yaml"
    file.write_text(OWN)
    monkeypatch.setenv(TOPICS_VARIABLE, str(file))
    return file


def names(document: str, tmp_path: Path) -> TopicNames:
    file = tmp_path / "topics.yaml"
    file.write_text(document)
    return read_topic_names(file)


def test_what_is_given_counts_and_all_else_begins_with_the_prefix(own: Path) -> None:
    assert all_topics(["digits"]) == [
        "sensors.images",
        "plant-1.ounce.digits.predictions",
        "errors.images",
        "plant-1.ounce.digits.labels",
        "plant-1.ounce.events",
        "plant-1.ounce.policies",
        "plant-1.ounce.canaries",
        "plant-1.ounce.models",
    ]
    assert requests_topic("bearing") == "plant-1.ounce.bearing.requests"
    assert shadow_topic("digits") == "plant-1.ounce.digits.shadow"


def test_the_task_of_a_topic_is_found_again(own: Path) -> None:
    known = topic_names()
    for task in ("digits", "bearing"):
        for kind in TaskTopic:
            assert known.task_of(known.of_task(task, kind), kind) == task
    assert known.task_of("sensors.images", TaskTopic.PREDICTIONS) is None
    # What would be its name if it had none of its own is of somebody else.
    assert known.task_of("plant-1.ounce.digits.requests", TaskTopic.REQUESTS) is None
    for stranger in ("ounce.digits.requests", "plant-1xounce.a.requests", "plant-1.ounce.requests"):
        assert known.task_of(stranger, TaskTopic.REQUESTS) is None
    for kind in SharedTopic:
        assert not any(known.task_of(known.shared(kind), of_task) for of_task in TaskTopic)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("prefix: a b", "prefix: use letters, digits, .* \\(given: 'a b'\\)"),
        ("prefix: .a", "prefix: use letters"),
        ("tasks: {Digits: {}}", "tasks.Digits.*: use lower-case letters"),
        ("tasks: {a: {requests: ä}}", "tasks.a.requests: use letters"),
        ("tasks: {a: {request: x}}", "tasks.a.request: unknown field, did you mean requests?"),
        ("tasks: {a: {labels: x}, b: {labels: x}}", "x stands twice: only requests may be"),
        ("tasks: {a: {requests: x}, b: {labels: x}}", "x stands twice"),
        ("tasks: {a: {requests: x, labels: x}}", "x stands twice"),
        ("tasks: {a: {requests: ounce.b.labels}}", "ounce.b.labels is what another topic is"),
        ("tasks: {a: {requests: x}, b: {requests: ounce.a.requests}}", "is what another topic is"),
        ("tasks: {a: {requests: ounce.events}}", "ounce.events is what another topic is called"),
        ("a", "holds no fields"),
    ],
)
def test_a_file_that_is_wrong_is_refused(document: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(OunceError, match=text):
        names(document, tmp_path)


def test_several_tasks_may_read_one_topic(tmp_path: Path) -> None:
    known = names("tasks: {a: {requests: x}, b: {requests: x, labels: y}}", tmp_path)
    assert {known.of_task(task, TaskTopic.REQUESTS) for task in "ab"} == {"x"}


def test_a_name_that_would_be_made_may_be_given(tmp_path: Path) -> None:
    known = names("tasks: {a: {requests: ounce.a.requests, labels: ounce.a.labels}}", tmp_path)
    assert known.of_task("a", TaskTopic.REQUESTS) == "ounce.a.requests"
    assert known.task_of("ounce.a.labels", TaskTopic.LABELS) == "a"


def test_a_name_that_looks_like_a_made_one_of_another_prefix_is_taken(tmp_path: Path) -> None:
    known = names("{prefix: a, tasks: {x: {requests: ounce.x.requests}}}", tmp_path)
    assert known.task_of("ounce.x.requests", TaskTopic.REQUESTS) == "x"


def test_the_commands_option_counts_in_processes_that_it_starts(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOPICS_VARIABLE, "elsewhere")
    monkeypatch.chdir(own.parent)
    root.main(["--topics", own.name, "contracts", "--help"], standalone_mode=False)
    assert os.environ[TOPICS_VARIABLE] == str(own)
    assert requests_topic("digits") == "sensors.images"


def test_a_file_that_is_absent_is_told_before_a_command_runs(
    tmp_path: Path,
) -> None:
    with pytest.raises(OunceError, match=r"absent\.yaml: can't be read: No such file"):
        root.main(["--topics", str(tmp_path / "absent.yaml"), "contracts"], standalone_mode=False)


def test_the_contracts_hold_the_names_that_ship(own: Path) -> None:
    addresses = {channel["address"] for channel in asyncapi()["channels"].values()}
    assert {"ounce.{task}.requests", "ounce.events"} < addresses
