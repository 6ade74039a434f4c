"""Which rule of a policy a message meets: compiled once, then mostly looked up.

What rules look at are few values that come again in every message: the device's id and some
headers. So the rule of each combination is found once and remembered.
"""

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ounce_schemas.policy import EffectivePolicy, EffectiveRule
from ounce_schemas.policy_rules import many

Attributes = tuple[bytes | None, ...]
"""Values of the headers that rules look at, in the order of `RuleMatcher.headers`; empty where a
message has no headers."""
NO_RULE = 0
"""Number of the settings that hold for messages which meet no rule."""
_MOST_KNOWN = 65_536
"""Combinations that are remembered: devices and headers come from outside."""


class RuleMatcher:
    """Finds the number of a message's settings: 0, or the place of its rule, counted from 1.

    Args:
        policy: of one task.
    """

    def __init__(self, policy: EffectivePolicy) -> None:
        self._rules = policy.rules
        names = dict.fromkeys(name for rule in policy.rules for name in rule.when.headers)
        self.headers: tuple[str, ...] = tuple(names)
        """Names of the headers that rules look at."""
        self.looks_at_devices = any(
            rule.when.device is not None or rule.devices is not None for rule in policy.rules
        )
        self._is_met = [_compile(rule, self.headers) for rule in policy.rules]
        self._until_ms = -math.inf
        self._known = _Known(lambda key: NO_RULE)

    @property
    def is_trivial(self) -> bool:
        """Whether there is no rule."""
        return not self._rules

    def number(self, device: bytes | None, attributes: Attributes, now_ms: float) -> int:
        """Number of one message's settings.

        Args:
            device: key of its record.
            attributes: values of `headers`.
            now_ms: milliseconds since 1970.
        """
        return self._at(now_ms)[(device, attributes) if self.looks_at_devices else attributes]

    def numbers(
        self, devices: Sequence[bytes | None], attributes: Sequence[Attributes], now_ms: float
    ) -> Iterable[int]:
        """`number` of each of several messages."""
        known = self._at(now_ms)
        if not self.looks_at_devices:
            return map(known.__getitem__, attributes)
        return map(known.__getitem__, zip(devices, attributes, strict=True))

    def attributes(self, headers: Mapping[str, bytes | None]) -> Attributes:
        """Values of the headers that rules look at."""
        return tuple(map(headers.get, self.headers))

    def _at(self, now_ms: float) -> "_Known":
        """What is known of the rules that are valid now."""
        if now_ms >= self._until_ms:
            valid = [
                (number, is_met)
                for number, (rule, is_met) in enumerate(
                    zip(self._rules, self._is_met, strict=True), start=1
                )
                if _is_valid(rule, now_ms)
            ]
            looks_at_devices = self.looks_at_devices
            self._known = _Known(
                lambda key: _first_met(valid, *(key if looks_at_devices else (None, key)))
            )
            self._until_ms = _next_change_ms(self._rules, now_ms)
        return self._known


_Key = Any
"""The attributes; with the device before them where rules look at devices."""
_IsMet = Callable[[bytes | None, Attributes], bool]


class _Known(dict[_Key, int]):
    """Numbers by what rules look at; each is found when it is first asked for."""

    def __init__(self, find: Callable[[_Key], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: _Key) -> int:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        number = self[key] = self._find(key)
        return number


def _first_met(
    rules: Iterable[tuple[int, _IsMet]], device: bytes | None, attributes: Attributes
) -> int:
    return next((number for number, is_met in rules if is_met(device, attributes)), NO_RULE)


def _compile(rule: EffectiveRule, headers: Sequence[str]) -> _IsMet:
    device = None if rule.when.device is None else _matcher(many(rule.when.device))
    wanted = [(headers.index(name), _matcher(p)) for name, p in rule.when.headers.items()]

    def is_met(key: bytes | None, attributes: Attributes) -> bool:
        if rule.devices is not None and not rule.devices.has(key):
            return False
        if device is not None and not device(key):
            return False
        if wanted and not attributes:
            return False
        return all(matches(attributes[i]) for i, matches in wanted)

    return is_met


def _matcher(patterns: Sequence[str]) -> Callable[[bytes | None], bool]:
    """Whether a value matches one of some patterns. One that is absent or empty matches none."""
    exact = frozenset(p.encode() for p in patterns if not _is_glob(p))
    # `[` has no meaning in a pattern of a policy, in one of fnmatch it has.
    globs = [fnmatch.translate(p.replace("[", "[[]")) for p in patterns if _is_glob(p)]
    glob = re.compile("|".join(f"(?:{each})" for each in globs)) if globs else None

    def matches(value: bytes | None) -> bool:
        if not value:
            return False
        if value in exact:
            return True
        return glob is not None and glob.match(value.decode(errors="surrogateescape")) is not None

    return matches


def _is_glob(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _bounds_ms(rule: EffectiveRule) -> tuple[float, float]:
    start, end = rule.when.valid_from, rule.when.valid_until
    return (
        -math.inf if start is None else start.timestamp() * 1e3,
        math.inf if end is None else end.timestamp() * 1e3,
    )


def _is_valid(rule: EffectiveRule, now_ms: float) -> bool:
    start_ms, end_ms = _bounds_ms(rule)
    return start_ms <= now_ms < end_ms


def _next_change_ms(rules: Iterable[EffectiveRule], now_ms: float) -> float:
    return min((ms for rule in rules for ms in _bounds_ms(rule) if ms > now_ms), default=math.inf)
