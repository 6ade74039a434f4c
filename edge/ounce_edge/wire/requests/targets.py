"""The targets of messages: what each asks for, else its rule's; within the limits of that rule."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.request import AnswerForm

from ounce_edge.wire.header_names import NamedHeaders
from ounce_edge.wire.requests.request_head import RequestHead

Asked = Sequence[float | None]
"""What each message asks for; None where it says nothing. Empty: none says anything."""


class Settled(NamedTuple):
    """What holds for some messages; arrays of shape (n,)."""

    max_latency_ms: NDArray[np.float64]
    min_accuracy: NDArray[np.float64]
    routes: NDArray[np.intp] | None
    """Who may answer; None: the first route for all."""
    explained: NDArray[np.bool_] | None
    """Who is to get an explanation; None: nobody."""


SettingNumbers = NDArray[np.intp] | None
"""Number of each message's settings; shape (n,). None: no message meets a rule."""
Numbers = tuple[Sequence[int], Sequence[int]]
"""Routes by the number of a message's settings: without an explanation, and with one."""
NO_ROUTES: Numbers = ((0,), (0,))


class Targets:
    """Settles targets and routes of one task's messages.

    Args:
        policy: of the task.
        matcher: of the policy.
        of_settings: routes of messages.
    """

    def __init__(self, policy: EffectivePolicy, matcher: RuleMatcher, of_settings: Numbers) -> None:
        every = [policy, *(rule.policy for rule in policy.rules)]
        self._matcher = matcher
        self._route: NDArray[np.intp] = np.array(of_settings[0], np.intp)
        self._explaining: NDArray[np.intp] = np.array(of_settings[1], np.intp)
        self._has_routes = bool(self._route.any())
        self._explains = np.array([each.explanation for each in every])
        self._usual_form = policy.answer
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

    def numbers(
        self, keys: Sequence[bytes | None], headers: Sequence[NamedHeaders], now_ms: float
    ) -> SettingNumbers:
        """Find the rules of n >= 0 messages.

        Args:
            keys: devices.
            headers: by their usual names.
            now_ms: milliseconds since 1970.
        """
        if self._matcher.is_trivial:
            return None
        found = self._matcher.numbers(keys, headers, now_ms)
        numbers = np.fromiter(found, np.intp, len(keys))
        return numbers if numbers.any() else None

    def settle(
        self,
        numbers: SettingNumbers,
        heads: Sequence[RequestHead],
        asked: tuple[Asked, Asked],
        explanations: Sequence[bool | None] = (),
    ) -> Settled:
        """Targets and routes of n >= 0 messages.

        Args:
            numbers: of their settings.
            heads: what the headers say.
            asked: deadlines and floors that the messages ask for.
            explanations: which the messages ask for; likewise.
        """
        explained = self._explained(numbers, heads, explanations)
        return Settled(
            self._latency.settle(asked[0], numbers, len(heads)),
            self._accuracy.settle(asked[1], numbers, len(heads)),
            self.routes(numbers, explained),
            explained,
        )

    def _explained(
        self,
        numbers: SettingNumbers,
        heads: Sequence[RequestHead],
        asked: Sequence[bool | None],
    ) -> NDArray[np.bool_] | None:
        """Who is to get an explanation: who asks, or whose rule has it so. Raw bytes hold none."""
        says_nothing = asked.count(None) == len(asked)
        if says_nothing and not self._explains.any():
            return None
        default = self._explains[0 if numbers is None else numbers]
        wanted = np.broadcast_to(default, len(heads)).copy()
        for i, said in enumerate(asked):
            if said is not None:
                wanted[i] = said
        forms = [head.answer or self._usual_form for head in heads]
        wanted &= np.array([form is not AnswerForm.RAW for form in forms], np.bool_)
        return wanted if wanted.any() else None

    def routes(
        self, numbers: SettingNumbers, explained: NDArray[np.bool_] | None
    ) -> NDArray[np.intp] | None:
        """Routes alone; as in `Settled`."""
        routes = self._route[numbers] if numbers is not None and self._has_routes else None
        if explained is not None:
            at = 0 if numbers is None else numbers
            routes = np.where(explained, self._explaining[at], self._route[at])
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

    def settle(self, asked: Asked, numbers: SettingNumbers, n: int) -> NDArray[np.float64]:
        n_silent = asked.count(None) if asked else n
        if n_silent == 0:
            values = np.array(asked, np.float64)
        else:
            values = np.full(n, self._default[0]) if numbers is None else self._default[numbers]
            if n_silent < n:
                said = np.array(asked, np.float64)  # None becomes NaN
                values = np.where(np.isnan(said), values, said)
        if self._is_limited:
            at = 0 if numbers is None else numbers
            values = np.clip(values, self._least[at], self._most[at])
        return values
