"""Messages get the targets and the plans of the first rule that they meet."""

import zlib
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.errors import PolicyError
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import GOOD, HEAVY, LIGHT, edition, raises, standing_clocks

TENANT = {"name": "strict", "when": {"tenant": "acme"}, "min_accuracy": 0.95}
LINE = {"name": "line", "when": {"device": "line-*"}, "deny": ["heavy"]}


def asks(id_: str, *headers: tuple[str, bytes], key: bytes = b"d") -> FakeRecord:
    return FakeRecord(
        GOOD, [("ce_id", id_.encode()), *headers], key, offset_=zlib.crc32(id_.encode()) % 1000
    )


def answers(outbox: Outbox) -> dict[str, Prediction]:
    found = [
        msgspec.json.decode(value or b"", type=Prediction) for _, value, _, _ in outbox.records
    ]
    return {answer.id: answer for answer in found}


def answered(records: list[FakeRecord], *, models: Any = None, **policy: Any) -> Any:
    models = models or (served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY))
    serving, outbox = Pipeline(edition(*models, **policy), clocks=standing_clocks()), Outbox()
    serve(serving, records, outbox)
    return answers(outbox)


def test_the_first_rule_that_a_message_meets_gives_its_targets_and_plans() -> None:
    found = answered(
        [
            asks("none"),
            asks("tenant", ("ce_tenant", b"acme")),
            asks("line", key=b"line-7"),
            asks("both", ("ce_tenant", b"acme"), key=b"line-7"),
            asks("own", ("ce_tenant", b"acme"), ("ce_minaccuracy", b"0.5")),
        ],
        min_accuracy=0.6,
        rules=[TENANT, LINE],
    )
    told = {i: (a.model_name, a.parameters.min_accuracy) for i, a in found.items()}
    assert told == {
        "none": ("light", 0.6),
        "tenant": ("heavy", 0.95),
        "line": ("light", 0.6),
        "both": ("heavy", 0.95),  # the first rule counts, the second one does not
        "own": ("light", 0.5),
    }


def test_messages_of_different_routes_that_wait_together_are_all_answered_once() -> None:
    rng = np.random.default_rng(1)
    records = [
        asks(str(i), *([("ce_tenant", b"acme")] if rng.random() < 0.5 else []), key=b"line-%d" % i)
        for i in range(300)
    ]
    rules = [
        {"name": "a", "when": {"tenant": "acme"}, "allow": ["heavy"], "reasons": False},
        {"name": "b", "when": {"device": ["line-1*", "line-2?"]}, "fallback": "refuse"},
    ]
    found = answered(records, min_accuracy=0.9, max_latency_ms=3000.0, rules=rules)
    assert len(found) == 300
    for record in records:
        answer = found[record.headers_[0][1].decode()]  # type: ignore[index, union-attr]
        assert answer.model_name == "heavy"
        assert bool(answer.parameters.rejected) is (len(record.headers_ or ()) == 1)


def test_a_rule_may_refuse_forbid_cascades_and_choose_by_another_cost() -> None:
    light = served(DIGITS, "light", **LIGHT, size_bytes=9000)
    heavy = served(DIGITS, "heavy", **HEAVY, size_bytes=10)
    rules = [
        {"name": "refuses", "when": {"tenant": "r"}, "min_accuracy": 1.0, "fallback": "refuse"},
        {"name": "small", "when": {"tenant": "s"}, "objective": "memory"},
    ]
    serving = Pipeline(
        edition(light, heavy, min_accuracy=0.5, rules=rules), clocks=standing_clocks()
    )
    outbox = Outbox()
    serve(serving, [asks(t, ("ce_tenant", t.encode())) for t in "rsx"], outbox)
    letters = [r for r in outbox.records if r[0].endswith("dead-letters")]
    assert len(letters) == 1
    assert dict(letters[0][3])["ce_tenant"] == b"r"
    outbox.records.remove(letters[0])
    found = answers(outbox)
    assert {i: a.model_name for i, a in found.items()} == {"s": "heavy", "x": "light"}
    assert found["s"].parameters.cost == 10


def test_a_rule_may_ask_for_runtimes_and_one_that_is_not_there_leaves_no_model() -> None:
    light = replace(served(DIGITS, "light", **LIGHT), runtime="tensorrt")
    heavy = replace(served(DIGITS, "heavy", **HEAVY), runtime="cpu")
    rules = [{"name": "cpu", "when": {"tenant": "c"}, "runtimes": ["cpu"]}]
    records = [asks("c", ("ce_tenant", b"c")), asks("x")]
    found = answered(records, models=(light, heavy), min_accuracy=0.5, rules=rules)
    assert {i: a.model_name for i, a in found.items()} == {"c": "heavy", "x": "light"}
    with pytest.raises(PolicyError, match="rule cpu: permits none of the models"):
        edition(light, rules=rules)


def test_limits_bound_what_messages_may_ask_for() -> None:
    limits = {"max_latency_ms": {"least": 20, "most": 80}, "min_accuracy": {"most": 0.8}}
    rule = {"name": "free", "when": {"tenant": "free"}, "limits": limits}
    asked = [("ce_maxlatencyms", b"5"), ("ce_minaccuracy", b"0.99")]
    found = answered(
        [asks("limited", ("ce_tenant", b"free"), *asked), asks("other", *asked)], rules=[rule]
    )
    told = {i: (a.parameters.max_latency_ms, a.parameters.min_accuracy) for i, a in found.items()}
    assert told == {"limited": (20, 0.8), "other": (5, 0.99)}
    late = answered([asks("x", ("ce_maxlatencyms", b"5000"))], limits=limits)
    assert late["x"].parameters.max_latency_ms == 80


