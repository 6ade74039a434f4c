"""Advice as one HTML page, for a browser without a network."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.advice import Advice
from ounce_schemas.wording import counted

from ounce_exporters.advisor.candidates import plan_answers
from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.page_plots import costs, costs_caption, curves, curves_caption
from ounce_exporters.advisor.structure import items_of, say_shape
from ounce_exporters.advisor.summary import named_models, say_data, verdict_lines
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.report import plots
from ounce_exporters.report.importance import find_importances
from ounce_exporters.report.style import STYLE

_STYLE = STYLE + (
    "polygon.band{fill:var(--main);fill-opacity:.15}h3{font-size:19px;margin:18px 0 2px}"
    "li{max-width:100ch;margin:4px 0}.source{color:var(--soft);font-size:12.5px}"
    "tr.advised td{font-weight:600;color:var(--main)}code{white-space:nowrap}"
    "polyline.lead{stroke:var(--soft);stroke-width:.6;stroke-opacity:.6}"
)
_TYPED = re.compile("`([^`]+)`")


def render(advice: Advice, data: TaskData, held_out: Split, exported: Sequence[Exported]) -> str:
    """The page, with styles and plots inside.

    Args:
        advice: what it says.
        data: of the task; importances are of its test split, which chose nothing.
        held_out: rows that judged in the race.
        exported: finalists with their answers to those rows.
    """
    figures = [
        (curves(advice), curves_caption(advice)),
        (costs(advice), costs_caption(advice)),
        *_answers(advice, data, held_out, exported),
    ]
    shown = "".join(
        f"<figure>{svg}<figcaption>{said}</figcaption></figure>" for svg, said in figures
    )
    verdict, *others = (_marked(line) for line in verdict_lines(advice))
    told = "".join(f"<li>{line}</li>" for line in others)
    seen = (say_data(advice.look), *advice.look.notices)
    notices = "".join(f"<li>{_marked(line)}</li>" for line in seen)
    found = f"<h2>Found in the data</h2><ul>{notices}</ul>"
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
    if budget.n_repeats:
        again = f"; all {items} judged the last point"
    if budget.n_repeats > 1:
        again += f" {counted(budget.n_repeats, 'time')}, in other folds"
    return (
        f"{seen.n_rows:,} {told}. {len(advice.arms)} kinds of models raced on up to "
        f"{budget.rungs[-1]:,} {items}, judged by "
        f"{counted(budget.n_folds, 'fold')}{again}; seed {advice.seed}."
    )


def _answers(
    advice: Advice, data: TaskData, held_out: Split, exported: Sequence[Exported]
) -> list[tuple[str, str]]:
    """What the plan gets wrong, and which inputs its last model uses."""
    plan = advice.decision.plan
    if plan is None:
        return []
    model = next(e for e in exported if e.recipe.name == plan.models[-1])
    task, items = data.spec, items_of(advice.look)
    name, names = escape(model.recipe.name), escape(", then ".join(plan.models))
    answers, found = plan_answers(plan, exported), []
    if task.labels:
        matrix = plots.confusion(task.labels, answers, held_out.targets)
        if matrix is not None:
            found.append((matrix, f"Confusion matrix of {names} on held-out {items}."))
    else:
        residuals = plots.residuals(answers, held_out.targets, task.tolerance or 0.0)
        found.append((residuals, f"Residuals of {names} on held-out {items}."))
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
    alone = {m.model: m for m in advice.measured.serving if m.batch_size == 1}
    loaded = advice.measured.memory_bytes
    chosen = named_models(advice.decision)
    heads = [
        "model",
        str(advice.measure),
        "95% interval",
        f"on learned {items_of(advice.look)}",
        "µs alone",
        "p99",
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
            f"{alone[arm.model].p50_ms * 1e3:.1f}" if arm.model in alone else "",
            f"{alone[arm.model].p99_ms * 1e3:.1f}" if arm.model in alone else "",
            "" if arm.size_bytes is None else f"{arm.size_bytes / 1e3:,.0f}",
            f"{max(loaded[arm.model] / 1e6, 0.01):.2f}" if arm.model in loaded else "",
        ]
        cells += [escape(arm.stopped or "")] if ended else []
        row = '<tr class="advised">' if arm.model in chosen else "<tr>"
        body += f"{row}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="group" aria-label="Table">{table}</div>'
