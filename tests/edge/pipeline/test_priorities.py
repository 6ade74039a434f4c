"""Where time is short, messages of a higher priority go first; where it is not, nobody waits."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, served
from tests.support.edge.pipelines import GOOD, LIGHT, Clock, edition, pipeline

ITEM_MS = 1.0
SECONDS = 1.0


def rule(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "when": {"tenant": name}, **settings}


def run(rates: dict[str, float], *rules: dict[str, Any], ms: float = 60.0) -> dict[str, Counter]:
    """Messages of tenants arrive at so many a millisecond; one is answered in a millisecond. How
    many of each tenant were answered by their deadline."""
    clock = Clock()
    model = served(DIGITS, "m", clock.takes({"m": ITEM_MS}, "m"), ms_per_item=ITEM_MS)
    serving = Pipeline(
        edition(model, min_accuracy=0.5, max_latency_ms=ms, rules=rules),
        clocks=Clocks(clock, clock),
    )
    outbox, sent, begin_s = Outbox(), Counter[str](), clock.now_s
    while (passed_ms := (clock.now_s - begin_s) * 1e3) < SECONDS * 1e3 or len(serving.waiting):
        for tenant, rate in rates.items():
            while sent[tenant] < rate * min(passed_ms, SECONDS * 1e3):
                at_ms = int((begin_s * 1e3) + sent[tenant] / rate)
                headers = [("ce_id", f"{tenant}-{sent[tenant]}".encode()),
                           ("ce_tenant", tenant.encode())]  # fmt: skip
                number = sent.total()
                record = FakeRecord(GOOD, headers, b"d", offset_=number, timestamp_ms=at_ms)
                serving.admit([record], outbox)
                sent[tenant] += 1
        serving.step(outbox, Turn(each_room=0.001))
        clock.now_s += 1e-4
    found = {tenant: Counter[bool]() for tenant in rates}
    for _, value, _, _ in outbox.records:
        answer = msgspec.json.decode(value or b"", type=Prediction)
        found[answer.id.partition("-")[0]][answer.parameters.deadline_met] += 1
    assert {tenant: counts.total() for tenant, counts in found.items()} == sent
    return found


def share(counts: Counter[bool]) -> float:
    return counts[True] / counts.total()


FLOOD = {"high": 0.5, "low": 0.8}
"""A millisecond brings 1.3 times what is answered in one."""


def test_under_overload_the_higher_priority_is_in_time() -> None:
    equal = run(FLOOD, rule("high"), rule("low"))
    assert share(equal["high"]) < 0.9
    found = run(FLOOD, rule("high", priority=1), rule("low"))
    assert share(found["high"]) > 0.95
    assert 0.1 < share(found["low"]) < share(equal["low"])


def test_negative_priorities_are_below_what_no_rule_speaks_of() -> None:
    found = run({"other": 0.5, "low": 0.8}, rule("low", priority=-3))
    assert share(found["other"]) > 0.95


@pytest.mark.parametrize("rates", [{"high": 0.3, "low": 0.3}, {"low": 0.5}])
def test_where_there_is_time_for_all_nobody_is_late(rates: dict[str, float]) -> None:
    found = run(rates, rule("high", priority=1), rule("low"))
    assert {share(counts) for counts in found.values()} == {1.0}


def test_of_one_priority_the_earliest_deadline_goes_first() -> None:
    tight, loose = rule("tight", max_latency_ms=30), rule("loose", max_latency_ms=3000)
    for settings in ({}, {"priority": 2}):
        rules = [{**tight, **settings}, {**loose, **settings, "reasons": False}]
        found = run({"tight": 0.5, "loose": 0.8}, *rules)
        assert share(found["tight"]) > 0.95
        assert share(found["loose"]) == 1.0


def test_three_levels_lose_from_the_lowest_up() -> None:
    rates = {"first": 0.4, "second": 0.4, "third": 0.4}
    rules = [rule("third", priority=-1), rule("first", priority=5), rule("second", priority=1)]
    found = {tenant: share(counts) for tenant, counts in run(rates, *rules).items()}
    assert found["first"] > 0.95
    assert found["second"] > 0.95
    assert found["third"] < 0.8


def test_only_a_request_that_waits_and_is_not_late_is_timely() -> None:
    serving = pipeline(served(DIGITS, "light", **LIGHT))
    assert not serving.any_timely
    serving.admit([FakeRecord(GOOD, timestamp_ms=900_000)], Outbox())
    assert not serving.any_timely
    serving.admit([FakeRecord(GOOD, offset_=8)], Outbox())
    assert serving.any_timely
