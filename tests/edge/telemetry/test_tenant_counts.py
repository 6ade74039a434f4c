"""Requests are counted by tenant, and no sender makes more series than there may be."""

import json

import numpy as np
import pytest
from ounce_edge.pipeline.tenants import tenant_of, tenant_shares
from ounce_edge.telemetry.exposition import page_of
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tenant_counts import FIRST_SEEN, MOST_NAME_CHARS
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.requests.request_head import read_head
from prometheus_client.parser import text_string_to_metric_families

from tests.support.edge.ladders import DIGITS, FakeRecord, ladder, served
from tests.support.edge.observed import answer, pipeline_of
from tests.support.edge.pipelines import GOOD, standing_clocks

PREDICTIONS = "ounce_tenant_predictions_total"
LATE, UNDER = "ounce_tenant_deadline_misses_total", "ounce_tenant_floor_misses_total"
LETTERS = "ounce_tenant_dead_letters_total"
V2 = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}
EVENT = {
    "specversion": "1.0", "id": "e", "source": "/s", "type": "t", "tenant": "acme",
    "datacontenttype": "application/json", "data": V2,
}  # fmt: skip


def of_tenant(name: bytes | None, body: bytes = GOOD, *more: tuple[str, bytes]) -> FakeRecord:
    named = [] if name is None else [("ce_tenant", name)]
    return FakeRecord(body, [("ce_minaccuracy", b"0.1"), *named, *more])


def counted(metrics: Metrics, name: str) -> dict[str, float]:
    """By tenant, those that are not 0, as the page shows them."""
    page = page_of(metrics.registry, False).decode()
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    return {s.labels["tenant"]: s.value for s in samples if s.name == name and s.value}


def answered(records: list[FakeRecord], *named: str) -> Metrics:
    metrics = Metrics(named)
    metrics.describe("v1", [ladder(DIGITS, served(DIGITS, "light"))])
    answer(pipeline_of(standing_clocks()), records, metrics)
    return metrics


def test_answers_are_counted_by_the_tenant_that_the_header_names() -> None:
    late = ("ce_maxlatencyms", b"0.001")
    under = ("ce_minaccuracy", b"1")
    metrics = answered(
        [
            of_tenant(b"acme"),
            of_tenant(b"acme", GOOD, under),
            of_tenant(b"umbrella", GOOD, late),
            of_tenant(None),
            of_tenant(b"umbrella", b"nonsense"),
            FakeRecord(b"nonsense"),
        ]
    )
    assert counted(metrics, PREDICTIONS) == {"acme": 2, "umbrella": 1, "(none)": 1}
    assert counted(metrics, UNDER) == {"acme": 1}
    assert counted(metrics, LETTERS) == {"umbrella": 1, "(none)": 1}
    metrics.observe_refused("digits", True, b"acme")
    metrics.observe_refused("digits", False, b"acme")
    assert counted(metrics, LETTERS) == {"umbrella": 1, "(none)": 1, "acme": 1}


def test_a_tenant_is_told_by_any_binding_of_cloudevents() -> None:
    content = ("content-type", b"application/cloudevents+json")
    metrics = answered(
        [
            FakeRecord(json.dumps(EVENT).encode(), [content]),
            FakeRecord(GOOD, [("ce-tenant", b"acme")]),
            FakeRecord(GOOD, [("cloudEvents:tenant", b"acme")]),
            FakeRecord(b"nonsense", [("CE_Tenant", b"acme")]),
        ]
    )
    assert counted(metrics, PREDICTIONS) == {"acme": 3}
    assert counted(metrics, LETTERS) == {"acme": 1}


def test_misses_without_a_tenant_are_nobodys() -> None:
    metrics = answered([of_tenant(None, GOOD, ("ce_minaccuracy", b"1")), of_tenant(None)])
    assert counted(metrics, PREDICTIONS) == {"(none)": 2}
    assert counted(metrics, UNDER) == {"(none)": 1}


def test_further_tenants_are_one() -> None:
    names = [b"t%d" % i for i in range(10 * FIRST_SEEN)]
    metrics = answered([of_tenant(name) for name in names])
    found = counted(metrics, PREDICTIONS)
    assert len(found) == FIRST_SEEN + 1
    assert found["(other)"] == 9 * FIRST_SEEN
    assert sum(found.values()) == len(names)


def test_only_named_tenants_have_series_where_some_are_named() -> None:
    records = [of_tenant(name) for name in (b"stranger", b"acme", b"Acme", None)]
    metrics = answered(records, "acme", "umbrella")
    assert counted(metrics, PREDICTIONS) == {"acme": 1, "(other)": 2, "(none)": 1}
    value = metrics.registry.get_sample_value(LATE, {"task": "digits", "tenant": "umbrella"})
    assert value == 0  # shown before it counts


@pytest.mark.parametrize("name", [b'a"b', b"a\nounce_forged 1", b"a\\", b"}", "ö".encode()])
def test_a_hostile_name_is_one_label_and_comes_back_as_it_is(name: bytes) -> None:
    metrics = answered([of_tenant(name)])
    assert counted(metrics, PREDICTIONS) == {name.decode(): 1}
    page = page_of(metrics.registry, False).decode()
    families = {family.name for family in text_string_to_metric_families(page)}
    assert not any("forged" in family for family in families)


@pytest.mark.parametrize("name", [b"\xff\xfe", b"x" * (MOST_NAME_CHARS + 1)])
def test_a_name_that_is_none_is_one_of_the_others(name: bytes) -> None:
    assert counted(answered([of_tenant(name)]), PREDICTIONS) == {"(other)": 1}


def test_shares_of_a_group_add_up() -> None:
    heads = [
        read_head(by_usual_names(of_tenant(n).headers())) for n in (b"a", b"b", None, b"a", b"")
    ]
    late = np.array([True, False, True, True, False])
    under = np.array([False, True, False, False, True])
    shares = {s.tenant: s[1:] for s in tenant_shares(heads, late, under)}
    assert shares == {b"a": (2, 2, 0), b"b": (1, 0, 1), None: (2, 1, 1)}
    assert tenant_shares(heads[2:3], late[2:3], under[2:3]) == ()
    assert tenant_of(None) is None
    assert tenant_of([("ce_tenant", b"")]) is None
