"""What is remembered of the messages that a rule is found for."""

import tracemalloc

from ounce_schemas.policy import Policy
from ounce_schemas.policy_matching import RuleMatcher


def test_long_names_of_devices_meet_their_rule_and_are_not_kept() -> None:
    rule = {"name": "far", "when": {"device": "far*"}, "min_accuracy": 0.5}
    policy = Policy.model_validate({"rules": [rule]})
    matcher = RuleMatcher(policy.for_task("digits"))
    tracemalloc.start()
    try:
        numbers = [matcher.number(b"far%d" % i + b"x" * 10_000, {}, 0.0) for i in range(100)]
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert numbers == [1] * 100
    assert kept_bytes < 100_000
    assert [matcher.number(device, {}, 0.0) for device in (b"far1", b"near", None)] == [1, 0, 0]
