"""What a replay foresees is what then happens."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_edge.dry_run.settling import routes_on
from ounce_edge.evidence.decided import Recorder
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import GOOD, Clock, edition

BEFORE: dict[str, Any] = {"max_latency_ms": 100.0, "min_accuracy": 0.7}
AFTER: dict[str, Any] = {
    "max_latency_ms": 40.0,
    "min_accuracy": 0.8,
    "rules": [
        {"name": "acme", "when": {"tenant": "acme"}, "min_accuracy": 0.9},
        {"name": "line", "when": {"device": "line-1*"}, "deny": ["middle"], "objective": "memory"},
        {
            "name": "refuses",
            "when": {"tenant": "strict"},
            "min_accuracy": 0.995,
            "fallback": "refuse",
        },
    ],
}
MS = {"light": 0.02, "middle": 0.2, "heavy": 1.0}


def stream(n: int, seed: int = 1) -> list[list[FakeRecord]]:
    """Polls of messages, as many kinds of senders send them."""
    rng = np.random.default_rng(seed)
    polls, at = list[list[FakeRecord]](), 0
    while at < n:
        poll = []
        for _ in range(int(rng.integers(1, 30))):
            headers = [("ce_id", b"%d" % at)]
            tenant = rng.choice(["", "acme", "strict", "other"])
            if tenant:
                headers.append(("ce_tenant", tenant.encode()))
            if rng.random() < 0.3:
                headers.append(("ce_minaccuracy", b"%g" % rng.choice([0.5, 0.75, 0.93])))
            if rng.random() < 0.3:
                headers.append(("ce_maxlatencyms", b"%g" % rng.choice([3.0, 30.0, 300.0])))
            key = b"line-%d" % rng.integers(20)
            poll.append(FakeRecord(GOOD, headers, key, offset_=at, timestamp_ms=0))
            at += 1
        polls.append(poll)
    return polls


def happens(
    recorder_of: Callable[[LogHeader], Recorder], policy: dict[str, Any], n: int = 3000
) -> Sequence[tuple[str, Any]]:
    """Serve the stream under a policy: topic and prediction of each message."""
    clock = Clock()
    models = [
        served(
            DIGITS,
            name,
            clock.takes(MS, name),
            accuracy=accuracy,
            ms_per_item=MS[name],
            size_bytes=size,
        )
        for name, accuracy, size in (
            ("light", 0.80, 300),
            ("middle", 0.90, 200),
            ("heavy", 0.99, 100),
        )
    ]
    start = edition(*models, **policy)
    log = recorder_of(start.log_header())
    serving, outbox = Pipeline(start, clocks=Clocks(clock, clock), log=log), Outbox()
    for poll in stream(n):
        for record in poll:
            record.timestamp_ms = int(clock.now_s * 1e3)
        serve(serving, poll, outbox)
        clock.now_s += 0.05
    serving.close()
    found = []
    for topic, value, _, _ in outbox.records:
        is_answer = topic.endswith("predictions")
        found.append(
            (topic, msgspec.json.decode(value or b"", type=Prediction) if is_answer else None)
        )
    return found


def figures_of(answers: Sequence[tuple[str, Any]]) -> dict[str, float]:
    """Shares of all messages, and compute of each answer."""
    n, given = len(answers), [a for _, a in answers if a is not None]
    plans = Counter(a.parameters.plan for a in given)
    return {
        **{plan: count / n for plan, count in plans.items()},
        "in time": sum(a.parameters.deadline_met for a in given) / n,
        "floor kept": sum(a.parameters.floor_met for a in given) / n,
        "refused": 1 - len(given) / n,
        "compute": sum(a.parameters.cost_ms for a in given) / len(given),
    }


def figures_in(found: Foresight, when: str) -> dict[str, float]:
    of = getattr(found, when)
    return {
        **{plan: of.share(count) for plan, count in of.plans.items()},
        "in time": of.share(of.in_time),
        "floor kept": of.share(of.floor_kept),
        "refused": of.share(of.n_refused),
        "compute": of.each(of.compute_ms),
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[tuple[str, Any]]]:
    folder = tmp_path_factory.mktemp("decisions")
    return folder, happens(partial(DecisionLog, folder), BEFORE)


def test_the_same_policy_changes_nothing_and_its_figures_are_what_was(recorded: Any) -> None:
    folder, answers = recorded
    found = replay_recorded(Policy.model_validate(BEFORE), FolderRecording(folder))["digits"]
    assert found.before == found.after
    assert (found.n_changed, found.changes) == (0, [])
    assert found.before.n == len(answers)
    assert_close(figures_in(found, "before"), figures_of(answers))


def test_what_is_foreseen_of_another_policy_then_happens(recorded: Any, tmp_path: Path) -> None:
    folder, answers = recorded
    found = replay_recorded(Policy.model_validate(AFTER), FolderRecording(folder))["digits"]
    then = figures_of(happens(partial(DecisionLog, tmp_path), AFTER))
    assert_close(figures_in(found, "after"), then)
    changed = {
        name: abs(then.get(name, 0.0) - value) for name, value in figures_of(answers).items()
    }
    assert max(changed.values()) > 0.1  # else it would foresee nothing
    assert found.n_changed > 500
    assert found.after.n_refused > 100
    assert found.changes[0].weight >= found.changes[-1].weight > 0
    assert found.changes[0].after != found.changes[0].before


def assert_close(foreseen: dict[str, float], happened: dict[str, float]) -> None:
    """Within two points, and compute within two per cent."""
    for name in foreseen.keys() | happened.keys():
        a, b = foreseen.get(name, 0.0), happened.get(name, 0.0)
        bound = 0.02 * max(b, 1.0) if name != "compute" else 0.02 * b
        assert abs(a - b) <= bound, (name, foreseen, happened)


def test_a_policy_that_leaves_recorded_messages_no_plan_is_named(recorded: Any) -> None:
    folder, _ = recorded
    rule = {"name": "none", "when": {"tenant": "acme"}, "families": ["neural"]}
    with pytest.raises(PolicyError, match="rule none: permits none of the plans"):
        replay_recorded(Policy.model_validate({"rules": [rule]}), FolderRecording(folder))


def test_a_rule_for_some_hours_changes_only_what_came_then(recorded: Any) -> None:
    folder, _ = recorded
    span = {"valid_from": "1970-01-01T00:01:00Z", "valid_until": "1970-01-01T00:01:05Z"}
    rule = {"name": "then", "when": span, "allow": ["heavy"]}
    policy = Policy.model_validate({**BEFORE, "rules": [rule]})
    found = replay_recorded(policy, FolderRecording(folder))["digits"]
    always = Policy.model_validate({**BEFORE, "rules": [{"name": "a", "allow": ["heavy"]}]})
    of_all = replay_recorded(always, FolderRecording(folder))["digits"]
    assert 0 < found.n_changed < 0.6 * of_all.n_changed
    assert of_all.after.plans.keys() == {"heavy"}


def test_a_folder_without_decisions_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no recorded decisions"):
        replay_recorded(Policy(), FolderRecording(tmp_path))
    (tmp_path / "digits-000001-0123abcd.decisions").write_bytes(b"\x04\x00\x00\x00junk")
    with pytest.raises(ArtifactError, match="not a log of decisions"):
        replay_recorded(Policy(), FolderRecording(tmp_path))


def test_runtimes_of_a_rule_count() -> None:
    header = edition(replace(served(DIGITS, "a"), runtime="cpu")).log_header()
    gpu = Policy.model_validate({"rules": [{"name": "gpu", "runtimes": ["tensorrt"]}]})
    with pytest.raises(PolicyError, match="rule gpu: permits none of the plans"):
        routes_on(header, gpu.for_task("digits"))


def test_prices_of_the_policy_count_with_the_power_that_was_recorded() -> None:
    cpu = served(DIGITS, "cpu", accuracy=0.9)
    gpu = replace(served(DIGITS, "gpu", accuracy=0.9), runtime="tensorrt")
    watts = {"cpu": 20.0, "gpu": 200.0}
    made = edition(cpu, gpu, objective="energy", watts=lambda model: watts[model.card.model])
    prices = {"cpu_ms": 2.0, "gpu_ms": 5.0, "joule": 10.0}
    policy = Policy.model_validate({"objective": "price", "prices": prices}).for_task(DIGITS.name)
    [route], _ = routes_on(made.log_header(), policy)
    assert dict(zip(route.tables.names, route.tables.price_per_ms, strict=True)) == {
        "cpu": [pytest.approx(2.2)],
        "gpu": [pytest.approx(7.0)],
    }
