"""Advice on a terminal."""

from collections.abc import Iterator

from ounce_schemas.advice import Advice, Arm, Plan, Verdict
from rich import box
from rich.table import Table

from ounce_exporters.advisor.structure import items_of

_SAID = {
    Verdict.CLASSICAL: "classical machine learning",
    Verdict.DEEP: "deep learning",
    Verdict.CASCADE: "a cascade of two models",
    Verdict.NEITHER_YET: "neither yet",
}


def arms_table(advice: Advice) -> Table:
    """A row for each kind of model, the most accurate first."""
    table = Table(box=box.SIMPLE)
    for head in ("model", "accuracy", "95% interval", "µs alone", "kB", ""):
        table.add_column(head, justify="left" if head in ("model", "") else "right")
    alone_ms = {m.model: m.p50_ms for m in advice.measured.serving if m.batch_size == 1}
    chosen = advice.decision.plan.models if advice.decision.plan else ()
    for arm in sorted(advice.arms, key=_accuracy, reverse=True):
        a = arm.accuracy
        table.add_row(
            arm.model,
            "" if a is None else f"{a.value:.4f}",
            "" if a is None else f"{a.low:.3f} to {a.high:.3f}",
            f"{alone_ms[arm.model] * 1e3:.0f}" if arm.model in alone_ms else "",
            "" if arm.size_bytes is None else f"{arm.size_bytes / 1e3:,.0f}",
            "advised" if arm.model in chosen else arm.stopped or "",
        )
    return table


def lines(advice: Advice) -> Iterator[str]:
    """What is advised, and why."""
    yield from verdict_lines(advice)
    for number, reason in enumerate((*advice.reasons, *advice.measured.reasons), 1):
        yield f"{number}. {reason.topic}: {reason.text} ({reason.source})"


def verdict_lines(advice: Advice) -> Iterator[str]:
    """What is advised; the first line is the verdict."""
    decision, budget = advice.decision, advice.budget
    yield f"Advice: {_SAID[decision.verdict]}"
    if advice.interrupted:
        yield "Interrupted: this is the advice of what the race had by then"
    if decision.plan is not None:
        nearest = decision.missed and decision.verdict is Verdict.NEITHER_YET
        yield f"{'Nearest plan' if nearest else 'Plan'}: {say_plan(decision.plan)}"
    for missed in decision.missed:
        yield f"Not kept: {missed}"
    if decision.runner_up is not None and decision.plan is not None:
        gain = 100 * (decision.runner_up.accuracy.value - decision.plan.accuracy.value)
        cost = decision.runner_up.counted_ns / max(decision.plan.counted_ns, 1e-9)
        yield (
            f"Runner-up: {say_plan(decision.runner_up)}: {gain:+.1f} points at {cost:.2g} times "
            "the work"
        )
    if budget.left_out:
        names = ", ".join(budget.left_out)
        yield f"Not raced: {names}: --budget {budget.given_s:g} is too small for them"
    if budget.of_rows is not None and budget.n_rows < budget.of_rows:
        items = items_of(advice.look)
        yield (
            f"Raced on a sample, {budget.n_rows:,} of {budget.of_rows:,} {items}: a larger "
            f"--budget than {budget.given_s:g} judges more surely"
        )


def say_plan(plan: Plan) -> str:
    """A plan in words."""
    a = plan.accuracy
    on = "" if plan.handed_over is None else f" for {plan.handed_over:.0%} of the items"
    return f"{', then '.join(plan.models)}{on}, {a.value:.4f} ({a.low:.3f} to {a.high:.3f})"


def _accuracy(arm: Arm) -> float:
    return -1.0 if arm.accuracy is None else arm.accuracy.value