def test_an_absent_or_empty_header_matches_no_pattern_and_brackets_mean_nothing() -> None:
    rules = [
        {"name": "any", "when": {"extensions": {"region": "*"}}, "max_latency_ms": 50},
        {"name": "odd", "when": {"device": "a[b]?"}, "max_latency_ms": 60},
    ]
    records = [
        FakeRecord(GOOD, None, b"z", offset_=1),
        asks("empty", ("ce_region", b"")),
        asks("there", ("ce_region", b"\xff")),
        asks("odd", key=b"a[b]c"),
        asks("even", key=b"abc"),
    ]
    found = answered(records, rules=rules)
    deadlines = {i: a.parameters.max_latency_ms for i, a in found.items()}
    assert deadlines == {
        "ounce.digits.requests-3-1": 100,
        "empty": 100,
        "there": 50,
        "odd": 60,
        "even": 100,
    }


def test_a_rule_holds_between_its_times() -> None:
    clock = [0.0]
    rule = {
        "name": "night",
        "when": {"valid_from": "1970-01-01T00:01:40Z", "valid_until": "1970-01-01T00:03:20Z"},
        "max_latency_ms": 7000,
    }
    serving = Pipeline(
        edition(served(DIGITS, "light", **LIGHT), rules=[rule]),
        clocks=standing_clocks(lambda: clock[0]),
    )
    told = []
    for clock[0] in (99.0, 100.0, 199.9, 200.0):
        outbox = Outbox()
        record = replace(asks(f"{clock[0]}"), timestamp_ms=int(clock[0] * 1e3))
        serve(serving, [record], outbox)
        told += [a.parameters.max_latency_ms for a in answers(outbox).values()]
    assert told == [100, 7000, 7000, 100]


def test_a_policy_that_leaves_some_messages_no_model_is_no_edition() -> None:
    rule = {"name": "nobody", "when": {"task": "digits"}, "deny": ["light"]}
    with pytest.raises(PolicyError, match="rule nobody: permits none of the models of task digits"):
        edition(served(DIGITS, "light"), rules=[rule])
    with pytest.raises(PolicyError, match=r"rule typo: task digits has no model \['lihgt'\]"):
        edition(
            served(DIGITS, "light"),
            rules=[{"name": "typo", "when": {"task": ["digits"]}, "allow": ["lihgt"]}],
        )
    families = [{"name": "deep", "families": ["neural"]}]
    with pytest.raises(PolicyError, match="rule deep: permits none"):
        edition(served(DIGITS, "light"), rules=families)


def structured(id_: str, **attributes: str) -> FakeRecord:
    """A request as a CloudEvent in structured mode."""
    values = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    event = {"specversion": "1.0", "id": id_, "source": "s", "type": "t", **attributes}
    body = msgspec.json.encode({**event, "data": {"inputs": [values]}})
    headers = [("content-type", b"application/cloudevents+json"), ("ounce-answer", b"v2")]
    return FakeRecord(body, headers, b"d", 7)


def test_what_waits_meets_the_rules_of_the_new_policy_and_keeps_its_targets() -> None:
    models = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)
    serving, outbox = (
        Pipeline(edition(*models, min_accuracy=0.5), clocks=standing_clocks()),
        Outbox(),
    )
    serving.admit([asks("a"), asks("b", ("ce_tenant", b"acme"))], outbox)
    serving.admit([asks("http", ("CE-Tenant", b"acme"))], outbox)
    serving.admit([structured("event", tenant="acme")], outbox)
    rules = [{"name": "r", "when": {"tenant": "acme"}, "allow": ["heavy"]}]
    other = edition(*models, version="p2", min_accuracy=0.6, rules=rules)
    learned = serving.plans
    serving.replace_edition(serving.edition.under(other.policy))
    assert serving.plans is learned  # another policy forgets nothing of the models
    serve(serving, [asks("c")], outbox)
    told = {
        i: (a.model_name, a.parameters.policy_version, a.parameters.min_accuracy)
        for i, a in answers(outbox).items()
    }
    assert told == {
        "a": ("light", "p2", 0.5),
        "b": ("heavy", "p2", 0.5),
        "http": ("heavy", "p2", 0.5),
        "event": ("heavy", "p2", 0.5),
        "c": ("light", "p2", 0.6),
    }


def test_a_failed_model_whose_messages_may_have_no_other_one_makes_dead_letters() -> None:
    models = served(DIGITS, "light", raises, **LIGHT), served(DIGITS, "heavy", **HEAVY)
    rules = [{"name": "only", "when": {"tenant": "acme"}, "allow": ["light"]}]
    serving, outbox = (
        Pipeline(edition(*models, min_accuracy=0.5, rules=rules), clocks=standing_clocks()),
        Outbox(),
    )
    serve(serving, [asks("stuck", ("ce_tenant", b"acme")), asks("free")], outbox)
    topics = sorted(topic for topic, *_ in outbox.records)
    assert topics == ["ounce.digits.dead-letters", "ounce.digits.predictions"]


def test_what_is_shown_is_of_plans_that_may_answer() -> None:
    light, heavy = served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY)

    shown = Pipeline(edition(light, heavy, tasks={"digits": {"deny": ["heavy"]}})).snapshot()
    assert [plan.name for plan in shown.plans] == ["light"]
    assert list(shown.suspended) == ["light"]
    assert shown.highest_floor == pytest.approx(0.83)
