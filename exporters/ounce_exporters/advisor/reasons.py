"""Why: a line for each thing that a person would ask, with its figure and its source. Pure."""

from collections.abc import Mapping, Sequence

from ounce_schemas.advice import Arm, Decision, Look, Reason
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.task import TaskSpec

from ounce_exporters.advisor.family_prior import learned_reason
from ounce_exporters.advisor.prior import rule
from ounce_exporters.advisor.structure import (
    RACE,
    accuracy_of,
    best_of,
    labels,
    name_items,
    structure,
    transfer,
)
from ounce_exporters.advisor.wording import LEVEL, forecast

_FORECAST = "the race's curve and forecasts fitted on public tables (LCDB 1.0)"
_WIDE_GAP = 0.05
"""Train less validation accuracy from which a model is said to have learned rows by heart."""


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
        groups: accuracy of the plan's answers, by COLUMN=VALUE.
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
            found.append(_fairness(", then ".join(plan.models), groups))
    found.append(transfer(look, arms))
    return tuple(name_items(reason, look) for reason in found if reason is not None)


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
    if abs(gap) < LEVEL:
        points = f"level with {behind.model}"
    told = "no crossing is in sight up to 10 times the rows"
    if where is not None and abs(gap) < LEVEL:
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


def _ended(arms: Sequence[Arm]) -> Reason:
    """Where no arm of a family ran to the end, or none raced."""
    whole = {arm.family for arm in arms if arm.accuracy is not None}
    ended = [arm for arm in arms if arm.curve and arm.family not in whole]
    if not ended:
        lacking = {"classical": "classical model", "neural": "network"}
        told = " and no ".join(lacking[f] for f in sorted({*lacking} - whole))
        return Reason(
            topic="data size",
            text=f"no {told} raced: which kind more rows favour can't be told",
            source=RACE,
        )
    last = max(ended, key=lambda arm: arm.curve[-1].validation)
    return Reason(
        topic="data size",
        text=f"{last.model} ended at {last.curve[-1].n_rows:,} rows: {last.stopped or 'Ctrl-C'}",
        figures={"n_rows": last.curve[-1].n_rows, "accuracy": last.curve[-1].validation},
        source=_FORECAST,
    )


def _crossing(ahead: Arm, behind: Arm) -> int | None:
    """Rows from which the arm behind is forecast ahead; None: not up to the last forecast."""
    before_rows, before_gap = ahead.curve[-1].n_rows, accuracy_of(ahead) - accuracy_of(behind)
    for a, b in zip(ahead.forecast, behind.forecast, strict=False):
        gap = a.value - b.value
        if 100 * gap <= -LEVEL:
            share = max(before_gap, 0.0) / (max(before_gap, 0.0) - gap)
            return round(before_rows + share * (a.n_rows - before_rows))
        before_rows, before_gap = a.n_rows, gap
    return None


def _interpretability(ran: Sequence[Arm]) -> Reason | None:
    glass = best_of(arm for arm in ran if arm.interpretable)
    best = best_of(ran)
    if best is None:
        return None
    if glass is None:
        return Reason(
            topic="interpretability",
            text="no model that raced is one that a person can read",
            source=RACE,
        )
    points = 100 * (accuracy_of(best) - accuracy_of(glass))
    told = f"the best model that a person can read, {glass.model}, "
    if glass is best:
        told = f"the most accurate model, {glass.model}, is one that a person can read"
    elif points < LEVEL:
        told += f"is level with {best.model}"
    else:
        told += f"costs {points:.1f} points against {best.model}"
    return Reason(
        topic="interpretability",
        text=told,
        figures={"points": points},
        source=RACE,
    )


def _overfitting(arm: Arm) -> Reason:
    last = arm.curve[-1]
    gap = 100 * (last.train - last.validation)
    told = "no better on rows that it learned from than on others"
    if gap >= LEVEL:
        wide = gap > 100 * _WIDE_GAP
        told = f"{gap:.1f} points better on rows that it learned from than on others"
        told += "; it has learned much of them by heart" * wide
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
        f"{round(b.n_rows / arm.curve[-1].n_rows)} times the rows "
        f"{forecast(*(100 * (value - now) for value in (b.value, b.low, b.high)))}"
        for b in arm.forecast
    )
    return Reason(
        topic="scalability",
        text=f"points to expect of {arm.model}, with 90% bands: {told}",
        figures={f"gain_{b.n_rows}": 100 * (b.value - now) for b in arm.forecast},
        source=_FORECAST,
    )


def _fairness(models: str, groups: Mapping[str, AccuracyEstimate]) -> Reason:
    if len(groups) == 1:
        (name,) = groups
        return Reason(
            topic="fairness",
            text=f"groups can't be told apart: all judged rows are of {name}",
            figures={name: groups[name].value},
            source="held-out rows of the race, by group; one of fewer than 30 is not told alone",
        )
    worst = min(groups, key=lambda name: (groups[name].value, groups[name].low, name))
    best = max(groups, key=lambda name: (groups[name].value, groups[name].low, name))
    low, high = groups[worst], groups[best]
    points = 100 * (high.value - low.value)
    sure = "the intervals are apart" if low.high < high.low else "the intervals overlap"
    told = f"accuracy of {models} is {low.value:.3f} ({low.low:.3f} to {low.high:.3f}) for {worst}"
    if high.value > low.value:
        told += f", {high.value:.3f} ({high.low:.3f} to {high.high:.3f}) for {best}: "
        told += f"{points:.1f} points; {sure}" if points >= LEVEL else f"alike; {sure}"
    else:
        told += ", as for all other groups; of it the least is known"
    return Reason(
        topic="fairness",
        text=told,
        figures={name: estimate.value for name, estimate in groups.items()},
        source="held-out rows of the race, by group, with 95% intervals",
    )
