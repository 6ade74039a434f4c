"""The targets of messages: what each asks for, else its rule's; within the limits of that rule."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.policy_matching import Attributes, RuleMatcher

from ounce_edge.wire.records import Headers
from ounce_edge.wire.request_head import RequestHead

Asked = Sequence[float | None]
"""What each message asks for; None where it says nothing. Empty: none says anything."""


class Settled(NamedTuple):
    """What holds for some messages; arrays of shape (n,)."""

    max_latency_ms: NDArray[np.float64]
    min_accuracy: NDArray[np.float64]
    routes: NDArray[np.intp] | None
    """Who may answer; None: the first route for all."""


class Targets:
    """Settles targets and routes of one task's messages.

    Args:
        policy: of the task.
        matcher: of the policy.
        of_settings: route by the number of a message's settings.
    """

    def __init__(
        self, policy: EffectivePolicy, matcher: RuleMatcher, of_settings: Sequence[int]
    ) -> None:
        every = [policy, *(rule.policy for rule in policy.rules)]
        self._matcher = matcher
        self._route: NDArray[np.intp] = np.array(of_settings, np.intp)
        self._latency = _Target(
            [each.max_latency_ms for each in every],
            [each.limits.max_latency_ms.least for each in every],
            [each.limits.max_latency_ms.most for each in every],
        )
        self._accuracy = _Target(
            [each.min_accuracy for each in every],
            [each.limits.min_accuracy.least for each in every],
            [each.limits.min_accuracy.most for each in every],
        )

    def settle(
        self,
        keys: Sequence[bytes | None],
        heads: Sequence[RequestHead],
        asked: tuple[Asked, Asked],
        now_ms: float,
    ) -> Settled:
        """Targets and routes of n >= 0 messages.

        Args:
            keys: devices.
            heads: what the headers say.
            asked: deadlines and floors that the messages ask for.
            now_ms: milliseconds since 1970.
        """
        n, numbers = len(keys), None
        if not self._matcher.is_trivial:
            numbers = self._numbers(keys, [head.attributes for head in heads], now_ms)
        return Settled(
            self._latency.settle(asked[0], numbers, n),
            self._accuracy.settle(asked[1], numbers, n),
            self._routes(numbers),
        )

    def routes(
        self, keys: Sequence[bytes | None], headers: Sequence[Headers | None], now_ms: float
    ) -> NDArray[np.intp] | None:
        """Routes alone; as in `Settled`."""
        if self._matcher.is_trivial:
            return None
        attributes = [self._matcher.attributes(dict(each or ())) for each in headers]
        return self._routes(self._numbers(keys, attributes, now_ms))

    def _numbers(
        self, keys: Sequence[bytes | None], attributes: Sequence[Attributes], now_ms: float
    ) -> NDArray[np.intp] | None:
        """Numbers of the messages' settings; None: no message meets a rule."""
        found = self._matcher.numbers(keys, attributes, now_ms)
        numbers = np.fromiter(found, np.intp, len(keys))
        return numbers if numbers.any() else None

    def _routes(self, numbers: NDArray[np.intp] | None) -> NDArray[np.intp] | None:
        routes = None if numbers is None else self._route[numbers]
        return routes if routes is not None and routes.any() else None


class _Target:
    """One of both targets, by the number of a message's settings."""

    def __init__(
        self, default: Sequence[float], least: Sequence[float | None], most: Sequence[float | None]
    ) -> None:
        self._default = np.array(default)
        self._least = np.array([-math.inf if each is None else each for each in least])
        self._most = np.array([math.inf if each is None else each for each in most])
        self._is_limited = bool(np.isfinite([self._least, self._most]).any())

    def settle(self, asked: Asked, numbers: NDArray[np.intp] | None, n: int) -> NDArray[np.float64]:
        if numbers is None:
            default = self._default[0]
            if asked.count(None) == len(asked):
                values = np.full(n, default)
            else:
                values = np.array([default if a is None else a for a in asked], np.float64)
        else:
            values = self._default[numbers]
            if asked.count(None) < len(asked):
                said = np.array([math.nan if a is None else a for a in asked], np.float64)
                values = np.where(np.isnan(said), values, said)
        if self._is_limited:
            at = 0 if numbers is None else numbers
            values = np.clip(values, self._least[at], self._most[at])
        return values
