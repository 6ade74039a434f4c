"""`ounce policy` without a Kafka: check, explain, replay, and what their pages hold."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from ounce_edge.dry_run.figures import Figures
from ounce_edge.dry_run.foresight import Change, Foresight
from ounce_schemas.canary import Canary
from ounce_schemas.errors import ArtifactError, BrokerError, PolicyError
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.topics import policies_topic
from ounce_services.cluster.admin import Cluster
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.policies import topic
from ounce_services.policies.command import command
from ounce_services.policies.foresight_page import foresight_page
from ounce_services.policies.foresight_rows import figure_rows, plan_rows
from ounce_services.policies.listing import history_table, silent_line, status_table
from ounce_services.policies.status import WorkerStatus, read_statuses
from ounce_services.policies.topic import PolicyTopic


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, arguments)


def foresight() -> Foresight:
    before, after = Figures(n=200), Figures(n=200, n_refused=10)
    before.plans.update({"light": 200})
    after.plans.update({"light": 50, "heavy": 140})
    before.in_time, after.in_time = 200, 180
    before.compute_ms, after.compute_ms = 20.0, 190.0
    change = Change(1.5, 0, "<script>alert(1)</script>", "d&1", "light", "refused", "floor missed")
    return Foresight(
        before, after, n_changed=150, n_decisions=9, changes=[change], versions={"v1": 200}
    )


def test_rows_say_what_changes_in_points_and_per_cent() -> None:
    rows = {row[0]: row[1:] for row in [*figure_rows(foresight()), *plan_rows(foresight())]}
    assert rows["deadlines kept"] == ("100.00%", "90.00%", "-10.00 points")
    assert rows["refused"] == ("0.00%", "5.00%", "+5.00 points")
    assert rows["compute each, ms"] == ("0.1", "1", "+900.0%")
    assert rows["heavy"] == ("0.00%", "70.00%", "+70.00 points")


def test_a_page_needs_nothing_beside_itself_and_runs_nothing_of_what_was_sent() -> None:
    page = foresight_page("p.yaml", "rules: [{name: a}] # </pre><script>", {"digits": foresight()})
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "d&amp;1" in page
    assert re.findall(r"(?:src|href|url)\s*[=(]", page) == []


def test_checking_exits_with_1_where_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "p.yaml"
    file.write_text("rules: [{name: a}, {name: b}]")
    result = run("check", str(file))
    assert "error: rule b: is never met" in result.output
    assert "checked against no ladder, only its own rules: models holds none" in result.output
    file.write_text("min_accuracy: 0.5")
    assert run("check", str(file)).exit_code == 0


def test_a_mistyped_folder_of_models_is_told_and_passes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("min_accuracy: 0.5")
    result = run("check", str(file), "--models", str(tmp_path / "modles"))
    assert result.exit_code == 2
    assert f"there is no folder {tmp_path / 'modles'}" in result.output


def test_explaining_names_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "p.yaml"
    file.write_text("rules: [{name: eu, when: {extensions: {region: eu-*}}, fallback: refuse}]")
    options = ["--task", "digits"]
    told = run("explain", str(file), *options, "--extension", "region=eu-1").output
    assert "rule: eu\n" in told
    assert "fallback: refuse" in told
    assert "rule: none" in run("explain", str(file), *options).output
    wrong = run("explain", str(file), *options, "--extension", "region")
    assert wrong.exit_code == 2


def test_a_topic_that_was_made_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = iter([{}, {}, {policies_topic(): 1}])
    looks = []

    def describe(*_: Any) -> Cluster:
        looks.append(1)
        return Cluster("mockCluster", next(shown, {}))

    monkeypatch.setattr(topic, "describe_cluster", describe)
    found = PolicyTopic("nowhere:1")
    found._wait_until_there()
    assert len(looks) == 3
    found._wait_until_there()
    assert len(looks) == 3  # a topic that is good is not asked for again
    with pytest.raises(BrokerError, match="was made, and Kafka does not show it"):
        PolicyTopic("nowhere:1", timeout_s=0.1)._wait_until_there()


def test_a_replay_of_nothing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("min_accuracy: 0.5")
    result = run("replay", "--policy", str(file), "--decisions", str(tmp_path))
    assert isinstance(result.exception, ArtifactError)
    file.write_text("min_accuracy: 5")
    result = run("replay", "--policy", str(file), "--decisions", str(tmp_path))
    assert isinstance(result.exception, PolicyError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "--task=digits", "--max-latency-ms=nan"],
        ["explain", "--task=digits", "--min-accuracy=nan"],
        ["replay", "--decisions=x", "--live", "--every=nan"],
        ["replay", "--decisions=x", "--live", "--seconds=nan"],
        ["canary", "start", "--share=0.1", "--margin=nan"],
        ["canary", "start", "--share=0.1", "--confidence=nan"],
        ["shadow", "start", "--task=digits", "--share=nan"],
    ],
    ids=" ".join,
)
def test_what_is_no_number_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{}")
    named = [f"--policy={file}"] if arguments[0] == "replay" else [str(file)]
    result = run(*arguments, *named)
    assert (result.exit_code, "'nan' is no number" in result.output) == (2, True), result.output


def test_a_topic_that_is_not_there_is_named(embedded_broker: EmbeddedBroker) -> None:
    topic = PolicyTopic(embedded_broker.bootstrap_servers)
    with pytest.raises(PolicyError, match=r"no topic ounce\.typo\.requests: check the name"):
        topic.require_topics(["ounce.typo.requests"])
    embedded_broker.create_topics(["ounce.there.requests"])
    topic.require_topics(["ounce.there.requests"])


def test_a_comparison_of_an_unknown_task_says_so(embedded_broker: EmbeddedBroker) -> None:
    kafka = f"--kafka={embedded_broker.bootstrap_servers}"
    embedded_broker.create_topics(["ounce.there.predictions"])
    unknown = run("shadow", "compare", "typo", kafka)
    assert "no topic ounce.typo.predictions: check the name" in str(unknown.exception)
    known = run("shadow", "compare", "there", kafka)
    assert known.output == "no answer of a shadow has a published counterpart\n"


def test_a_page_that_can_not_be_written_is_said_before_the_replay(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("min_accuracy: 0.5")
    page = tmp_path / "nowhere" / "page.html"
    result = run("replay", f"--policy={file}", f"--decisions={tmp_path}", f"--page={page}")
    assert result.exit_code == 2
    assert f"there is no folder {page.parent}" in result.output


@pytest.mark.parametrize(
    ("kinds", "version", "has_trouble"),
    [
        ([EventKind.POLICY_CHANGED], "v1", False),
        ([EventKind.POLICY_CHANGED, EventKind.POLICY_REFUSED], "v1", True),
        ([EventKind.POLICIES_UNREACHED], None, True),
        ([EventKind.POLICIES_UNREACHED, EventKind.POLICIES_REACHED], None, False),
    ],
)
def test_a_workers_events_tell_its_version(
    kinds: list[EventKind], version: str | None, has_trouble: bool
) -> None:
    events = [OperationalEvent(kind, "digits", "v1", "why", 5, "w") for kind in kinds]
    other = OperationalEvent(EventKind.OVERLOAD, "digits", "requests", "", 6, "w")
    values = [b"junk", None, *map(msgspec.json.encode, [*events, other])]
    [status] = read_statuses(values)
    assert (status.worker, status.task, status.version) == ("w", "digits", version)
    assert bool(status.trouble) is has_trouble


@pytest.mark.parametrize(
    ("told_s", "runs", "refused", "passed_s", "is_silent"),
    [
        (-1, "v1", "v6", 61, True),
        (-1, "v1", "v6", 59, False),
        (1, "v1", "v6", 61, False),
        (-1, "v7", "v6", 61, False),
        # The clock of its machine is behind.
        (-1, "v1", "v7", 61, False),
    ],
)
def test_a_worker_that_told_nothing_since_a_version_came_may_be_gone(
    told_s: int, runs: str, refused: str, passed_s: int, is_silent: bool
) -> None:
    version = PolicyVersion(
        number=7, base=6, id="a", author="ann", at=datetime(2026, 1, 1, tzinfo=UTC), document="{}"
    )
    came_ms = int(version.at.timestamp() * 1000)
    told_ms = came_ms + told_s * 1000
    events = [
        OperationalEvent(EventKind.POLICY_CHANGED, "digits", runs, "", told_ms - 9000, "w"),
        OperationalEvent(EventKind.POLICY_REFUSED, "digits", refused, "", told_ms, "w"),
    ]
    [status] = read_statuses(map(msgspec.json.encode, events))
    assert status.is_silent(version, came_ms + passed_s * 1e3) is is_silent
    assert status.is_silent(None, came_ms + 1e6) is False


def test_a_worker_of_two_tasks_is_named_once() -> None:
    workers = [
        WorkerStatus("a", "bearing"),
        WorkerStatus("b", "digits"),
        WorkerStatus("a", "digits"),
    ]
    told = "2 workers told nothing since v7 came, and may be gone: a, b"
    assert silent_line(workers, "v7") == told


def test_a_version_with_a_trial_says_so_in_the_history() -> None:
    version = PolicyVersion(
        number=7,
        base=6,
        id="abc",
        author="ann",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        document="{}",
        note="try it",
        canary=Canary(document="{}", share=0.1),
    )
    assert history_table([version]).endswith("canary on 10.0% of the devices; try it")


def test_a_worker_that_told_of_no_version_has_had_it_for_no_time() -> None:
    table = status_table([WorkerStatus("w", "digits", trouble="away")], now_ms=1.8e12)
    assert table.splitlines()[1].split() == ["w", "digits", "-", "-", "away"]
