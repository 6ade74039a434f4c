"""Advice as one HTML page, for a browser without a network."""

import math
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.advice import Advice, Arm

from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.structure import items_of, say_shape
from ounce_exporters.advisor.summary import verdict_lines
from ounce_exporters.recipe import Split, TaskData
from ounce_exporters.report import plots
from ounce_exporters.report.importance import find_importances
from ounce_exporters.report.style import STYLE
from ounce_exporters.report.svg import Frame, padded

_STYLE = STYLE + (
    "polygon.band{fill:var(--main);fill-opacity:.15}h3{font-size:19px;margin:18px 0 2px}"
    "li{max-width:100ch;margin:4px 0}.source{color:var(--soft);font-size:12.5px}"
    "tr.advised td{font-weight:600;color:var(--main)}"
)
_TYPED = re.compile("`([^`]+)`")
_LEAST_RANGE = 0.02
_LINE = 11.0
"""Pixels from one name to the next."""


def render(advice: Advice, data: TaskData, held_out: Split, exported: Sequence[Exported]) -> str:
    """The page, with styles and plots inside.

    Args:
        advice: what it says.
        data: of the task; importances are of its test split, which chose nothing.
        held_out: rows that judged in the race.
        exported: finalists with their answers to those rows.
    """
    figures = [
        (_curves(advice), _curves_caption(advice)),
        (
            _costs(advice),
            'Accuracy against time: <b class="main">advised</b>; dashed lines are limits.',
        ),
        *_answers(advice, data, held_out, exported),
    ]
    shown = "".join(
        f"<figure>{svg}<figcaption>{said}</figcaption></figure>" for svg, said in figures
    )
    verdict, *others = (_marked(line) for line in verdict_lines(advice))
    told = "".join(f"<li>{line}</li>" for line in others)
    notices = "".join(f"<li>{_marked(line)}</li>" for line in advice.look.notices)
    found = f"<h2>Found in the data</h2><ul>{notices}</ul>" if notices else ""
    name = escape(advice.task)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Advice: {name}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>Advice: {name}</h1><p>{_race(advice)}</p><h3>{verdict}</h3><ul>{told}</ul>"
        f'<div class="plots">{shown}</div><h2>Why</h2>{_why(advice)}'
        f"<h2>Kinds of models</h2>{_table(advice)}{found}"
        "</main></body></html>\n"
    )


def _marked(line: str) -> str:
    """A line as HTML: what stands between backticks is typed."""
    return _TYPED.sub(r"<code>\1</code>", escape(line))


def _why(advice: Advice) -> str:
    told = "".join(
        f"<li><b>{escape(reason.topic)}</b>: {_marked(reason.text)} "
        f'<span class="source">{_marked(reason.source)}</span></li>'
        for reason in (*advice.reasons, *advice.measured.reasons)
    )
    return f"<ol>{told}</ol>"


def _race(advice: Advice) -> str:
    budget, seen = advice.budget, advice.look
    items = items_of(seen)
    told = f"rows: {say_shape(seen)}" if seen.structure == "table" else say_shape(seen)
    again = ""
    if budget.n_repeats > 1:
        again = f"; all {items} judged the last point {budget.n_repeats} times, in other folds"
    return (
        f"{seen.n_rows:,} {told}. {len(advice.arms)} kinds of models raced on up to "
        f"{budget.rungs[-1]:,} {items}, judged by {budget.n_folds} "
        f"{'fold' if budget.n_folds == 1 else 'folds'}{again}; seed {advice.seed}."
    )


def _curves(advice: Advice) -> str:
    drawn = [arm for arm in advice.arms if len(arm.curve) > 1]
    if not drawn:
        return ""
    rows = [p.n_rows for arm in drawn for p in arm.curve]
    ahead = [b for arm in _shown(advice) for b in arm.forecast]
    values = [p.validation for arm in drawn for p in arm.curve]
    values += [v for b in ahead for v in (b.low, b.high)]
    high = max([*rows, *(b.n_rows for b in ahead)])
    frame = Frame(
        padded(math.log10(min(rows)), math.log10(high)),
        padded(min(*values, max(values) - _LEAST_RANGE), max(values)),
        items_of(advice.look),
        "accuracy",
        powers=True,
    )
    for arm in drawn:
        frame.line([(math.log10(p.n_rows), p.validation) for p in arm.curve], "axis")
    for arm, style in zip(_shown(advice), ("main", "second"), strict=False):
        known = [(math.log10(p.n_rows), p.validation) for p in arm.curve]
        if arm.forecast and style == "main":
            last = known[-1]
            upper = [last, *((math.log10(b.n_rows), b.high) for b in arm.forecast)]
            lower = [*((math.log10(b.n_rows), b.low) for b in reversed(arm.forecast)), last]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (frame.at(*p) for p in upper + lower))
            frame.marks.append(f'<polygon class="band" points="{path}"/>')
        frame.line(known, style)
        frame.dots(known, style)
        frame.line([known[-1], *((math.log10(b.n_rows), b.value) for b in arm.forecast)], "ideal")
    return frame.svg("Learning curves of the race")


def _curves_caption(advice: Advice) -> str:
    names = [escape(arm.model) for arm in _shown(advice)]
    styles = zip(names, ("main", "second"), strict=False)
    told = ", ".join(f'<b class="{style}">{name}</b>' for name, style in styles)
    return f"Learning curves: {told}, others grey; dashed: forecast, shaded: its 90% band."


