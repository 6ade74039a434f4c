"""The Grafana dashboard asks for metrics that a worker has, in expressions Prometheus takes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ounce_edge.telemetry.metrics import Metrics

from tests.support.process.prometheus import Prometheus

SERVICES = Path(__file__).parents[2] / "services"
GRAFANA = SERVICES / "grafana"
VARIABLES = {"$task": ".+", "$__rate_interval": "1m"}


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "ounce.json").read_text())
    return document


def expressions() -> list[str]:
    found = []
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            found.append(expression)
    return found


def exposed_series() -> set[str]:
    """Names that a worker's metrics have in Prometheus."""
    suffixes = {
        "counter": ("_total",),
        "gauge": ("",),
        "histogram": ("_bucket", "_sum", "_count"),
    }
    return {
        family.name + suffix
        for family in Metrics().registry.collect()
        if family.name.startswith("ounce_")
        for suffix in suffixes[family.type]
    }


def series_of(expression: str) -> set[str]:
    return set(re.findall(r"\bounce_\w+", expression))


def test_every_metric_asked_for_is_one_that_a_worker_exposes() -> None:
    asked = set().union(*map(series_of, expressions()))
    variable = dashboard()["templating"]["list"][0]["query"]["query"]
    assert asked | series_of(variable) <= exposed_series()


def test_every_metric_of_a_worker_is_shown() -> None:
    shown = set().union(*map(series_of, expressions()))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed_series()}
    assert families == {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}


@pytest.mark.prometheus
def test_prometheus_takes_every_expression(prometheus: Callable[[str], Prometheus]) -> None:
    started = prometheus("127.0.0.1:1")
    assert len(expressions()) > 20
    for expression in expressions():
        assert "$" not in expression
        started.query(expression)  # raises where it can't be parsed


def test_panels_do_not_overlap_and_explain_themselves() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        assert panel["description"], panel["title"]
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24, panel["title"]
        for cell in (
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies over {taken.get(cell)}"
            taken[cell] = panel["title"]


def test_panels_use_the_provisioned_data_source() -> None:
    provisioned = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text()
    )
    expected = {source["uid"] for source in provisioned["datasources"]}
    used = {
        target["datasource"]["uid"]
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    }
    assert used == expected
