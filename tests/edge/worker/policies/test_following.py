"""A worker puts versions of the policy in force, and refuses what it can't serve under."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ounce_edge.pipeline.edition import successor
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.policies.canary_watch import CanaryWatch
from ounce_edge.worker.policies.following import PolicyFollowing
from ounce_edge.worker.policies.kept import KeptPolicy
from ounce_schemas.errors import PolicyError
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.policy_history import Change, PolicyHistory, next_version
from ounce_schemas.task import TaskSpec
from prometheus_client import generate_latest

from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, served
from tests.support.edge.pipelines import edition
from tests.support.edge.serving import FakeDelivery, serving_of


class Followed:
    """Two tasks that follow the policies, and what they tell."""

    def __init__(self, folder: Path) -> None:
        self.metrics = Metrics()
        self.pipelines = [pipeline_of(DIGITS), pipeline_of(NUMBERS)]
        serving = self.serving = serving_of(
            *self.pipelines, delivery=FakeDelivery(), metrics=self.metrics
        )
        self.events: list[OperationalEvent] = []
        events = Events(self._tell, lambda task, kind: None, worker="w-1")
        self.kept = KeptPolicy(folder)
        self.written_evidence: list[tuple[bytes, bytes]] = []
        self.canaries = CanaryWatch(
            serving.trial_counts, lambda *record: self.written_evidence.append(record), "w-1"
        )
        self.following = PolicyFollowing(
            serving,
            ["digits", "numbers"],
            events,
            self.metrics,
            self.kept,
            self.canaries,
        )
        self.canaries.changed = self.following.look_at_canary
        self.written = PolicyHistory()

    def _tell(self, key: bytes, value: bytes, headers: Any) -> None:
        self.events.append(msgspec.json.decode(value, type=OperationalEvent))

    def apply(self, *documents: str | Change) -> None:
        for text in documents:
            change = Change(text, "ann") if isinstance(text, str) else text
            version = next_version(self.written, change, uuid.uuid4().hex, datetime.now(UTC))
            value = version.model_dump_json().encode()
            self.written.take(value)
            self.following.take(FakeRecord(value))
        self.following.caught_up()

    @property
    def is_stale(self) -> float | None:
        return self.metrics.registry.get_sample_value("ounce_policy_stale")

    @property
    def versions(self) -> Sequence[str]:
        return [pipeline.edition.policy.version for pipeline in self.pipelines]

    def apply_later(self, **fields: object) -> None:
        """A version that a later Ounce wrote, with fields that are not known here."""
        change = Change("min_accuracy: 0.7", "ann")
        version = next_version(self.written, change, uuid.uuid4().hex, datetime.now(UTC))
        value = msgspec.json.encode(version.model_dump(mode="json") | fields)
        self.written.take(value)
        self.following.take(FakeRecord(value))
        self.following.caught_up()

    def told(self) -> Sequence[tuple[EventKind, str, str]]:
        told, self.events = self.events, []
        return [(event.kind, event.task, event.subject) for event in told]


def pipeline_of(task: TaskSpec) -> Pipeline:
    return Pipeline(edition(served(task, "light"), served(task, "heavy"), task=task))


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path / "state")


def test_a_version_that_models_lacked_for_is_in_force_once_they_came(followed: Followed) -> None:
    followed.apply("min_accuracy: 0.5")
    followed.apply("tasks: {digits: {allow: [heavy, new]}}")
    assert (followed.versions, followed.is_stale) == (["v1", "v1"], 1)
    followed.told()
    followed.following.look_again()
    assert followed.told() == []
    before = followed.serving.edition("digits")
    models = served(DIGITS, "heavy"), served(DIGITS, "new")
    other = replace(edition(*models, task=DIGITS).ladder, version="other")
    after = successor(before, other, before.policy, lambda model: None)
    assert followed.serving.replace_edition(before, after)
    followed.following.look_again()
    assert (followed.versions, followed.is_stale) == (["v2", "v2"], 0)
    assert [kind for kind, _, _ in followed.told()] == [EventKind.POLICY_CHANGED] * 2


def test_only_the_current_version_is_put_in_force_for_all_tasks(followed: Followed) -> None:
    followed.apply("min_accuracy: 0.5", "min_accuracy: 0.6")
    assert followed.versions == ["v2", "v2"]
    assert followed.told() == [
        (EventKind.POLICY_CHANGED, "digits", "v2"),
        (EventKind.POLICY_CHANGED, "numbers", "v2"),
    ]
    shown = generate_latest(followed.metrics.registry).decode()
    assert 'ounce_policy_info{version="v2"} 1.0' in shown
    assert shown.count("ounce_policy_info{") == 1
    followed.following.caught_up()
    assert followed.told() == []


def test_a_version_of_a_later_ounce_is_refused_and_those_behind_it_are_followed(
    followed: Followed,
) -> None:
    followed.apply("min_accuracy: 0.5")
    followed.told()
    followed.apply_later(colour="red")
    assert (followed.versions, followed.is_stale) == (["v1", "v1"], 1)
    assert {"colour" in event.text for event in followed.events} == {True}
    assert [kind for kind, _, _ in followed.told()] == [EventKind.POLICY_REFUSED] * 2
    followed.apply("min_accuracy: 0.6")
    assert (followed.versions, followed.is_stale) == (["v3", "v3"], 0)


@pytest.mark.parametrize(
    "broken",
    [
        "min_accuracy: 7",
        "tasks: {numbers: {deny: [light, heavy]}}",
        "tasks: {digits: {allow: [typo]}}",
    ],
)
def test_a_broken_version_replaces_nothing_of_any_task(followed: Followed, broken: str) -> None:
    followed.apply("min_accuracy: 0.5")
    before = [pipeline.edition for pipeline in followed.pipelines]
    followed.told()
    followed.apply(broken)
    assert [pipeline.edition for pipeline in followed.pipelines] == before
    assert followed.told() == [
        (EventKind.POLICY_REFUSED, "digits", "v2"),
        (EventKind.POLICY_REFUSED, "numbers", "v2"),
    ]
    kept = followed.kept.read()
    assert kept is not None
    assert kept.name == "v1"
    assert followed.is_stale == 1
    followed.apply("min_accuracy: 0.6")
    assert followed.versions == ["v3", "v3"]
    assert followed.is_stale == 0


def test_the_last_good_version_is_kept_for_a_start_without_the_topic(tmp_path: Path) -> None:
    Followed(tmp_path).apply("min_accuracy: 0.5")
    [kept] = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    later = Followed(tmp_path)
    later.following.use_kept()
    assert later.versions == ["v1", "v1"]
    assert "since the topic is not read" in later.events[0].text
    assert later.events[0].worker == "w-1"
    assert later.is_stale == 1
    nothing = Followed(tmp_path / "empty")
    nothing.following.use_kept()
    assert nothing.versions == ["p1", "p1"]
    assert {kind for kind, *_ in nothing.told()} == {EventKind.POLICIES_UNREACHED}


def test_a_kept_file_that_is_of_no_use_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"number": 3')
    followed = Followed(tmp_path)
    followed.following.use_kept()
    assert followed.versions == ["p1", "p1"]


def test_a_disk_that_takes_nothing_costs_only_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    followed = Followed(tmp_path / "state")
    followed.apply("min_accuracy: 0.5")
    assert followed.versions == ["v1", "v1"]


def test_a_topic_that_is_away_is_told_once_and_nothing_changes(followed: Followed) -> None:
    followed.apply("min_accuracy: 0.5")
    followed.told()
    followed.following.tell_trouble("no broker")
    assert followed.is_stale == 1
    followed.following.tell_trouble(None)
    assert followed.is_stale == 0
    assert [kind for kind, *_ in followed.told()] == [
        EventKind.POLICIES_UNREACHED,
        EventKind.POLICIES_UNREACHED,
        EventKind.POLICIES_REACHED,
        EventKind.POLICIES_REACHED,
    ]
    assert followed.versions == ["v1", "v1"]


def test_records_that_are_no_versions_change_nothing(followed: Followed) -> None:
    with pytest.raises(PolicyError, match="not a version of the policy"):
        followed.following.take(FakeRecord(b"junk"))
    followed.following.take(FakeRecord(None))
    followed.apply("min_accuracy: 0.5")
    followed.following.start()  # read again from the beginning
    followed.following.caught_up()
    assert followed.versions == ["v1", "v1"]
