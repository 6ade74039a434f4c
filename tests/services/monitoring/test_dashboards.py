"""Dashboards ask for what a worker or a rule shows, and each panel explains itself."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ounce_edge.front.instruments import FrontInstruments
from ounce_edge.gateway.instruments import GatewayInstruments
from ounce_edge.telemetry.metrics import Metrics
from ounce_services.monitoring.causes import read_causes
from ounce_services.monitoring.objectives import read_objectives
from prometheus_client import CollectorRegistry

from tests.docs.pages import DOCS, rows
from tests.support.process.boards import GRAFANA, board, board_files, targets

RULES = GRAFANA.parent / "prometheus" / "rules"
BOARDS = {path.stem: board(path) for path in board_files()}
OF_PROMETHEUS = {"up", "ALERTS"}
NAME = re.compile(r"\b(?:\w+:\w+:\w+|(?:ounce|process)_\w+|up|ALERTS)\b")

HIDDEN = 2
"""What Grafana calls a variable that shows neither name nor values."""


def exposed() -> set[str]:
    """Names that the metrics of workers, gateways and fronts have in Prometheus."""
    of_gateways, of_fronts = CollectorRegistry(), CollectorRegistry()
    GatewayInstruments(of_gateways)
    FrontInstruments(of_fronts)
    suffixes = {
        "counter": ("_total",),
        "gauge": ("",),
        "histogram": ("_bucket", "_sum", "_count"),
    }
    return {
        family.name + suffix
        for registry in (Metrics().registry, of_gateways, of_fronts)
        for family in registry.collect()
        if family.name.startswith(("ounce_", "process_"))
        for suffix in suffixes[family.type]
    }


def recorded() -> set[str]:
    groups = [
        g for path in RULES.glob("*.yaml") for g in yaml.safe_load(path.read_text())["groups"]
    ]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def names_of(expression: str) -> set[str]:
    return set(NAME.findall(expression))


def families(names: set[str]) -> set[str]:
    return {re.sub("_(bucket|sum|count)$", "", n) for n in names if n.startswith("ounce_")}


def asked() -> set[str]:
    texts = [target.expression for target in targets()]
    for document in BOARDS.values():
        texts += [annotation["expr"] for annotation in document["annotations"]["list"]]
        texts += [variable["query"]["query"] for variable in document["templating"]["list"]]
    return set().union(*map(names_of, texts))


def test_everything_asked_for_is_shown_by_a_worker_or_a_rule() -> None:
    assert asked() - exposed() - recorded() - OF_PROMETHEUS == set()


def test_every_metric_of_a_worker_is_on_a_dashboard() -> None:
    rules = [
        r["expr"]
        for p in RULES.glob("recordings.yaml")
        for g in yaml.safe_load(p.read_text())["groups"]
        for r in g["rules"]
    ]
    shown = families(asked()) | families(set().union(*map(names_of, rules)))
    own = {"ounce_policy_info"} | families(exposed())
    assert own - shown == set()


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_explains_itself(uid: str) -> None:
    document = BOARDS[uid]
    assert document["uid"] == uid
    assert document["description"]
    assert [v["name"] for v in document["templating"]["list"]] == [
        "tenant", "task", "model", "worker",
    ]  # fmt: skip
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"]) > 5
    for panel in document["panels"]:
        title, defaults = panel["title"], panel["fieldConfig"]["defaults"]
        assert title.endswith("?"), title
        assert panel["description"].endswith("."), title
        assert defaults["unit"], title
        assert defaults["thresholds"]["steps"][0]["value"] is None, title
        assert panel["targets"], title


@pytest.mark.parametrize("uid", BOARDS)
def test_a_board_shows_the_variables_that_change_it_and_no_others(uid: str) -> None:
    document = BOARDS[uid]
    asked = " ".join(t["expr"] for panel in document["panels"] for t in panel["targets"])
    variables = document["templating"]["list"]
    shown = {v["name"] for v in variables if v.get("hide", 0) == 0}
    assert shown == {v["name"] for v in variables if f"${v['name']}" in asked}
    hidden = [v["hide"] for v in variables if v["name"] not in shown]
    assert hidden == [HIDDEN] * len(hidden)


def test_no_question_is_asked_twice_on_a_board() -> None:
    for uid, document in BOARDS.items():
        titles = [panel["title"] for panel in document["panels"]]
        assert len(titles) == len(set(titles)), uid


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_do_not_overlap(uid: str) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[uid]["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24, panel["title"]
        for cell in (
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        ):
            assert cell not in taken, f"{panel['title']} lies over {taken.get(cell)}"
            taken[cell] = panel["title"]


def links(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Titles of panels and their links."""
    return [
        (panel["title"], link)
        for document in BOARDS.values()
        for panel in document["panels"]
        for link in (panel if kind == "panel" else panel["fieldConfig"]["defaults"]).get(
            "links", []
        )
    ]


def test_runbooks_that_panels_lead_to_are_of_alerts() -> None:
    objectives = read_objectives()
    alerts = {o.alert for o in objectives.objectives} | {c.alert for c in read_causes()}
    found = links("panel")
    assert len(found) > 30
    assert {link["url"] for _, link in found} == {objectives.runbook(alert) for alert in alerts}


def test_a_click_leads_to_a_dashboard_with_the_series_own_variables() -> None:
    found = links("data")
    assert len(found) > 15
    for title, link in found:
        uid, _, variables = link["url"].removeprefix("/d/").partition("?")
        assert uid in BOARDS, title
        passed = set(re.findall(r"&var-(\w+)=", variables))
        assert passed <= {"tenant", "task", "model", "worker"}, title
        assert uid.removeprefix("ounce-") in {*passed, "delivery", "decisions"}, title


def test_grafana_finds_files_and_data_source() -> None:
    provisioning = GRAFANA / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    used = {
        target["datasource"]["uid"]
        for document in BOARDS.values()
        for panel in document["panels"]
        for target in panel["targets"]
    }
    assert used == {source["uid"]}
    [provider] = yaml.safe_load((provisioning / "dashboards" / "ounce.yaml").read_text())[
        "providers"
    ]
    compose = yaml.safe_load((GRAFANA.parents[1] / "compose.yaml").read_text())["services"]
    home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    inside = Path(home).relative_to(provider["options"]["path"])
    assert (GRAFANA / "dashboards" / inside).is_file()
    assert provider["options"]["foldersFromFilesStructure"] is True


def test_the_ten_questions_of_the_page_have_their_panels() -> None:
    panels = {d["title"]: {p["title"] for p in d["panels"]} for d in BOARDS.values()}
    asked_for = rows(DOCS / "dashboards.md", "What you ask")
    assert len(asked_for) == 10
    for _, title, panel in asked_for:
        assert panel in panels[title]
    listed = {(row[0], row[1]) for row in rows(DOCS / "dashboards.md", "Folder")}
    assert listed == {(path.parent.name, board(path)["title"]) for path in board_files()}
