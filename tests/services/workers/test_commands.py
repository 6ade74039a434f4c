"""`ounce status` and `ounce top`."""

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result
from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas.event import EventKind
from ounce_services.workers.status_command import command as status
from ounce_services.workers.top_command import command as top

from tests.services.workers.serving_pages import HEAVY, LIGHT, FakeWorker, page_of

ABSENT = "127.0.0.1:1"
HOSTILE = 'a"b\nc[red]d\x1b[2Je'


def run(*arguments: str) -> Result:
    return CliRunner().invoke(status, arguments, catch_exceptions=False, standalone_mode=False)


def test_status_of_a_worker_that_serves() -> None:
    with page_of(FakeWorker()) as worker:
        worker.answer(LIGHT, [2.0] * 3)
        worker.answer(HEAVY, [2.0], late=1)
        result = run(worker.address)
        document = run(worker.address, "--json")
    assert result.return_value == document.return_value == 0
    first, second = result.output.splitlines()
    assert first.startswith(f"{worker.address}  ready  (ounce ")
    assert first.endswith("policy v7)")
    assert "digits: answered 4, p99" in second
    assert "deadlines kept 75.0%, floors met 100.0%, lag 0, dead letters 0" in second
    (state,) = json.loads(document.output)
    assert (state["is_ready"], state["is_alive"], state["policies"]) == (True, True, ["v7"])
    assert state["tasks"][0]["models"] == {LIGHT: 0.75, HEAVY: 0.25}


def test_status_of_a_worker_that_has_no_policy_yet_names_none() -> None:
    starting = FakeWorker()
    starting.metrics = Metrics()
    with page_of(starting) as worker:
        result = run(worker.address)
    assert re.search(r"ready  \(ounce [^,]+\)$", result.output.splitlines()[0])


def test_status_of_a_window_counts_only_what_came_in_it() -> None:
    with page_of(FakeWorker()) as worker:
        worker.answer(LIGHT, [2.0] * 3)
        (state,) = json.loads(run(worker.address, "--json", "--over-s", "0.01").output)
    assert (state["tasks"][0]["answered"], state["tasks"][0]["per_s"]) == (0, 0)
    assert state["tasks"][0]["deadlines_kept"] is None


def test_status_says_what_is_amiss_by_its_exit_code() -> None:
    with page_of(FakeWorker()) as worker:
        worker.metrics.show_policy_stale(True)
        amiss = run(worker.address)
        gone = run(worker.address, ABSENT)
        worker.health.draining = True
        draining = run(worker.address)
    assert amiss.return_value == 3
    assert "  ! the latest policy is not in force" in amiss.output
    assert gone.return_value == 1
    assert f"{ABSENT}  no worker at http://{ABSENT}/metrics" in gone.output
    assert draining.return_value == 1
    assert "not ready: draining" in draining.output


def test_status_says_which_release_serves_and_why_another_one_does_not() -> None:
    good, bad = "a" * 64, "b" * 64
    with page_of(FakeWorker()) as worker:
        worker.page.show(worker.ladder, good)
        serves = run(worker.address)
        worker.page.show_refused("digits", bad, "no model can serve: light: does not run")
        worker.metrics.observe_event("digits", EventKind.MODELS_REFUSED)
        refused = run(worker.address)
        (state,) = json.loads(run(worker.address, "--json").output)
    assert serves.return_value == 0
    assert serves.output.splitlines()[1].endswith(f", release {good[:12]}")
    assert refused.return_value == 3
    assert refused.output.splitlines()[2:] == [
        f"  ! digits: release {bad[:12]} does not serve, release {good[:12]} does: "
        "no model can serve: light: does not run"
    ]
    assert (state["models"][0]["release"], state["models"][0]["asked"]) == (good, bad)
    assert state["models"][0]["models"].keys() == {LIGHT, HEAVY}


def test_status_names_each_model_that_was_refused_and_why() -> None:
    with page_of(FakeWorker()) as worker:
        worker.page.show(replace(worker.ladder, refused=["mlp: does not run"]), "")
        worker.metrics.ladders.describe(replace(worker.ladder, refused=["mlp: does not run"]))
        refused = run(worker.address)
        worker.page.show_refused("digits", "", "task.json: can't be read")
        whole = run(worker.address)
    assert refused.output.splitlines()[2:] == ["  ! digits: refused: mlp: does not run"]
    assert "not all serves, what was in its folder does: task.json: can't" in whole.output


def test_a_page_of_models_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeWorker()
    monkeypatch.setattr(fake.page, "body", lambda: b"<html>")
    with page_of(fake) as worker:
        result = run(worker.address)
    assert result.return_value == 1
    assert "/models is not a worker's" in result.output


def test_what_is_no_address_is_wrong_usage() -> None:
    for command in (status, top):
        result = CliRunner().invoke(command, ["ftp://x"])
        assert result.exit_code == 2
        assert "'ftp://x' is no worker's address" in result.output


def test_a_hostile_name_is_one_line_without_escapes() -> None:
    with page_of(FakeWorker(HOSTILE)) as worker:
        worker.answer(LIGHT, [2.0])
        worker.metrics.observe_event(HOSTILE, EventKind.OVERLOAD)
        shown = run(worker.address).output
        frame = CliRunner().invoke(top, [worker.address, "--limit=1"], catch_exceptions=False)
    for text in (shown, frame.output):
        assert "\x1b[2J" not in text
        assert "[red]d" in text
    assert len(shown.splitlines()) == 2


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_top_shows_workers_tasks_models_and_incidents(wide: None) -> None:
    with page_of(FakeWorker()) as worker, page_of(FakeWorker("bearing")) as other:
        worker.answer(LIGHT, [2.0] * 3)
        worker.answer(HEAVY, [2.0], late=1)
        other.metrics.observe_event("bearing", EventKind.MODEL_SUSPENDED)
        addresses = [worker.address, other.address, ABSENT]
        result = CliRunner().invoke(top, [*addresses, "--limit=1"], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    assert any(line.startswith(f"{worker.address} ready") for line in lines)
    assert any(line.startswith(f"{ABSENT} no worker at") for line in lines)
    assert "http://127.0.0.1:1/metrics" in " ".join(lines)
    assert any(line.startswith("digits –") and "75.0% 100.0% 0 0 0 0" in line for line in lines)
    assert any(line.startswith("light ███████████████ 75.0%") for line in lines)
    assert "digits heavy 1 0 1" in lines
    assert f"{other.address} bearing model-suspended" in lines


def test_the_second_frame_is_of_the_time_since_the_first(wide: None) -> None:
    with page_of(FakeWorker()) as worker:
        worker.answer(LIGHT, [2.0] * 3, late=1)
        options = [worker.address, "--limit=2", "--every-s=0.1"]
        output = CliRunner().invoke(top, options, catch_exceptions=False).output
    first, second = output.split("Workers")[1:]
    assert "Worst decisions" in first
    assert "Worst decisions" not in second
    assert "Models of digits" not in second
