"""What the check finds in a policy, and what it does not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.dry_run.check import Finding, Level, check
from ounce_edge.dry_run.covering import covers
from ounce_edge.dry_run.meeting import Message, choose, meet
from ounce_schemas.policy import Policy
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.policy_rules import When

from tests.support.edge.ladders import DIGITS, ladder, served
from tests.support.edge.pipelines import HEAVY, LIGHT

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LADDERS = {
    "digits": ladder(DIGITS, served(DIGITS, "light", **LIGHT), served(DIGITS, "heavy", **HEAVY))
}


def findings(**policy: Any) -> list[Finding]:
    return check(Policy.model_validate(policy), LADDERS, NOW)


def rule(name: str, when: Any = None, **settings: Any) -> dict[str, Any]:
    return {"name": name, "when": when or {}, **settings}


def test_a_good_policy_has_no_finding() -> None:
    rules = [rule("a", {"tenant": "acme"}, min_accuracy=0.8), rule("b", {"device": "x*"})]
    assert findings(rules=rules) == []
    assert check(Policy(), {}) == []


@pytest.mark.parametrize(
    ("policy", "level", "where", "text"),
    [
        ({"rules": [rule("a"), rule("b", {"tenant": "x"})]}, "error", "rule b", "meets rule a"),
        (
            {"rules": [rule("a", {"device": "l*"}), rule("b", {"device": ["line-?", "l"]})]},
            "error",
            "rule b",
            "is never met",
        ),
        ({"rules": [rule("a", deny=["lihgt"])]}, "error", "rule a", "no task has: ['lihgt']"),
        ({"tasks": {"digits": {"deny": ["lihgt"]}}}, "error", "task digits", "no model ['lihgt']"),
        (
            {"tasks": {"digits": {"deny": ["light", "heavy"]}}},
            "error",
            "task digits",
            "permits none of the models",
        ),
        (
            {"rules": [rule("a", {"tenant": "x"}, families=["neural"])]},
            "error",
            "task digits",
            "rule a: permits none",
        ),
        ({"rules": [rule("a", allow=["light"], deny=["light"])]}, "error", "rule a", "allows and"),
        (
            {"max_latency_ms": 50, "limits": {"max_latency_ms": {"least": 80}}},
            "error",
            "task digits",
            "max_latency_ms 50 is under its own limit 80",
        ),
        (
            {"rules": [rule("a", limits={"min_accuracy": {"most": 0.5}})]},
            "error",
            "rule a, task digits",
            "min_accuracy 0.9 is over its own limit 0.5",
        ),
        ({"tasks": {"bearing": {}}}, "warning", "task bearing", "has no ladder here"),
        (
            {"rules": [rule("a", {"valid_until": "2026-10-01T00:00:00Z"})]},
            "warning",
            "rule a",
            "is over",
        ),
        (
            {"min_accuracy": 0.999, "fallback": "refuse"},
            "warning",
            "task digits",
            "every such message is refused; nearest: accuracy 0.9700 within that deadline",
        ),
        (
            {"max_latency_ms": 1.0},
            "warning",
            "task digits",
            "nearest: 2.4 ms with that floor or accuracy 0.8300 within that deadline",
        ),
        (
            {"rules": [rule("a", {"tenant": "x"}, deny=["heavy"])]},
            "warning",
            "rule a, task digits",
            "no plan meets 100 ms and floor 0.9 by its card",
        ),
    ],
)
def test_a_finding_says_where_and_what(
    policy: dict[str, Any], level: str, where: str, text: str
) -> None:
    found = findings(**policy)
    assert any((f.level, f.where) == (Level(level), where) and text in f.text for f in found), found


words = st.sampled_from(["a", "ab", "abc", "a*", "*", "?", "a?", "*b", "a*c", "??", "***", "[a]"])
whens = st.builds(
    When,
    device=st.none() | st.lists(words, min_size=1, max_size=2).map(tuple),
    tenant=st.none() | words,
    task=st.none() | st.sampled_from(["digits", "bearing"]),
)


@given(whens, whens, st.text("abc[]", max_size=4), st.sampled_from(["", "a", "ab", "abc"]))
def test_a_rule_that_is_covered_is_never_met(
    earlier: When, later: When, device: str, tenant: str
) -> None:
    if not covers(earlier, later):
        return
    rules = [{"name": "earlier", "when": earlier}, {"name": "later", "when": later}]
    own = Policy.model_validate({"rules": rules}).for_task("digits")
    names = [rule.name for rule in own.rules]
    headers = {"ce_tenant": tenant.encode()}
    number = RuleMatcher(own).number(device.encode(), headers, 0.0)
    assert number == 0 or names[number - 1] == "earlier"


def test_explaining_a_message_names_its_rule_its_targets_and_its_plan() -> None:
    policy = Policy.model_validate(
        {
            "min_accuracy": 0.5,
            "rules": [
                rule("acme", {"tenant": "acme"}, limits={"min_accuracy": {"least": 0.95}}),
                rule("hard", {"device": "h"}, min_accuracy=1.0, fallback="refuse"),
            ],
        }
    )
    told = {}
    for name, message in {
        "plain": Message("digits"),
        "acme": Message("digits", b"h", {"ce_tenant": b"acme"}, min_accuracy=0.1),
        "hard": Message("digits", b"h"),
    }.items():
        meeting = meet(policy, message, 0.0)
        choice = choose(meeting, LADDERS["digits"])
        told[name] = (meeting.rule, meeting.min_accuracy, choice.plan, choice.reason)
    assert told == {
        "plain": (None, 0.5, "light", "lightest-feasible"),
        "acme": ("acme", 0.95, "heavy", "lightest-feasible"),
        "hard": ("hard", 1.0, None, "refused"),
    }
