"""Draws Grafana's dashboards from real series: time series, stat, bar gauge and table.

Only what shows whether a panel is alive and readable: series, legends, units, thresholds. Grafana's
own themes, tooltips and variables are not here.
"""

import html
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.process.boards import filled_in
from tests.support.process.prometheus import Line, Prometheus

LAST_S, STEP_S = 60, 1
_COLOURS = ("#3274d9", "#56a64b", "#e0b400", "#e02f44", "#a352cc", "#ff780a", "#37872d", "#8f3bb8")
_NAMED = {"blue": "#3274d9", "green": "#56a64b", "orange": "#ff780a", "red": "#e02f44"}
_CELL_PX, _ROW_PX = 50, 34
_STYLE = """body{margin:8px;background:#f4f5f5;font:12px sans-serif;width:1210px;position:relative}
.p{position:absolute;background:#fff;border:1px solid #ddd;box-sizing:border-box;padding:6px;
overflow:hidden} h3{margin:0 0 4px;font-size:13px} .l{font-size:10px;line-height:13px} .big{
font-size:30px;text-align:center} table{border-collapse:collapse;font-size:11px} td,th{
border-bottom:1px solid #ddd;padding:2px 8px;text-align:left} .b{height:16px;margin:2px 0}"""


def page_of(document: dict[str, Any], server: Prometheus) -> str:
    """HTML of one dashboard, with what its expressions answer at this moment."""
    bottom = max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in document["panels"])
    panels = "".join(_panel(panel, server) for panel in document["panels"])
    return (
        f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style>"
        f"<body style='height:{bottom * _ROW_PX + 20}px'>{panels}"
    )


def photograph(page: Path, picture: Path, height_px: int) -> None:
    """Let Chromium make a PNG of a page."""
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size=1230,{height_px}",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )


def height_of(document: dict[str, Any]) -> int:
    """Pixels that a page of it takes."""
    return 40 + _ROW_PX * max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in document["panels"])


def _panel(panel: dict[str, Any], server: Prometheus) -> str:
    grid, defaults = panel["gridPos"], panel["fieldConfig"]["defaults"]
    lines = [
        (_legend(target["legendFormat"], line.labels), line)
        for target in panel["targets"]
        for line in server.query_range(filled_in(target["expr"]), LAST_S, STEP_S)
    ]
    wide, high = grid["w"] * _CELL_PX - 6, grid["h"] * _ROW_PX - 6
    draw = {"timeseries": _curves, "stat": _stat, "bargauge": _bars, "table": _table}
    body = draw[panel["type"]](lines, defaults, wide - 14, high - 34) if lines else "NO DATA"
    place = f"left:{grid['x'] * _CELL_PX}px;top:{grid['y'] * _ROW_PX}px"
    title = html.escape(panel["title"])
    return (
        f"<div class=p style='{place};width:{wide}px;height:{high}px'><h3>{title}</h3>{body}</div>"
    )


Lines = list[tuple[str, Line]]


def _curves(lines: Lines, defaults: dict[str, Any], wide: int, high: int) -> str:
    lines = sorted(lines, key=lambda named: -named[1].points[-1][1])
    plot_high = high - 13 * min(len(lines), 4) - 6
    values = [value for _, line in lines for _, value in line.points if value == value]
    times = [at_s for _, line in lines for at_s, _ in line.points]
    low, top = min([0.0, *values]), max(values, default=0.0)
    if defaults["unit"] == "percentunit":
        low = min(values, default=0.0)
    if top == low:
        low, top = (low - 0.1, top) if defaults["unit"] == "percentunit" else (low, low + 1)
    begin, end = max(times) - LAST_S, max(times)

    def x(at_s: float) -> float:
        return 50 + (wide - 55) * (at_s - begin) / (end - begin)

    def y(value: float) -> float:
        return plot_high - 4 - (plot_high - 10) * (value - low) / (top - low)

    drawn = "".join(
        f"<polyline fill=none stroke-width=1.5 stroke='{_COLOURS[i % len(_COLOURS)]}' points='"
        + " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in line.points if v == v)
        + "'/>"
        for i, (_, line) in enumerate(lines)
    )
    steps = "".join(
        f"<line x1=50 x2={wide} y1={y(s['value']):.1f} y2={y(s['value']):.1f} "
        f"stroke='{_NAMED[s['color']]}' stroke-dasharray=4 />"
        for s in defaults["thresholds"]["steps"]
        if s["value"] is not None and low <= s["value"] <= top
    )
    ticks = "".join(
        f"<text x=0 y={y(v) + 4:.1f} font-size=10>{_shown(v, defaults['unit'])}</text>"
        for v in (low, top)
    )
    legends = "".join(
        f"<div class=l style='color:{_COLOURS[i % len(_COLOURS)]}'>{html.escape(name)}: "
        f"{_shown(line.points[-1][1], defaults['unit'])}</div>"
        for i, (name, line) in enumerate(lines[:4])
    )
    return f"<svg width={wide} height={plot_high}>{steps}{drawn}{ticks}</svg>{legends}"


def _stat(lines: Lines, defaults: dict[str, Any], wide: int, high: int) -> str:
    return "".join(
        f"<div class=big style='color:{_colour(line.points[-1][1], defaults)}'>"
        f"{_shown(line.points[-1][1], defaults['unit'])}</div>"
        for _, line in lines
    )


def _bars(lines: Lines, defaults: dict[str, Any], wide: int, high: int) -> str:
    most = max([abs(line.points[-1][1]) for _, line in lines] + [1e-9])
    return "".join(
        f"<div>{html.escape(name)}: {_shown(line.points[-1][1], defaults['unit'])}"
        f"<div class=b style='width:{wide * abs(line.points[-1][1]) / most:.0f}px;"
        f"background:{_colour(line.points[-1][1], defaults)}'></div></div>"
        for name, line in lines
    )


def _table(lines: Lines, defaults: dict[str, Any], wide: int, high: int) -> str:
    names = sorted({name for _, line in lines for name in line.labels})
    heading = "".join(f"<th>{html.escape(name)}</th>" for name in [*names, "value"])
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(line.labels.get(name, ''))}</td>" for name in names)
        + f"<td>{_shown(line.points[-1][1], defaults['unit'])}</td></tr>"
        for _, line in lines[:12]
    )
    return f"<table><tr>{heading}</tr>{rows}</table>"


def _legend(template: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template)


def _colour(value: float, defaults: dict[str, Any]) -> str:
    steps = [
        s for s in defaults["thresholds"]["steps"] if s["value"] is None or value >= s["value"]
    ]
    return _NAMED[steps[-1]["color"]]


def _shown(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.2f}%"
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    suffix = {"s": " s", "reqps": "/s", "ops": "/s"}.get(unit, "")
    return f"{value:.4g}{suffix}"
