"""Why: a line for each thing that a person would ask, with its figure and its source. Pure."""

from collections.abc import Mapping, Sequence

from ounce_schemas.advice import Arm, Decision, Look, Measured, MeasuredDevice, Plan, Reason
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.task import TaskSpec

from ounce_exporters.advisor.family_prior import learned_reason
from ounce_exporters.advisor.prior import rule
from ounce_exporters.advisor.scaling import ratios
from ounce_exporters.advisor.structure import (
    RACE,
    accuracy_of,
    best_of,
    labels,
    name_items,
    structure,
    transfer,
)

_CLOCK = "timed on this machine, one thread of the edge's runtime"
_SCALED = "timed on this machine and scaled to the device"
_FORECAST = "the race's curve and forecasts fitted on public tables (LCDB 1.0)"
_LEVEL = 0.05
"""Points that no figure of one digit shows."""
_WIDE_GAP = 0.05
"""Train less validation accuracy from which a model is said to have learned rows by heart."""
_GPU_WORTH_S = 600.0
"""Nominal seconds of training on one core from which a GPU would be missed."""


def reasons(
    task: TaskSpec,
    look: Look,
    arms: Sequence[Arm],
    decision: Decision,
    groups: Mapping[str, AccuracyEstimate] | None,
) -> tuple[Reason, ...]:
    """Those that rest on no clock.

    Args:
        task: what is asked.
        look: of the data.
        arms: of the race.
        decision: what is advised.
        groups: of the plan's answers, where figures are told apart by a column.
    """
    ran = [arm for arm in arms if arm.accuracy is not None]
    plan = decision.plan
    judged = look.rarest is None or look.rarest > 0
    found = [rule(look, task.kind) or learned_reason(look), labels(task.kind, judged=judged)]
    found += [_data_size(ran) or _ended(arms), structure(look, ran), _interpretability(ran)]
    if plan is not None:
        last = next(arm for arm in ran if arm.model == plan.models[-1])
        found += [_overfitting(last), _scalability(last)]
        if groups:
            found.append(_fairness(groups))
    found.append(transfer(look, arms))
    return tuple(name_items(reason, look) for reason in found if reason is not None)


def timed_reasons(
    plan: Plan, best: str, measured: Measured, batch: int, training_s: float
) -> tuple[Reason, ...]:
    """Those that rest on a clock: hardware, and cost of a million messages.

    Args:
        plan: that is advised.
        best: name of the most accurate model.
        measured: of all finalists.
        batch: items of a call that the limits are of.
        training_s: nominal seconds that one core trains the plan.
    """
    timed, device = measured.serving, measured.device
    clock = _CLOCK if device is None else _SCALED
    alone = {t.model: t.p50_ms for t in timed if t.batch_size == 1}
    of_batch = {t.model: t.p50_ms / t.batch_size for t in timed if t.batch_size == batch}
    shares = [1.0, *([] if plan.handed_over is None else [plan.handed_over])]
    mine_us = 1e3 * sum(s * alone[m] for s, m in zip(shares, plan.models, strict=True))
    best_us = 1e3 * alone[best]
    item_ms = sum(s * of_batch[m] for s, m in zip(shares, plan.models, strict=True))
    memory_mb = sum(measured.memory_bytes.get(m, 0) for m in plan.models) / 1e6
    loaded = f", and {memory_mb:.2g} MB of memory once loaded" if memory_mb else ""
    most_accurate = f"the most accurate that may be, {best}, takes {best_us:.1f} µs"
    if plan.models == (best,):
        most_accurate = "none that may be is more accurate"
    gpu = "a GPU is worth trying" if training_s > _GPU_WORTH_S else "a GPU is not worth it"
    return (
        Reason(
            topic="hardware",
            text=f"{mine_us:.1f} µs a message alone{loaded}; {most_accurate}. Training is about "
            f"{training_s:.1f} s of one core: {gpu}",
            figures={
                "us": mine_us,
                "best_us": best_us,
                "training_s": training_s,
                "memory_mb": memory_mb,
            },
            source=clock + "; training by counted work",
        ),
        Reason(
            topic="cost",
            text=f"a million messages in calls of {batch} take {item_ms * 1e3:.3g} s of one core",
            figures={"core_s_per_million": item_ms * 1e3},
            source=clock,
        ),
        *([] if device is None else [_device(device)]),
    )


def _device(device: MeasuredDevice) -> Reason:
    times = {
        name.removesuffix("_us"): ratio for name, ratio in ratios(device.here, device.there).items()
    }
    return Reason(
        topic="device",
        text=f"latencies are those of {device.host} ({device.processor}, {device.runtime}), "
        f"scaled: any call takes {times['call']:.2f} times as long as here, products of matrices "
        f"{times['matrix']:.2f}, trees {times['trees']:.2f}, convolutions "
        f"{times['convolution']:.2f}",
        figures=times,
        source="its card, against the same reference graphs timed on this machine",
    )


