"""A share of the devices has a policy on trial; each answer names the policy that it got."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.canary.sequential_test import Outcomes
from ounce_edge.telemetry.trial_counts import Pair, TrialCounts
from ounce_schemas.canary import Canary, Criterion
from ounce_schemas.errors import PolicyError
from ounce_schemas.event import EventKind
from ounce_schemas.label import Label
from ounce_schemas.policy import DeviceShare, EffectivePolicy
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_trial import policy_in_force
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import (
    GOOD,
    HEAVY,
    LIGHT,
    edition,
    raises,
    second_label,
    standing_clocks,
)


def version(document: str, canary: str | None, share: float = 0.3) -> PolicyVersion:
    return PolicyVersion(
        number=7,
        base=6,
        id="abc",
        author="ann",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        document=document,
        canary=None if canary is None else Canary(document=canary, share=share),
    )


def serving(document: str, canary: str, share: float = 0.3, light: Any = second_label) -> Pipeline:
    models = served(DIGITS, "light", light, **LIGHT), served(DIGITS, "heavy", second_label, **HEAVY)
    policy = policy_in_force(version(document, canary, share), "digits", runs_canary=True)
    clocks = standing_clocks()
    return Pipeline(edition(*models).under(policy), clocks=clocks)


def ask(pipeline: Pipeline, n: int, counts: TrialCounts | None = None) -> list[Prediction]:
    outbox = Outbox()
    records = [
        FakeRecord(GOOD, [("ce_id", b"%d" % i)], b"line-%d" % i, offset_=i) for i in range(n)
    ]
    report = serve(pipeline, records, outbox)
    if counts is not None:
        counts.observe(report)
    return [
        msgspec.json.decode(value or b"", type=Prediction)
        for topic, value, _, _ in outbox.records
        if topic.endswith(".predictions")
    ]


def effective(document: str, canary: str | None, **how: Any) -> EffectivePolicy:
    return policy_in_force(version(document, canary), "digits", **how)


def test_a_share_of_the_devices_always_the_same_has_the_policy_on_trial() -> None:
    rules = "rules: [{name: r, when: {device: 'line-1*'}, allow: [heavy]}]"
    pipeline = serving("min_accuracy: 0.6", "{min_accuracy: 0.6, " + rules + "}")
    found = {answer.id: answer for answer in ask(pipeline, 600)}
    on_trial = {i for i, a in found.items() if a.parameters.policy_version == "v7-canary"}
    assert len(found) == 600
    assert 130 < len(on_trial) < 230
    share = DeviceShare(share=0.3, salt="abc")
    assert on_trial == {i for i in found if share.has(f"line-{i}".encode())}
    assert {a.parameters.policy_version for a in found.values()} == {"v7", "v7-canary"}
    heavy = {i for i, a in found.items() if a.model_name == "heavy"}
    assert heavy == {i for i in on_trial if i.startswith("1")}


def test_a_greater_share_keeps_its_devices_and_messages_without_device_have_no_part() -> None:
    few, many = DeviceShare(share=0.1, salt="s"), DeviceShare(share=0.4, salt="s")
    devices = [b"d%d" % i for i in range(2000)]
    assert {d for d in devices if few.has(d)} < {d for d in devices if many.has(d)}
    assert not DeviceShare(share=0.999999, salt="s").has(None)


def test_a_task_of_which_nothing_is_on_trial_is_served_as_before() -> None:
    document, canary = "{}", "{tasks: {digits: {min_accuracy: 0.5}}}"
    assert policy_in_force(version(document, canary), "bearing", runs_canary=True).rules == ()
    assert len(effective(document, canary, runs_canary=True).rules) == 1
    assert effective(document, canary, runs_canary=False).rules == ()
    assert effective(document, None, runs_canary=True).rules == ()


def test_a_model_that_is_denied_before_it_comes_answers_nobody() -> None:
    light, heavy = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    for models in ((light,), (light, heavy)):
        found = edition(*models, tasks={"digits": {"deny": ["heavy"]}}, min_accuracy=0.96)
        permitted = [found.plans.plans[i] for route in found.routes for i in route.permitted]
        assert {found.plans.models[s.model].name for p in permitted for s in p.steps} == {"light"}


def test_a_canary_of_a_model_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"has no model \['typo'\]"):
        serving("{}", "{tasks: {digits: {allow: [typo]}}}")


def test_outcomes_are_counted_by_policy_and_labels_find_the_policy_that_answered() -> None:
    pipeline = serving("min_accuracy: 0.6", "min_accuracy: 0.999", share=0.5)
    counts = TrialCounts()
    counts.compare("v7", "v7-canary")
    answers = ask(pipeline, 200, counts)
    n = sum(a.parameters.policy_version == "v7-canary" for a in answers)
    learned = pipeline.learn([Label(a.id, label="zero") for a in answers])
    counts.observe_answers("digits", learned.answers)
    taken = counts.take()
    assert taken["digits", Criterion.FLOORS] == Pair(Outcomes(200 - n, 0), Outcomes(n, n))
    assert taken["digits", Criterion.ERRORS] == Pair(Outcomes(200 - n, 0), Outcomes(n, 0))
    assert taken["digits", Criterion.ACCURACY] == Pair(Outcomes(200 - n, 200 - n), Outcomes(n, n))
    assert counts.take() == {}


def test_requests_that_a_model_fails_on_or_that_are_refused_are_errors_of_their_policy() -> None:
    document, refuses = "tasks: {digits: {allow: [heavy]}}", "{min_accuracy: 1.0, fallback: refuse}"
    for canary, light in ((refuses, second_label), ("tasks: {digits: {allow: [light]}}", raises)):
        pipeline, counts = serving(document, canary, 0.5, light), TrialCounts()
        counts.compare("v7", "v7-canary")
        n = len(ask(pipeline, 100, counts))
        assert 20 < n < 80
        errors = counts.take()["digits", Criterion.ERRORS]
        assert errors == Pair(Outcomes(n, 0), Outcomes(100 - n, 100 - n))


def test_outcomes_wait_until_both_policies_have_some_and_none_are_kept_without_a_trial() -> None:
    counts = TrialCounts()
    counts.observe_answers("digits", {"v7": Outcomes(3, 1)})
    counts.compare("v7", "v7-canary")
    counts.observe_answers("digits", {"v7": Outcomes(3, 1), "v6": Outcomes(9, 9)})
    assert counts.take() == {}
    counts.observe_answers("digits", {"v7": Outcomes(2, 1), "v7-canary": Outcomes(1, 0)})
    assert counts.take()["digits", Criterion.ACCURACY] == ((5, 2), (1, 0))
    counts.end()
    counts.observe_answers("digits", {"v7": Outcomes(2, 1), "v7-canary": Outcomes(1, 0)})
    assert counts.take() == {}


def test_a_floor_that_only_the_policy_on_trial_never_met_is_no_event() -> None:
    pipeline = serving(
        "min_accuracy: 0.9", "{min_accuracy: 0.9, tasks: {digits: {allow: [light]}}}"
    )
    records = [FakeRecord(GOOD, [], b"line-%d" % i, offset_=i) for i in range(100)]
    for _ in range(3):
        report = serve(pipeline, records, Outbox())
        assert report.incidents == []


def test_a_floor_that_only_the_policy_on_trial_misses_is_met_again_once_the_trial_ends() -> None:
    document, canary = "min_accuracy: 0.6", "{min_accuracy: 0.6, tasks: {digits: {allow: [light]}}}"
    pipeline = serving(document, canary)
    pipeline.plans.accuracy.observe_labels(0, 500, 500, at_s=50.0)
    pipeline.plans._refreshed_at_s = -1e9  # a second later
    records = [FakeRecord(GOOD, [], b"line-%d" % i, offset_=i) for i in range(100)]
    first = {(i.kind, i.subject) for i in serve(pipeline, records, Outbox()).incidents}
    assert (EventKind.FLOOR_UNREACHABLE, "0.6") in first
    pipeline.replace_edition(pipeline.edition.under(effective(document, canary, runs_canary=False)))
    told = [(i.kind, i.subject) for i in serve(pipeline, records, Outbox()).incidents]
    assert told == [(EventKind.FLOOR_REACHABLE, "0.6")]