def _shown(advice: Advice) -> list[Arm]:
    """The plan's last model, and the most accurate of the other family."""
    plan = advice.decision.plan
    arms = [arm for arm in advice.arms if arm.accuracy is not None and len(arm.curve) > 1]
    first = [arm for arm in arms if plan is not None and arm.model == plan.models[-1]]
    if not first:
        return []
    others = [arm for arm in arms if arm.family != first[0].family]
    return first + sorted(others, key=lambda arm: -(arm.accuracy.value if arm.accuracy else 0))[:1]


def _costs(advice: Advice) -> str:
    alone_us = {m.model: m.p50_ms * 1e3 for m in advice.measured.serving if m.batch_size == 1}
    arms = [arm for arm in advice.arms if arm.accuracy is not None and arm.model in alone_us]
    limits, plan = advice.limits, advice.decision.plan
    xs = [math.log10(alone_us[arm.model]) for arm in arms]
    ys = [arm.accuracy.value for arm in arms if arm.accuracy is not None]
    limit_us = None if limits.max_latency_ms is None else limits.max_latency_ms * 1e3
    x_range = [*xs, max(xs) + 0.4, *([] if limit_us is None else [math.log10(limit_us)])]
    y_range = [*ys, *([] if limits.min_accuracy is None else [limits.min_accuracy])]
    frame = Frame(
        padded(min(x_range), max(x_range)),
        padded(min(*y_range, max(y_range) - _LEAST_RANGE), max(y_range)),
        "µs of a message alone",
        "accuracy",
        powers=True,
    )
    if limit_us is not None and limits.batch == 1:
        x = math.log10(limit_us)
        frame.line([(x, frame.y[0]), (x, frame.y[1])], "ideal")
    if limits.min_accuracy is not None:
        frame.line([(frame.x[0], limits.min_accuracy), (frame.x[1], limits.min_accuracy)], "ideal")
    for arm, x, y in zip(arms, xs, ys, strict=True):
        advised = plan is not None and arm.model in plan.models
        frame.dots([(x, y)], "main" if advised else "second", 4)
    _name(frame, [(arm.model, *frame.at(x, y)) for arm, x, y in zip(arms, xs, ys, strict=True)])
    return frame.svg("Accuracy against cost")


def _name(frame: Frame, dots: Sequence[tuple[str, float, float]]) -> None:
    """Names beside dots, from above to below, none over another or over a dot."""
    foot = 0.0
    for name, x, y in sorted(dots, key=lambda dot: dot[2]):
        foot = max(foot + _LINE, y + 4)
        beside = [other for _, other, at in dots if abs(at + 4 - foot) < _LINE]
        left = max([x, *beside]) + 8
        frame.marks.append(f'<text class="tick" x="{left:.1f}" y="{foot:.1f}">{name}</text>')


def _answers(
    advice: Advice, data: TaskData, held_out: Split, exported: Sequence[Exported]
) -> list[tuple[str, str]]:
    """What the plan's last model gets wrong, and which inputs it uses."""
    plan = advice.decision.plan
    if plan is None:
        return []
    model = next(e for e in exported if e.recipe.name == plan.models[-1])
    task, name, items = data.spec, escape(model.recipe.name), items_of(advice.look)
    found = []
    if task.labels:
        matrix = plots.confusion(task.labels, model.answers, held_out.targets)
        if matrix is not None:
            found.append((matrix, f"Confusion matrix of {name} on held-out {items}."))
    else:
        residuals = plots.residuals(model.answers, held_out.targets, task.tolerance or 0.0)
        found.append((residuals, f"Residuals of {name} on held-out {items}."))
    loaded = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), model.content)
    importances = find_importances(task, loaded, data.test)
    if importances:
        found.append(
            (
                plots.importances(importances),
                f"Importances of {name}: accuracy lost on the test split where an input is "
                "shuffled.",
            )
        )
    return found


def _table(advice: Advice) -> str:
    alone_ms = {m.model: m.p50_ms for m in advice.measured.serving if m.batch_size == 1}
    loaded = advice.measured.memory_bytes
    chosen = advice.decision.plan.models if advice.decision.plan else ()
    heads = [
        "model",
        "accuracy",
        "95% interval",
        f"training {items_of(advice.look)}",
        "µs alone",
        "kB",
        "MB loaded",
    ]
    ended = any(arm.stopped for arm in advice.arms)
    heads += ["ended early"] if ended else []
    body = ""
    for arm in sorted(advice.arms, key=lambda a: -(a.accuracy.value if a.accuracy else 0)):
        a = arm.accuracy
        cells = [
            arm.model,
            "" if a is None else f"{a.value:.4f}",
            "" if a is None else f"{a.low:.3f} to {a.high:.3f}",
            f"{arm.curve[-1].train:.4f}" if arm.curve else "",
            f"{alone_ms[arm.model] * 1e3:.1f}" if arm.model in alone_ms else "",
            "" if arm.size_bytes is None else f"{arm.size_bytes / 1e3:,.0f}",
            f"{loaded[arm.model] / 1e6:.2f}" if arm.model in loaded else "",
        ]
        cells += [escape(arm.stopped or "")] if ended else []
        row = '<tr class="advised">' if arm.model in chosen else "<tr>"
        body += f"{row}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    head = "".join(f"<th>{name}</th>" for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'
