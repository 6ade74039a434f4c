"""The console where much is to be read: figures, plots, and tables that a keyboard reaches."""

import re
from datetime import UTC, datetime
from html import unescape

import msgspec
import pytest
from fastapi.testclient import TestClient
from ounce_edge.recommender.rule.explanation import Assessment
from ounce_schemas.errors import BrokerError
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Choice, Objective
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.control.access.principal import Role
from ounce_services.control.api.app import make_app
from ounce_services.control.console.frontier import plot
from ounce_services.control.console.pages import _environment
from ounce_services.control.console.views import UNITS, WHY
from ounce_services.control.decision_search import Found
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings
from ounce_services.registry.topic import ModelsTopic

from tests.services.control.conftest import MemoryTopics, logged_in
from tests.services.test_shadow_comparison import answer
from tests.support.edge.ladders import DIGITS, write_ladder


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.0123, "0.0123 ms"),
        (530.2, "530 ms"),
        (999.9, "1 s"),
        (29_512.0, "29.5 s"),
        (2e6, "2,000 s"),
    ],
)
def test_long_times_are_in_seconds(ms: float, text: str) -> None:
    assert _environment().filters["ms"](ms) == text


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [(0, "1970-01-01 00:00:00"), (-1, "-"), (-(10**18), "-"), (10**17, f"{10**17} ms")],
)
def test_a_record_may_bear_any_time(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, at_ms: int, text: str
) -> None:
    _, value = answer("m-1", "7", "v1")
    made = msgspec.json.decode(value, type=Prediction)
    found = Found("m-1", "mlp", "1", "line-7", at_ms, made.parameters)
    monkeypatch.setattr("ounce_services.control.plane.find_decision", lambda *how: found)
    shown = logged_in(plane).get("/decision?task=digits&id=m-1").text
    assert f"<dt>Answered, UTC</dt><dd>{text}</dd>" in shown


