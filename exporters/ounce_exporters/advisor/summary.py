"""Advice on a terminal."""

from collections.abc import Iterator

from ounce_schemas.advice import Advice, Arm, Decision, Look, Plan, Verdict
from rich import box
from rich.table import Table

from ounce_exporters.advisor.structure import items_of
from ounce_exporters.advisor.wording import gain, percent, work

_SAID = {
    Verdict.CLASSICAL: "classical machine learning",
    Verdict.DEEP: "deep learning",
    Verdict.CASCADE: "a cascade of two models",
    Verdict.NEITHER_YET: "neither yet",
}

_LIMIT = "--"
"""What a limit that is missed begins with: its option."""
_DOUBTS = ("--without ", "--unit ", "--time ", "--measure ")
"""Options that change what the figures say: a note that names one is repeated beside the plan."""


def arms_table(advice: Advice) -> Table:
    """A row for each kind of model, the most accurate first."""
    table = Table(box=box.SIMPLE)
    for head in ("model", str(advice.measure), "95% interval", "µs alone", "kB", ""):
        table.add_column(head, justify="left" if head in ("model", "") else "right")
    alone_ms = {m.model: m.p50_ms for m in advice.measured.serving if m.batch_size == 1}
    chosen = named_models(advice.decision)
    role = "nearest" if advice.decision.verdict is Verdict.NEITHER_YET else "advised"
    for arm in sorted(advice.arms, key=_accuracy, reverse=True):
        a = arm.accuracy
        table.add_row(
            arm.model,
            "" if a is None else f"{a.value:.4f}",
            "" if a is None else f"{a.low:.3f} to {a.high:.3f}",
            f"{alone_ms[arm.model] * 1e3:.0f}" if arm.model in alone_ms else "",
            "" if arm.size_bytes is None else f"{arm.size_bytes / 1e3:,.0f}",
            role if arm.model in chosen else arm.stopped or "",
        )
    return table


def gains_nothing(decision: Decision) -> bool:
    """Whether no plan is clearly better than a constant answer: the best is so by luck."""
    return any(not missed.startswith(_LIMIT) for missed in decision.missed)


def named_models(decision: Decision) -> tuple[str, ...]:
    """Models of the plan that is advised, or of the nearest one."""
    return () if decision.plan is None or gains_nothing(decision) else decision.plan.models


def lines(advice: Advice) -> Iterator[str]:
    """What is advised, and why."""
    yield from verdict_lines(advice)
    for notice in advice.look.notices:
        if any(option in notice for option in _DOUBTS):
            yield f"Before you build it: {notice}"
    yield f"Data: {say_data(advice.look)}"
    for number, reason in enumerate((*advice.reasons, *advice.measured.reasons), 1):
        yield f"{number}. {reason.topic}: {reason.text} ({reason.source})"


def verdict_lines(advice: Advice) -> Iterator[str]:
    """What is advised; the first line is the verdict."""
    decision, budget = advice.decision, advice.budget
    yield f"Advice: {_SAID[decision.verdict]}"
    if advice.interrupted:
        yield f"Interrupted: {_interrupted(advice)}"
    plan = None if gains_nothing(decision) else decision.plan
    if plan is not None:
        nearest = decision.missed and decision.verdict is Verdict.NEITHER_YET
        yield f"{'Nearest plan' if nearest else 'Plan'}: {say_plan(plan)}"
    for missed in decision.missed:
        if missed.startswith(_LIMIT):
            yield f"Limit to loosen: {missed}"
            continue
        of_quantities = advice.look.n_classes == 0
        asked = "; a smaller --tolerance asks more of a model" if of_quantities else ""
        yield f"Why not: {missed}{asked}"
    if decision.runner_up is not None and plan is not None:
        points = 100 * (decision.runner_up.accuracy.value - plan.accuracy.value)
        ratio = decision.runner_up.counted_ns / max(plan.counted_ns, 1e-9)
        yield f"Runner-up: {say_plan(decision.runner_up)}: {gain(points)} at {work(ratio)}"
    if budget.left_out:
        names = ", ".join(budget.left_out)
        them = "it" if len(budget.left_out) == 1 else "them"
        yield f"Not raced: {names}: --budget {budget.given_s:g} is too small for {them}"
    fewer, items = [], items_of(advice.look)
    if budget.of_rows is not None and budget.n_rows < budget.of_rows:
        fewer.append(f"raced on a sample, {budget.n_rows:,} of {budget.of_rows:,} {items}")
    judges_less = budget.of_folds is not None and budget.n_folds < budget.of_folds
    if judges_less and not budget.n_repeats and not advice.interrupted:
        fewer.append(f"judged by {budget.n_folds} of {budget.of_folds} folds")
    if fewer:
        told = ", ".join(fewer)
        yield (
            f"{told[0].upper()}{told[1:]}: a larger --budget than {budget.given_s:g} judges more "
            "surely"
        )
    if budget.of_rows is not None and budget.n_rows < budget.of_rows:
        yield (
            f"Times are of models of the sample: `ounce train` learns from all {items}, and trees "
            "may grow; sizes are the most that may come of that"
        )


def _interrupted(advice: Advice) -> str:
    """What the advice rests on."""
    curves, planned = [arm.curve for arm in advice.arms if arm.curve], advice.budget.rungs
    if max(map(len, curves)) == len(planned):
        return "all models have learned; fewer answers judge them than were planned"
    n_rows = max(curve[-1].n_rows for curve in curves)
    items = items_of(advice.look)
    return f"the advice rests on models of {n_rows:,} {items}, not of {planned[-1]:,}"


def say_data(look: Look) -> str:
    """What was seen of the data, in figures."""
    items = items_of(look)
    gaps, again = "no values are missing", f"none of the {items} repeats another"
    if look.missing:
        gaps = f"{percent(look.missing)} of the values are missing"
    if look.duplicates:
        again = f"{percent(look.duplicates)} of the {items} repeat another"
    told = [f"{look.n_rows:,} {items}", gaps, again]
    if look.rarest:
        told.append(f"the rarest of {look.n_classes} classes is {percent(look.rarest)}")
    if look.n_classes and look.constant == 1:
        return f"{', '.join(told)}; nothing says which are strange"
    return f"{', '.join(told)}; a constant answer is right for {percent(look.constant)}"


def say_plan(plan: Plan) -> str:
    """A plan in words."""
    a = plan.accuracy
    on = "" if plan.handed_over is None else f" for {percent(plan.handed_over, 0)} of the items"
    return f"{', then '.join(plan.models)}{on}, {a.value:.4f} ({a.low:.3f} to {a.high:.3f})"


def _accuracy(arm: Arm) -> float:
    return -1.0 if arm.accuracy is None else arm.accuracy.value
