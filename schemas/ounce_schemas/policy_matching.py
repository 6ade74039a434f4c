"""Which rule of a policy a message meets: compiled once, then mostly looked up.

What rules look at are few values that come again in every message: the device's id and some
headers. So the rule of each combination is found once and remembered.
"""

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from ounce_schemas.policy import EffectivePolicy, EffectiveRule
from ounce_schemas.policy_rules import many

Headers = Mapping[str, bytes | None]
"""Values by name."""
NO_RULE = 0
"""Number of the settings that hold for messages which meet no rule."""
_MOST_KNOWN = 65_536
_MOST_KNOWN_BYTES = 1000
"""Combinations that are remembered, and bytes of each: devices and headers come from outside."""


class RuleMatcher:
    """Finds the number of a message's settings: 0, or the place of its rule, counted from 1.

    Args:
        policy: of one task.
    """

    def __init__(self, policy: EffectivePolicy) -> None:
        self._rules = policy.rules
        names = dict.fromkeys(name for rule in policy.rules for name in rule.when.headers)
        self._headers = tuple(names)
        self._looks_at_devices = any(
            rule.when.device is not None or rule.devices is not None for rule in policy.rules
        )
        self._is_met = [_compile(rule, self._headers) for rule in policy.rules]
        self._until_ms = -math.inf
        self._known = _Known(lambda key: NO_RULE)

    @property
    def is_trivial(self) -> bool:
        """Whether there is no rule."""
        return not self._rules

    def number(self, device: bytes | None, headers: Headers, now_ms: float) -> int:
        """Number of one message's settings.

        Args:
            device: key of its record.
            headers: of the record, by the names that have a meaning.
            now_ms: milliseconds since 1970.
        """
        [number] = self.numbers([device], [headers], now_ms)
        return number

    def numbers(
        self, devices: Sequence[bytes | None], headers: Sequence[Headers], now_ms: float
    ) -> Iterable[int]:
        """`number` of each of several messages."""
        columns: list[Sequence[bytes | None]] = [
            [each.get(name) for each in headers] for name in self._headers
        ]
        if self._looks_at_devices:
            columns.append(devices)
        looked_at = zip(*columns, strict=True) if columns else repeat((), len(devices))
        return map(self._at(now_ms).__getitem__, looked_at)

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
            self._known = _Known(lambda values: _first_met(valid, values))
            self._until_ms = _next_change_ms(self._rules, now_ms)
        return self._known


_Values = tuple[bytes | None, ...]
"""What rules look at of a message: its headers, then the device where a rule looks at it."""
_IsMet = Callable[[_Values], bool]


class _Known(dict[_Values, int]):
    """Numbers by what rules look at; each is found when it is first asked for."""

    def __init__(self, find: Callable[[_Values], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, values: _Values) -> int:
        number = self._find(values)
        if sum([len(value) for value in values if value]) <= _MOST_KNOWN_BYTES:
            if len(self) >= _MOST_KNOWN:
                self.clear()
            self[values] = number
        return number


def _first_met(rules: Iterable[tuple[int, _IsMet]], values: _Values) -> int:
    return next((number for number, is_met in rules if is_met(values)), NO_RULE)


def _compile(rule: EffectiveRule, headers: Sequence[str]) -> _IsMet:
    """Whether a message meets a rule, whose times are not looked at."""
    wanted = [(headers.index(name), _matcher(p)) for name, p in rule.when.headers.items()]
    if rule.devices is not None:
        wanted.insert(0, (-1, rule.devices.has))
    if rule.when.device is not None:
        wanted.append((-1, _matcher(many(rule.when.device))))
    return lambda values: all(matches(values[i]) for i, matches in wanted)


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