def _data_size(ran: Sequence[Arm]) -> Reason | None:
    classical = best_of(arm for arm in ran if arm.family == "classical")
    neural = best_of(arm for arm in ran if arm.family == "neural")
    if classical is None or neural is None:
        return None
    n_rows = classical.curve[-1].n_rows
    gap = 100 * (accuracy_of(classical) - accuracy_of(neural))
    ahead, behind = (classical, neural) if gap >= 0 else (neural, classical)
    where = _crossing(ahead, behind)
    points = f"{abs(gap):.1f} points above {behind.model}"
    if abs(gap) < _LEVEL:
        points = f"level with {behind.model}"
    told = "no crossing is in sight up to 10 times the rows"
    if where is not None and abs(gap) < _LEVEL:
        told = f"from about {where:,} on {behind.model} is forecast ahead"
    elif where is not None:
        told = f"the curves cross at about {where:,} rows"
    elif not (ahead.forecast and behind.forecast):
        told = "where the curves cross can't be told: one of them has no forecast"
    return Reason(
        topic="data size",
        text=f"at {n_rows:,} rows {ahead.model} is {points}; {told}",
        figures={
            "n_rows": n_rows,
            "classical_ahead_points": gap,
            **({} if where is None else {"crossing_rows": where}),
        },
        source=_FORECAST,
    )


def _ended(arms: Sequence[Arm]) -> Reason | None:
    """Where no arm of a family ran to the end."""
    whole = {arm.family for arm in arms if arm.accuracy is not None}
    ended = [arm for arm in arms if arm.curve and arm.family not in whole]
    if not ended:
        return None
    last = max(ended, key=lambda arm: arm.curve[-1].validation)
    return Reason(
        topic="data size",
        text=f"{last.model} ended at {last.curve[-1].n_rows:,} rows: {last.stopped or 'Ctrl-C'}",
        figures={"n_rows": last.curve[-1].n_rows, "accuracy": last.curve[-1].validation},
        source=_FORECAST,
    )


def _crossing(ahead: Arm, behind: Arm) -> int | None:
    """Rows at which the arm behind is forecast to be level; None: not up to the last forecast."""
    before_rows, before_gap = ahead.curve[-1].n_rows, accuracy_of(ahead) - accuracy_of(behind)
    for a, b in zip(ahead.forecast, behind.forecast, strict=False):
        gap = a.value - b.value
        if gap <= 0:
            share = before_gap / (before_gap - gap) if before_gap > gap else 0.0
            return round(before_rows + share * (a.n_rows - before_rows))
        before_rows, before_gap = a.n_rows, gap
    return None


def _interpretability(ran: Sequence[Arm]) -> Reason | None:
    glass = best_of(arm for arm in ran if arm.interpretable)
    best = best_of(ran)
    if glass is None or best is None:
        return None
    points = 100 * (accuracy_of(best) - accuracy_of(glass))
    told = f"the best model that a person can read, {glass.model}, costs {points:.1f} points "
    return Reason(
        topic="interpretability",
        text=f"{told}against {best.model}"
        if glass is not best
        else f"the most accurate model, {glass.model}, is one that a person can read",
        figures={"points": points},
        source=RACE,
    )


def _overfitting(arm: Arm) -> Reason:
    last = arm.curve[-1]
    gap = 100 * (last.train - last.validation)
    told = "no better on rows that it learned from than on others"
    if gap > 0:
        wide = gap > 100 * _WIDE_GAP
        means = "more rows help most" if wide else "little is lost"
        told = f"{gap:.1f} points better on rows that it learned from than on others; {means}"
    return Reason(
        topic="overfitting",
        text=f"{arm.model} is {told}",
        figures={"train": last.train, "validation": last.validation},
        source=RACE,
    )


def _scalability(arm: Arm) -> Reason:
    if not arm.forecast:
        return Reason(
            topic="scalability",
            text=f"no forecast for {arm.model}: its curve is no power law, or falls with more rows",
            source=_FORECAST,
        )
    now = arm.curve[-1].validation
    told = ", ".join(
        f"{round(b.n_rows / arm.curve[-1].n_rows)} times the rows {100 * (b.value - now):+.1f} "
        f"({100 * (b.low - now):+.1f} to {100 * (b.high - now):+.1f})"
        for b in arm.forecast
    )
    return Reason(
        topic="scalability",
        text=f"points to expect of {arm.model}, with 90% bands: {told}",
        figures={f"gain_{b.n_rows}": 100 * (b.value - now) for b in arm.forecast},
        source=_FORECAST,
    )


def _fairness(groups: Mapping[str, AccuracyEstimate]) -> Reason:
    worst = min(groups, key=lambda name: (groups[name].value, groups[name].low, name))
    best = max(groups, key=lambda name: (groups[name].value, groups[name].low, name))
    low, high = groups[worst], groups[best]
    points = 100 * (high.value - low.value)
    sure = "the intervals are apart" if low.high < high.low else "the intervals overlap"
    told = f"{worst!r} gets {low.value:.3f} ({low.low:.3f} to {low.high:.3f})"
    if high.value > low.value:
        told += f", {best!r} {high.value:.3f} ({high.low:.3f} to {high.high:.3f}): "
        told += f"{points:.1f} points; {sure}"
    else:
        told += ", and so do all other groups; of it the least is known"
    return Reason(
        topic="fairness",
        text=told,
        figures={name: estimate.value for name, estimate in groups.items()},
        source="held-out rows of the race, by group, with 95% intervals",
    )
