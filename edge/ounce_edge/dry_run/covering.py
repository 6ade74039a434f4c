"""Whether a rule is for every message that a later rule is for, which then is never met."""

import fnmatch
from datetime import UTC, datetime

from ounce_schemas.policy_rules import When, many

_ANY_CHARACTER, _ANY_TEXT = "\ufffe", ("", "\uffff" * 3)
"""Texts that no pattern names: what matches them matches any."""
_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def covers(earlier: When, later: When) -> bool:
    """Whether each message that meets `later` meets `earlier`. False where that is not sure."""
    if earlier.task is not None and (
        later.task is None or not set(many(later.task)) <= set(many(earlier.task))
    ):
        return False
    start, end = earlier.valid_from or _EVER[0], earlier.valid_until or _EVER[1]
    if start > (later.valid_from or _EVER[0]) or end < (later.valid_until or _EVER[1]):
        return False
    if earlier.device is not None and (
        later.device is None or not _all_match(many(earlier.device), many(later.device))
    ):
        return False
    wanted = later.headers
    return all(
        name in wanted and _all_match(patterns, wanted[name])
        for name, patterns in earlier.headers.items()
    )


def _all_match(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return all(any(_matches(pattern, each) for pattern in wide) for each in narrow)


def _matches(wide: str, narrow: str) -> bool:
    """Whether what matches the narrow pattern matches the wide one."""
    of_glob = wide.replace("[", "[[]")
    probes = [narrow.replace("?", _ANY_CHARACTER).replace("*", text) for text in _ANY_TEXT]
    return wide == narrow or all(fnmatch.fnmatchcase(probe, of_glob) for probe in probes)
