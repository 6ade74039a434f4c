"""The plots of advice: learning curves, and accuracy against time."""

import math
from collections.abc import Sequence
from html import escape

from ounce_schemas.advice import Advice, Arm

from ounce_exporters.advisor.deciding import LATENCY_ROOM
from ounce_exporters.advisor.structure import items_of
from ounce_exporters.advisor.summary import named_models
from ounce_exporters.report.svg import LETTER, WIDTH, Frame, padded

_LEAST_RANGE = 0.02
_LINE = 11.0
"""Pixels from one name to the next."""
_NAMES_BELOW = 0.12
"""Share of the range of accuracies that is kept free below for names."""
_GAP = 8.0
"""Pixels from a dot to its name."""


def curves(advice: Advice) -> str:
    """Of all kinds of models; those of the plan and of the other family with their forecasts."""
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
        str(advice.measure),
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


def curves_caption(advice: Advice) -> str:
    """Which curve is whose, as HTML."""
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


def costs(advice: Advice) -> str:
    """Accuracy against the time of a call that limits are of, with the limits."""
    limits, named = advice.limits, named_models(advice.decision)
    timed = [m for m in advice.measured.serving if m.batch_size == limits.batch]
    call_us = {m.model: m.p50_ms * 1e3 for m in timed}
    arms = [arm for arm in advice.arms if arm.accuracy is not None and arm.model in call_us]
    xs = [math.log10(call_us[arm.model]) for arm in arms]
    ys = [arm.accuracy.value for arm in arms if arm.accuracy is not None]
    limit_us = None
    if limits.max_latency_ms is not None:
        limit_us = limits.max_latency_ms * 1e3 / LATENCY_ROOM
    x_range = [*xs, max(xs) + 0.4, *([] if limit_us is None else [math.log10(limit_us)])]
    y_range = [*ys, *([] if limits.min_accuracy is None else [limits.min_accuracy])]
    low, high = min(*y_range, max(y_range) - _LEAST_RANGE), max(y_range)
    frame = Frame(
        padded(min(x_range), max(x_range)),
        padded(low - _NAMES_BELOW * (high - low), high),
        "µs of a message alone" if limits.batch == 1 else f"µs of a call of {limits.batch}",
        str(advice.measure),
        powers=True,
    )
    if limit_us is not None:
        x = math.log10(limit_us)
        frame.line([(x, frame.y[0]), (x, frame.y[1])], "ideal")
    if limits.min_accuracy is not None:
        frame.line([(frame.x[0], limits.min_accuracy), (frame.x[1], limits.min_accuracy)], "ideal")
    for arm, x, y in zip(arms, xs, ys, strict=True):
        frame.dots([(x, y)], "main" if arm.model in named else "second", 4)
    _name(frame, [(arm.model, *frame.at(x, y)) for arm, x, y in zip(arms, xs, ys, strict=True)])
    return frame.svg("Accuracy against cost")


def costs_caption(advice: Advice) -> str:
    """What is drawn, as HTML."""
    measure, limits = escape(str(advice.measure)), advice.limits
    told = f'{measure[:1].upper()}{measure[1:]} against time: <b class="main">advised</b>'
    drawn = [] if limits.max_latency_ms is None else ["of time (less the room for noise)"]
    drawn += [] if limits.min_accuracy is None else [f"of {measure}"]
    return f"{told}; dashed: the limit {' and '.join(drawn)}." if drawn else f"{told}."


def _name(frame: Frame, dots: Sequence[tuple[str, float, float]]) -> None:
    """Names beside dots, from above to below, none over another or over a dot: to the right, or
    where the plot ends to the left. A line leads to a name that is not beside its dot."""
    foot = 0.0
    for name, x, y in sorted(dots, key=lambda dot: (dot[2], -dot[1])):
        foot = max(foot + _LINE, y + 4)
        beside = [other for _, other, at in dots if abs(at + 4 - foot) < _LINE]
        at, style = max([x, *beside]) + _GAP, "tick"
        if at + LETTER * len(name) > WIDTH:
            at, style = min([x, *beside]) - _GAP, "tick end"
        if abs(at - x) > _GAP or foot > y + 4:
            ends = f"{x:.1f},{y:.1f} {at:.1f},{foot - 4:.1f}"
            frame.marks.append(f'<polyline class="lead" points="{ends}"/>')
        frame.marks.append(f'<text class="{style}" x="{at:.1f}" y="{foot:.1f}">{name}</text>')
