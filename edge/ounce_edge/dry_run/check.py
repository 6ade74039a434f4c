"""What is wrong with a policy, before it is in force."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import EffectivePolicy, Policy
from ounce_schemas.policy_rules import Rule, many
from ounce_schemas.routing import Fallback

from ounce_edge.dry_run.covering import covers
from ounce_edge.dry_run.reach import Nearest, nearest
from ounce_edge.models.catalogue import Ladder
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.routes import absent_denials, make_routes


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Workers refuse the policy, it contradicts itself, or it names what is not there."""
    WARNING = "warning"
    """It can be in force, and may not do what is meant."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    level: Level
    where: str
    """`policy`, a task or a rule, perhaps of a task."""
    text: str


def check(
    policy: Policy, ladders: Mapping[str, Ladder], now: datetime | None = None
) -> list[Finding]:
    """All findings, errors first.

    Args:
        policy: to be checked.
        ladders: of the tasks that are served, by their names, with cards.
        now: the time.
    """
    now = datetime.now(UTC) if now is None else now
    found = [*_of_rules(policy.rules, now)]
    if ladders:
        found += _of_names(policy, ladders)
    for task, ladder in ladders.items():
        found += _of_task(policy.for_task(task), ladder)
    if not ladders:
        for task in policy.tasks:
            found += _of_limits(task, policy.for_task(task))
        found += _of_limits("policy", policy.for_task(""))
    return sorted(dict.fromkeys(found), key=lambda f: f.level is not Level.ERROR)


def _of_rules(rules: Sequence[Rule], now: datetime) -> Iterator[Finding]:
    for i, rule in enumerate(rules):
        where = f"rule {rule.name}"
        hidden_by = next((r.name for r in rules[:i] if covers(r.when, rule.when)), None)
        if hidden_by is not None:
            text = f"is never met: every message that it is for meets rule {hidden_by} first"
            yield Finding(Level.ERROR, where, text)
        if rule.when.valid_until is not None and rule.when.valid_until <= now:
            yield Finding(Level.WARNING, where, f"is over since {rule.when.valid_until}")
        both = sorted(set(rule.allow or ()) & set(rule.deny or ()))
        if both:
            yield Finding(Level.ERROR, where, f"allows and denies {both}")


def _of_names(policy: Policy, ladders: Mapping[str, Ladder]) -> Iterator[Finding]:
    known = {m.card.model for ladder in ladders.values() for m in ladder.models}
    for task in sorted(set(policy.tasks) - set(ladders)):
        yield Finding(Level.WARNING, f"task {task}", "has no ladder here, so it is not checked")
    for rule in policy.rules:
        where = f"rule {rule.name}"
        unknown = sorted({*(rule.allow or ()), *(rule.deny or ())} - known)
        if unknown:
            yield Finding(Level.ERROR, where, f"names models that no task has: {unknown}")
        absent = sorted(set(many(rule.when.task or ())) - set(ladders))
        if absent:
            yield Finding(Level.WARNING, where, f"is for tasks that have no ladder here: {absent}")


def _of_task(policy: EffectivePolicy, ladder: Ladder) -> Iterator[Finding]:
    task = f"task {ladder.task.name}"
    yield from _of_limits(task, policy)
    absent = absent_denials(ladder, policy)
    if absent:
        text = f"has no model {absent}, which it denies; force it where the model is to come later"
        yield Finding(Level.ERROR, task, text)
    plans, _ = make_plans(ladder, policy, lambda served: card_belief(served.card))
    try:
        routes = make_routes(ladder, policy, plans)
    except PolicyError as e:
        yield Finding(Level.ERROR, task, str(e).split(": ", 1)[-1])
        return
    state = plans.renew_state(0.0)
    every = [(task, policy), *((f"rule {r.name}, {task}", r.policy) for r in policy.rules)]
    for number, (where, settings) in enumerate(every):
        if number:
            yield from _of_limits(where, settings)
        view = routes.routes[routes.of_settings[number]].view(state)
        least = settings.limits.min_accuracy.least
        for floor, what in ((settings.min_accuracy, "floor"), (least, "least floor")):
            if floor is None:
                continue
            near = nearest(view, settings.max_latency_ms, floor)
            if near is not None:
                yield _unmet(where, settings, f"{what} {floor:g}", near)


def _unmet(where: str, settings: EffectivePolicy, floor: str, near: Nearest) -> Finding:
    can = []
    if near.latency_ms is not None:
        can.append(f"{near.latency_ms:.3g} ms with that floor")
    if near.accuracy is not None:
        can.append(f"accuracy {near.accuracy:.4f} within that deadline")
    then = (
        "every such message is refused"
        if settings.fallback is Fallback.REFUSE
        else f"fallback {settings.fallback} answers"
    )
    text = (
        f"no plan meets {settings.max_latency_ms:g} ms and {floor} by its card, so {then}; "
        f"nearest: {' or '.join(can) or 'none'}"
    )
    return Finding(Level.WARNING, where, text)


def _of_limits(where: str, policy: EffectivePolicy) -> Iterator[Finding]:
    pairs = (
        ("max_latency_ms", policy.max_latency_ms, policy.limits.max_latency_ms),
        ("min_accuracy", policy.min_accuracy, policy.limits.min_accuracy),
    )
    for name, value, limits in pairs:
        if limits.least is not None and value < limits.least:
            text = f"{name} {value:g} is under its own limit {limits.least:g}"
            yield Finding(Level.ERROR, where, text)
        if limits.most is not None and value > limits.most:
            text = f"{name} {value:g} is over its own limit {limits.most:g}"
            yield Finding(Level.ERROR, where, text)
    both = sorted(set(policy.allow or ()) & set(policy.deny))
    if both:
        yield Finding(Level.WARNING, where, f"allows and denies {both}; denied counts")