def test_a_decision_says_what_is_unusual_and_leads_to_its_policy(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = logged_in(plane)
    client.post("/policy/apply", data={"document": "{}", "base": 0})
    _, value = answer("m-1", "7", "v1")
    made = msgspec.json.decode(value, type=Prediction).parameters

    def shown(**more: object) -> str:
        found = Found("m-1", "mlp", "1", "d", 1, msgspec.structs.replace(made, **more))
        monkeypatch.setattr("ounce_services.control.plane.find_decision", lambda *how: found)
        return client.get("/decision?task=digits&id=m-1").text

    usual = shown()
    assert '<a href="/policy?version=1">v1</a>' in usual
    assert re.findall("<dt>(Rows|Explanation|Marks)", usual) == []
    assert "GPU" not in usual
    told = shown(
        policy_version="v9", rows=3, gpu_ms=0.25, duplicate=True, timestamp_off=True,
        not_explained="targets",
    )  # fmt: skip
    assert "<dd>v9</dd>" in told
    for text in (">3<", "of which GPU 0.25 ms", ">none: targets<", ">duplicate, timestamp_off<"):
        assert text in told


def test_a_ladder_that_can_not_be_read_hides_no_other_and_no_other_page(
    plane: Plane, settings: ControlSettings
) -> None:
    write_ladder(settings.models, DIGITS, "a")
    (settings.models / "odd").mkdir()
    (settings.models / "odd" / "task.json").write_text("x")
    client = logged_in(plane)
    shown = client.get("/ladders").text
    assert "The ladder of odd can't be read: " in unescape(shown)
    assert "Cost and accuracy of the plans of digits" in shown
    for path in ("/trial", "/decision", "/dead-letters"):
        assert client.get(path).status_code == 200, path
    checked = client.post("/policy/check", data={"document": "{}"}).text
    assert "task odd" in checked
    assert client.post("/policy/apply", data={"document": "{}", "base": 0}).status_code == 200
    assert plane.policies.version().number == 1


def test_an_answer_names_each_target_that_it_missed(plane: Plane) -> None:
    key, value = answer("m-1", "7", "v1", latency_ms=9.0)
    late_and_low = value.replace(b'"floor_met":true', b'"floor_met":false')
    assert late_and_low != value
    plane.stream.take("digits", [(key, late_and_low), (key, value)])
    text = logged_in(plane).get("/live").text
    assert ">late (deadline 2 ms), under its floor<" in text
    assert ">late (deadline 2 ms)<" in text


def test_workers_that_told_nothing_of_the_policy_in_force_stand_apart(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    version = PolicyVersion(number=1, base=0, id="a", author="ann", at=at, document="{}")
    topics_in_memory.write(version)
    plane.policies.follow()
    before_ms = int(at.timestamp() * 1e3) - 1
    for worker, task, runs in (
        ("gone", "digits", "v9"),
        ("gone", "bearing", "v9"),
        ("w", "digits", "v1"),
    ):
        event = OperationalEvent(EventKind.POLICY_CHANGED, task, runs, "", before_ms, worker)
        topics_in_memory.events.append(msgspec.json.encode(event))
    client = logged_in(plane)
    shown, folded, rest = client.get("/").text.partition("<details>")
    assert (">w<" in shown, ">gone<" in shown, folded) == (True, False, "<details>")
    assert "1 told nothing since v1 came" in rest
    assert (rest.count(">gone<"), "not v1" in rest) == (2, False)
    workers = client.get("/v1/fleet").json()["workers"]
    assert [(w["worker"], w["is_silent"]) for w in workers] == [
        ("gone", True), ("gone", True), ("w", False),
    ]  # fmt: skip


def test_workers_that_need_a_look_come_first(plane: Plane, topics_in_memory: MemoryTopics) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    topics_in_memory.write(
        PolicyVersion(number=1, base=0, id="a", author="ann", at=at, document="{}")
    )
    plane.policies.follow()
    at_ms = int(at.timestamp() * 1e3) + 1
    for worker, kind, subject in (
        ("alpha", EventKind.POLICY_CHANGED, "v1"),
        ("beta", EventKind.POLICY_REFUSED, "v1"),
        ("gamma", EventKind.POLICY_CHANGED, "v1"),
        ("delta", EventKind.POLICY_CHANGED, "v0"),
    ):
        event = OperationalEvent(kind, "digits", subject, "why", at_ms, worker)
        topics_in_memory.events.append(msgspec.json.encode(event))
    text = logged_in(plane).get("/").text
    order = sorted(("alpha", "beta", "gamma", "delta"), key=lambda name: text.index(f">{name}<"))
    assert order == ["beta", "delta", "alpha", "gamma"]


def test_of_many_tasks_the_worst_is_listed_first_and_the_chosen_one_is_shown_whole(
    plane: Plane,
) -> None:
    for n, late in enumerate((False, True, None, False)):
        key, value = answer(f"m-{n}", "7", "v1", latency_ms=9.0)
        if late is False:
            value = value.replace(b'"deadline_met":false', b'"deadline_met":true')
        plane.stream.take(f"task-{n}", [] if late is None else [(key, value)])
    client = logged_in(plane)
    few = client.get("/live").text
    assert (few.count("Who answers"), "All tasks" in few) == (3, False)
    plane.stream.take("task-4", [answer("m-4", "7", "v1")])
    many = client.get("/?task=task-3").text
    assert many.count("Who answers") == 1
    assert 'id="answer-task-3-m-3"' in many
    assert 'hx-get="/live?task=task-3"' in many
    listed = many[many.index("All tasks") :]
    order = sorted((f"task-{n}" for n in range(5)), key=lambda t: listed.index(f">{t}<"))
    assert (order[0], order[-1]) == ("task-1", "task-2")
    assert "Who answers" not in client.get("/live").text


@pytest.mark.parametrize(("per_s", "text"), [(0.3, "0.3"), (9.94, "9.9"), (12_345.6, "12,346")])
def test_slow_rates_are_not_rounded_to_nothing(per_s: float, text: str) -> None:
    assert _environment().filters["rate"](per_s) == text


@pytest.mark.parametrize("objective", Objective)
def test_ladders_are_shown_whatever_is_to_be_least(
    plane: Plane, settings: ControlSettings, objective: Objective
) -> None:
    write_ladder(settings.models, DIGITS, "a", "b")
    document = f"objective: {objective}"
    client = logged_in(plane)
    assert client.post("/policy/apply", data={"document": document, "base": 0}).status_code == 200
    text = client.get("/ladders").text
    assert f"Cost, {UNITS[objective]}</th>" in text
    assert f"cost of an item, {UNITS[objective]}</text>" in text


def test_pages_begin_with_a_task_that_kafka_has(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(plane.policies), "tasks", lambda book: ["bearing"])
    assert "<option selected>bearing</option>" in logged_in(plane).get("/decision").text
    plane.stream.take("digits", [])
    page = logged_in(plane).get("/decision").text
    assert "<option>bearing</option><option selected>digits</option>" in page


def test_where_no_version_is_in_force_the_policy_page_says_how_to_begin(plane: Plane) -> None:
    client = logged_in(plane)
    first = client.get("/policy").text
    assert ("min_accuracy: 0.9" in first, "<h2>Versions</h2>" in first) == (True, False)
    client.post("/policy/apply", data={"document": "{}", "base": 0})
    assert "<h2>Versions</h2>" in client.get("/policy").text


def test_a_key_of_one_tenant_is_led_to_no_page_that_it_may_not_see(plane: Plane) -> None:
    bound, free = logged_in(plane, "admin", "acme"), logged_in(plane, "admin")
    links = {
        name: re.findall(r'<a href="([^"]+)"(?: aria-current="page")?>', client.get("/").text)
        for name, client in (("bound", bound), ("free", free))
    }
    assert set(links["free"]) - set(links["bound"]) == {"/trial", "/decision"}
    for path in links["bound"]:
        assert bound.get(path).status_code == 200, path


def test_a_task_without_answers_has_no_latency(plane: Plane) -> None:
    plane.stream.take("digits", [])
    text = logged_in(plane).get("/live").text
    assert text.count("<dd>-</dd>") == 4


@pytest.mark.parametrize(
    ("least", "most"), [(0.0128, 0.0756), (0.005, 0.4), (0.011, 0.013), (1, 9e4)]
)
def test_a_plot_has_several_marks_of_cost(least: float, most: float) -> None:
    plans = [
        Assessment(f"p{i}", cost, 1.0, 0.9, 0.8, True, True, True)
        for i, cost in enumerate((least, most))
    ]
    ticks = plot(plans).x_ticks
    assert 2 <= len(ticks) <= 12
    assert [x for x, _ in ticks] == sorted({x for x, _ in ticks})


def test_each_reason_of_an_answer_has_words() -> None:
    assert WHY.keys() == set(Choice)
    assert len(set(WHY.values())) == len(WHY)


def test_tables_that_scroll_are_reached_by_keyboard(plane: Plane) -> None:
    plane.stream.take("digits", [answer("m-1", "7", "v1")])
    text = logged_in(plane).get("/").text
    assert (
        text.count('class="scroll"') == text.count('class="scroll" tabindex="0" role="group"') > 0
    )


def test_the_demos_broker_keeps_no_models_and_the_page_says_so(settings: ControlSettings) -> None:
    with EmbeddedBroker() as broker:
        with pytest.raises(BrokerError, match="publish models where there is a Kafka"):
            ModelsTopic(broker.bootstrap_servers, 60.0)
        plane = make_plane(
            settings.model_copy(update={"kafka": broker.bootstrap_servers, "kafka_timeout_s": 60.0})
        )
        try:
            page = logged_in(plane, "viewer").get("/models")
            key, _ = plane.gate.keys.make("bob", Role.VIEWER)
            call = TestClient(make_app(plane)).get(
                "/v1/models", headers={"Authorization": f"Bearer {key}"}
            )
        finally:
            plane.database.close()
    assert (page.status_code, "embedded broker" in page.text) == (200, True)
    assert (call.status_code, "embedded broker" in call.text) == (503, True)


def test_a_kafka_that_says_nothing_of_the_topic_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        cluster_id, topics = "a", {"ounce.models": None}

        def describe_configs(self, resources: list[object]) -> dict[object, "Silent"]:
            return dict.fromkeys(resources, self)

        def result(self, timeout_s: float) -> None:
            raise TimeoutError

    silent = Silent()
    monkeypatch.setattr("ounce_services.registry.topic.first_contact", lambda *_: (silent, silent))
    with pytest.raises(BrokerError, match=r"ounce\.models: Kafka does not answer within 3 s"):
        ModelsTopic("127.0.0.1:1", 3.0)
