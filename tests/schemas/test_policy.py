"""Policies: what a document may say, and documents that nobody means well."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ounce_schemas.bounded_yaml import MOST_BYTES
from ounce_schemas.documents import parse_policy, read_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import Change, PolicyHistory, next_version
from ounce_schemas.routing import Fallback

AT = datetime(2026, 11, 1, tzinfo=UTC)


def parse(text: str) -> Policy:
    return parse_policy(text, "p.yaml")


def test_what_a_rule_does_not_say_is_taken_from_the_task_and_then_from_the_top() -> None:
    policy = parse(
        """
        min_accuracy: 0.8
        tasks: {digits: {max_latency_ms: 20, deny: [tree]}}
        rules:
          - {name: a, when: {tenant: acme}, fallback: refuse}
          - {name: b, when: {task: bearing}, deny: []}
        """
    )
    [rule] = policy.for_task("digits").rules
    held = rule.policy
    assert (held.max_latency_ms, held.min_accuracy, held.deny) == (20, 0.8, ("tree",))
    assert held.fallback is Fallback.REFUSE
    assert [rule.name for rule in policy.for_task("bearing").rules] == ["a", "b"]


def bomb(levels: int) -> str:
    """Nine aliases a level: 9 ** levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in range(1, levels):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]")
    return "\n".join(lines)


RULE = "rules: [{name: a, when: {%s}}]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(9), "stands for more than 100000 values"),
        ("a: &a [*a]", "&a refers to itself"),
        ("[" * 5000, "nested too deeply"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
        ("min_accuracy: 0.9\nmin_accuracy: 0.1", r"line 1: repeats the key \['min_accuracy'\]"),
        ("x" * (MOST_BYTES + 1), "at most 524288 are read"),
        ("max_latency_ms: 1e300", "max_latency_ms: "),
        ("min_accuracy: -1", "min_accuracy: "),
        ("exploration: 0.9", "exploration: "),
        ("max_latncy_ms: 5", r"max_latncy_ms: unknown field, did you mean max_latency_ms\?"),
        ("rules: [{name: a, tasks: {}}]", r"rules\.0\.tasks: unknown field, known are .*when$"),
        ("tasks: {a: {cascade: false}}", r"tasks\.a\.cascade: .* did you mean cascades"),
        ("rules: [{name: a}, {name: a}]", r"names of rules repeat: \['a'\]"),
        ("rules: [{name: 'A rule'}]", r"rules\.0\.name"),
        (RULE % "tenant: []", r"rules\.0\.when\.tenant"),
        (RULE % "extensions: {Region: eu}", r"rules\.0\.when\.extensions"),
        (RULE % "tenant: a, extensions: {tenant: b}", "tenant is given twice"),
        (RULE % "valid_from: 2026-01-01T00:00:00", "timezone"),
        (
            RULE % "valid_from: 2026-01-02T00:00:00Z, valid_until: 2026-01-01T00:00:00Z",
            "is not before",
        ),
        ("limits: {max_latency_ms: {least: 9, most: 3}}", "least 9 ms is over most 3 ms"),
        ("limits: {min_accuracy: {least: 1.5}}", r"limits\.min_accuracy\.least"),
        ("rules: [{name: a, families: [quantum]}]", r"rules\.0\.families"),
        ("rules: [{name: a, runtimes: [quantum]}]", r"rules\.0\.runtimes"),
        ("rules: [{name: a, runtimes: []}]", r"rules\.0\.runtimes"),
        ("rules: [{name: a, priority: 11}]", r"rules\.0\.priority"),
        ("rules: [{name: a, priority: 0.5}]", r"rules\.0\.priority"),
        (
            "rules: [" + ", ".join(f"{{name: r{i}}}" for i in range(1001)) + "]",
            "rules: Tuple should have at most 1000",
        ),
    ],
)
def test_a_policy_that_can_not_be_meant_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_ten_megabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("min_accuracy: 0.5\n" + "# comment\n" * 1_000_000)
    with pytest.raises(PolicyError, match="10000018 bytes, at most 524288 are read"):
        read_policy(path)


def test_anchors_and_merge_keys_work() -> None:
    policy = parse(
        """
        rules:
          - &base {name: a, when: {tenant: acme}, min_accuracy: 0.7}
          - {<<: *base, name: b, when: {tenant: other}}
        """
    )
    assert [rule.min_accuracy for rule in policy.rules] == [0.7, 0.7]


def appended(history: PolicyHistory, id_: str, text: str = "{}") -> bytes:
    version = next_version(history, Change(text, "ann"), id_, AT)
    return version.model_dump_json().encode()


def test_of_two_versions_on_the_same_base_the_first_written_counts_for_everybody() -> None:
    history = PolicyHistory()
    assert history.current is None
    history.take(appended(history, "one"))
    mine, others = appended(history, "mine"), appended(history, "others")
    assert history.take(others) is not None
    assert history.take(mine) is None
    assert history.current is not None
    assert (history.current.number, history.current.id) == (2, "others")
    again = PolicyHistory()  # who reads all of it later, also where the loser is taken back
    for value in (appended(PolicyHistory(), "one"), others, None):
        again.take(value)
    assert again.versions == history.versions


def test_a_record_that_is_no_version_changes_nothing() -> None:
    history = PolicyHistory()
    history.take(appended(history, "one"))
    for value in (b"", b"{", b"null", b'{"number": 2}', b"\xff"):
        with pytest.raises(PolicyError, match="not a version of the policy"):
            history.take(value)
    assert list(history.versions) == [1]
    with pytest.raises(PolicyError, match="there is no version 7 of the policy; there are 1 to 1"):
        history.get(7)


@pytest.mark.parametrize(
    ("added", "unknown"),
    [
        ({"colour": "red"}, "colour"),
        ({"shadow": {"document": "{}", "share": 1, "tasks": ["a"], "hue": 1}}, r"shadow\.hue"),
        ({"canary": {"document": "{}", "share": 0.5, "tone": [2]}}, r"canary\.tone"),
    ],
)
def test_a_version_with_fields_of_a_later_ounce_counts_and_has_no_policy(
    added: dict[str, object], unknown: str
) -> None:
    history = PolicyHistory()
    history.take(appended(history, "one"))
    later = json.dumps(json.loads(appended(history, "two")) | added).encode()
    version = history.take(later)
    assert version is not None
    with pytest.raises(PolicyError, match=f"v2 has unknown fields: {unknown}; a later version"):
        version.policy()
    mirrored = PolicyHistory()  # who hands it on loses nothing
    mirrored.take(appended(mirrored, "one"))
    mirrored.take(version.model_dump_json().encode())
    assert mirrored.versions == history.versions
    after = history.take(appended(history, "three", "{min_accuracy: 0.5}"))
    assert after is not None
    assert (after.number, after.policy().min_accuracy) == (3, 0.5)


def test_a_field_of_a_later_ounce_that_says_nothing_is_no_hindrance() -> None:
    history = PolicyHistory()
    later = json.dumps(json.loads(appended(history, "one")) | {"colour": None}).encode()
    version = history.take(later)
    assert version is not None
    assert version.policy().version == "v1"


def test_a_version_names_its_policy() -> None:
    history = PolicyHistory()
    version = history.take(appended(history, "one", "{version: mine, min_accuracy: 0.5}"))
    assert version is not None
    assert (version.policy().version, version.policy().min_accuracy) == ("v1", 0.5)
    with pytest.raises(PolicyError, match="author"):
        next_version(history, Change("{}", ""), "x", AT)
