"""Which rule one message meets, and what that makes of it on the cards."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from ounce_schemas.policy import EffectivePolicy, Policy
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.policy_rules import AccuracyLimits, LatencyLimits

from ounce_edge.models.catalogue import Ladder
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.routes import make_routes
from ounce_edge.recommender.rule.decision import decide
from ounce_edge.recommender.rule.explanation import Assessment, assess


class Message(NamedTuple):
    """What rules may look at of a message, and what it asks for."""

    task: str
    device: bytes | None = None
    headers: Mapping[str, bytes | None] = {}
    """By their whole name, `ce_...`."""
    max_latency_ms: float | None = None
    min_accuracy: float | None = None


class Meeting(NamedTuple):
    """What a policy makes of a message."""

    rule: str | None
    """Name of the rule that it meets; None: none, so the task's settings hold."""
    settings: EffectivePolicy
    max_latency_ms: float
    min_accuracy: float


class Choice(NamedTuple):
    """What answers it, alone and by the cards."""

    plan: str | None
    """None: it is refused."""
    reason: str
    plans: list[Assessment]


def meet(policy: Policy, message: Message, now_ms: float) -> Meeting:
    """The rule that a message meets, and the targets that hold for it."""
    own = policy.for_task(message.task)
    number = RuleMatcher(own).number(message.device, message.headers, now_ms)
    rule = own.rules[number - 1] if number else None
    settings = own if rule is None else rule.policy
    asked_ms, floor = message.max_latency_ms, message.min_accuracy
    return Meeting(
        None if rule is None else rule.name,
        settings,
        within(
            settings.max_latency_ms if asked_ms is None else asked_ms,
            settings.limits.max_latency_ms,
        ),
        within(settings.min_accuracy if floor is None else floor, settings.limits.min_accuracy),
    )


def choose(meeting: Meeting, ladder: Ladder) -> Choice:
    """The plan that answers the message where it waits alone.

    Raises:
        PolicyError: no model may.
    """
    settings = meeting.settings
    plans, _ = make_plans(ladder, settings, lambda served: card_belief(served.card))
    view = make_routes(ladder, settings, plans).routes[0].view(plans.renew_state(0.0))
    left_ms, floor = meeting.max_latency_ms, meeting.min_accuracy
    schedule = decide(view, np.full(1, left_ms), np.full(1, floor), settings.fallback)
    assessed = assess(view, left_ms, floor)
    if not schedule.groups:
        return Choice(None, "refused", assessed)
    [group] = schedule.groups
    keeps = view.accuracy_low[group.plan] >= floor
    reason = group.choice if keeps else group.choice.below_floor
    return Choice(view.names[group.plan], str(reason), assessed)


def within(value: float, limits: LatencyLimits | AccuracyLimits) -> float:
    """The value, or the nearest that the limits permit."""
    if limits.least is not None:
        value = max(value, limits.least)
    return value if limits.most is None else min(value, limits.most)
