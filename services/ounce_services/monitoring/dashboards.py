"""Grafana's JSON of the boards, through its Foundation SDK."""

import json
from collections.abc import Sequence

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from ounce_services.monitoring.objectives import Objectives
from ounce_services.monitoring.questions import Board, Question

Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel
SOURCE = models.DataSourceRef(type_val="prometheus", uid="prometheus")
"""As the provisioning names it."""
HEIGHT = {"lines": 8, "bars": 8, "table": 8, "stat": 4}
VARIABLES = {
    "tenant": "label_values(ounce_tenant_predictions_total, tenant)",
    "task": "label_values(ounce_catalogue_info, task)",
    "model": 'label_values(ounce_model_suspended{task=~"$task"}, model)',
    "worker": "label_values(ounce_healthy, instance)",
}
_LABELS = {"tenant": "tenant", "task": "task", "model": "model", "worker": "instance"}
"""What a variable of a board is called on series."""
ANNOTATIONS = {
    "Policies": (
        "blue",
        'sum by (task) (changes(ounce_events_total{kind="policy-changed"}[1m])) > 0',
    ),
    "Models": (
        "green",
        'sum by (task) (changes(ounce_events_total{kind="models-changed"}[1m])) > 0',
    ),
    "Pages": ("red", 'ALERTS{alertstate="firing",severity="page"}'),
}


def dashboard_json(board: Board, objectives: Objectives) -> str:
    """Text of one dashboard's file."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["ounce"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_all_boards())
        .link(
            dashboard.DashboardLink("Runbooks")
            .type(models.DashboardLinkType.LINK)
            .url(objectives.runbooks)
        )
    )
    asked = " ".join(text for question in board.questions for text in question.asks.values())
    for name, query in VARIABLES.items():
        variable = _variable(name, query)
        if f"${name}" not in asked:  # it goes along to other boards, and would do nothing here
            variable.hide(models.VariableHide.HIDE_VARIABLE)
        built.with_variable(variable)
    for name, (colour, expression) in ANNOTATIONS.items():
        built.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expression)
        )
    for panel in _placed(board.questions, objectives):
        built.with_panel(panel)
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _all_boards() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Ounce")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags(["ounce"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(name.capitalize())
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _placed(questions: Sequence[Question], objectives: Objectives) -> list[Panel]:
    """Panels from left to right, in rows."""
    panels, x, y, row_height = [], 0, 0, 0
    for number, question in enumerate(questions, 1):
        if x + question.width > 24:
            x, y, row_height = 0, y + row_height, 0
        height = HEIGHT[question.kind]
        place = models.GridPos(x=x, y=y, w=question.width, h=height)
        panels.append(_panel(question, objectives).id(number).grid_pos(place))
        x, row_height = x + question.width, max(row_height, height)
    return panels


def _panel(question: Question, objectives: Objectives) -> Panel:
    panel = _drawn(question)
    steps = [models.Threshold(value=value, color=color) for value, color in question.steps]
    (
        panel.title(question.title)
        .description(question.about)
        .datasource(SOURCE)
        .unit(question.unit)
        .thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .links(_links(question, objectives))
    )
    if question.detail:
        panel.data_links([_detail(question)])
    for index, (legend, expression) in enumerate(question.asks.items()):
        panel.with_target(_target(question, chr(ord("A") + index), legend, expression))
    return panel


def _drawn(question: Question) -> Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    if question.kind == "stat":
        coloured = common_models.BigValueColorMode.VALUE
        return stat.Panel().reduce_options(last).color_mode(coloured)
    if question.kind == "bars":
        across = common_models.VizOrientation.HORIZONTAL
        return bargauge.Panel().reduce_options(last).orientation(across)
    if question.kind == "table":
        return table.Panel()
    lines = timeseries.Panel().line_width(1).fill_opacity(10)
    if question.unit != "percentunit":
        lines.axis_soft_min(0)
    if len(question.steps) > 1:
        shown = common_models.GraphThresholdsStyleMode.LINE
        lines.thresholds_style(common.GraphThresholdsStyleConfig().mode(shown))
    return lines


def _target(question: Question, ref: str, legend: str, expression: str) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery().ref_id(ref).datasource(SOURCE).expr(expression).legend_format(legend)
    )
    if question.kind == "lines":
        over_time = target.range()
        return over_time.exemplar(True) if "_bucket" in expression else over_time
    if question.kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant()


def _links(question: Question, objectives: Objectives) -> list[Builder[models.DashboardLink]]:
    if not question.alert:
        return []
    address = objectives.runbook(question.alert)
    return [
        dashboard.DashboardLink(f"Runbook of {question.alert}")
        .type(models.DashboardLinkType.LINK)
        .url(address)
    ]


def _detail(question: Question) -> dashboard.DashboardLink:
    """A click on a series leads to what is known of its task, model or worker alone."""
    place = "__data.fields" if question.kind == "table" else "__field.labels"
    shown = "".join(
        f"&var-{name}=${{{place}.{label}}}"
        for name, label in _LABELS.items()
        if any(f"{{{{{label}}}}}" in legend for legend in question.asks)
        or (question.kind == "table" and name == "task")
    )
    address = f"/d/ounce-{question.detail}?${{__url_time_range}}{shown}"
    return (
        dashboard.DashboardLink(f"Look at its {question.detail}")
        .type(models.DashboardLinkType.LINK)
        .url(address)
    )
