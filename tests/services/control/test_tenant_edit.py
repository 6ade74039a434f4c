"""A tenant's editor changes the rules that are for that tenant alone."""

import pytest
from fastapi.testclient import TestClient
from ounce_schemas.documents import parse_policy
from ounce_schemas.policy_rules import Rule
from ounce_services.control.plane import Plane
from ounce_services.control.rules_text import with_rules

from tests.services.control.conftest import Caller, MemoryTopics, logged_in

WHOLE = """\
# of the platform team
min_accuracy: 0.8
rules:
  # first of all
  - name: alarms
    when: {device: "alarm-*"}
    max_latency_ms: 20
  - name: other  # of another tenant
    when: {tenant: other}
    max_latency_ms: 30
  - name: acme-a
    when: {tenant: acme}
    max_latency_ms: 40
  # two of them
  - name: both
    when: {tenant: [acme, other]}
    max_latency_ms: 50
  - name: last
    max_latency_ms: 60
# the end
tasks: {}
"""
OWN = {"name": "acme-b", "when": {"tenant": "acme", "device": "d"}, "max_latency_ms": 7}


@pytest.fixture
def acme(as_: Caller) -> TestClient:
    """An editor of tenant acme; version 1 is in force."""
    made = as_("editor", name="platform").post(
        "/v1/policies", json={"document": WHOLE}, headers={"If-Match": "0"}
    )
    assert made.status_code == 201
    return as_("editor", "acme")


def apply(client: TestClient, document: str, base: int = 1, **more: object) -> object:
    return client.post(
        "/v1/policies", json={"document": document, **more}, headers={"If-Match": f'"{base}"'}
    )


def visible(client: TestClient) -> str:
    return client.get("/v1/policies/current").json()["document"]


def rules_of(topics: MemoryTopics) -> list[tuple[str, float | None]]:
    current = topics.history().current
    return [(rule.name, rule.max_latency_ms) for rule in current.policy().rules]


def test_own_rules_are_changed_in_their_place_and_comments_stay(
    acme: TestClient, topics_in_memory: MemoryTopics
) -> None:
    shown = visible(acme)
    assert "other  #" not in shown
    done = apply(acme, shown.replace("40.0", "45"), note="faster")
    assert (done.status_code, done.json()["author"]) == (201, "ann")
    assert "name: other" not in done.json()["document"]
    assert rules_of(topics_in_memory) == [
        ("alarms", 20), ("other", 30), ("acme-a", 45), ("both", 50), ("last", 60),
    ]  # fmt: skip
    document = topics_in_memory.history().current.document
    for comment in ("of the platform team", "first of all", "of another", "two of", "the end"):
        assert f"# {comment}" in document


def test_own_rules_are_added_moved_and_left_out(
    acme: TestClient, topics_in_memory: MemoryTopics
) -> None:
    policy = parse_policy(visible(acme), "seen")
    own = Rule.model_validate(OWN)
    by_name = {rule.name: rule for rule in policy.rules}

    def with_order(*names: str) -> str:
        known = {**by_name, "acme-b": own}
        return with_rules(visible(acme), [known[name] for name in names])

    for base, names in enumerate(
        [
            ("alarms", "acme-b", "acme-a", "both", "last"),
            ("acme-b", "alarms", "acme-a", "both", "last"),
            ("alarms", "acme-b", "both", "last"),
            ("alarms", "both", "last"),
        ],
        start=1,
    ):
        answer = apply(acme, with_order(*names), base)
        assert answer.status_code == 201, answer.text
        found = [name for name, _ in rules_of(topics_in_memory)]
        assert [name for name in found if name != "other"] == list(names)
        assert "other" in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min_accuracy: 0.8", "min_accuracy: 0.1"),
        ("max_latency_ms: 20.0", "max_latency_ms: 1"),
        ("max_latency_ms: 50.0", "max_latency_ms: 1"),
        ("name: last", "name: renamed"),
        ("tenant: acme\n", "tenant: other\n"),
        ("tenant: acme\n", "tenant: acme*\n"),
        ("tenant: acme\n", "device: acme\n"),
        ("  name: last", "  name: last\n  when: {tenant: acme}"),
    ],
)
def test_everything_else_stays(
    acme: TestClient, topics_in_memory: MemoryTopics, old: str, new: str
) -> None:
    document = visible(acme)
    assert old in document
    refused = apply(acme, document.replace(old, new, 1))
    assert (refused.status_code, "tenant: acme" in refused.text) == (403, True), refused.text
    assert len(topics_in_memory.records) == 1


def test_what_is_refused_tells_nothing_of_others(
    acme: TestClient, topics_in_memory: MemoryTopics
) -> None:
    document = visible(acme)
    assert apply(acme, document, 7).status_code == 412
    assert apply(acme, "rules: 7").status_code == 422
    assert apply(acme, document, force=True).status_code == 403
    taken = document.replace("name: acme-a", "name: other")
    answer = apply(acme, taken)
    assert (answer.status_code, "30" in answer.text) == (422, False)
    dead = document.replace(
        "max_latency_ms: 40.0", "max_latency_ms: 40.0\n  allow: [a]\n  deny: [a]"
    )
    refused = apply(acme, dead)
    assert (refused.status_code, refused.json()["findings"]) == (
        422, ["rule acme-a: allows and denies ['a']"],
    )  # fmt: skip
    assert len(topics_in_memory.records) == 1


def test_a_finding_is_hidden_by_the_whole_name_of_a_rule(as_: Caller) -> None:
    others = "\n".join(
        f"  - {{name: {name}, when: {{tenant: other}}, allow: [m], deny: [m]}}"
        for name in ("a", "acme-a.1", "rule", "allows")
    )
    document = f"rules:\n{others}\n  - {{name: acme-a, when: {{tenant: acme}}}}\n"
    made = apply(as_("editor"), document, 0, force=True)
    assert made.status_code == 201
    acme = as_("editor", "acme")
    broken = visible(acme).replace("name: acme-a", "name: acme-a\n  allow: [m]\n  deny: [m]")
    refused = apply(acme, broken)
    assert (refused.status_code, refused.json()["findings"]) == (
        422, ["rule acme-a: allows and denies ['m']"],
    )  # fmt: skip


def test_a_tenant_makes_no_first_version_and_ends_no_trial(
    as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    assert apply(as_("editor", "acme"), "{}", 0).status_code == 403
    platform = as_("editor")
    assert apply(platform, WHOLE, 0).status_code == 201
    shadow = {"document": "{}", "share": 0.5, "tasks": ["digits"]}
    started = platform.post("/v1/trial/shadow", json=shadow, headers={"If-Match": "1"})
    assert started.status_code == 201
    acme = as_("editor", "acme")
    refused = apply(acme, visible(acme).replace("40.0", "45"), 2)
    assert (refused.status_code, "trial under way" in refused.text) == (403, True)


def test_the_page_lets_a_tenant_apply_and_not_roll_back(
    plane: Plane, acme: TestClient, topics_in_memory: MemoryTopics
) -> None:
    client = logged_in(plane, tenant="acme")
    page = client.get("/policy").text
    assert "rules for acme alone" in page
    data = {"document": visible(acme).replace("40.0", "45"), "base": 1}
    assert client.post("/policy/apply", data=data).status_code == 200
    assert ("acme-a", 45) in rules_of(topics_in_memory)
    assert client.post("/policy/restore", data={"number": 1, "base": 2}).status_code == 403
    eve = logged_in(plane, "viewer", "acme")
    assert eve.post("/policy/apply", data={**data, "base": 2}).status_code == 403


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "min_accuracy: 0.7",
        "rules: []\n",
        "rules: [{name: a, max_latency_ms: 5}]\nmin_accuracy: 0.7\n",
        "rules:\n-\n  name: a\n  max_latency_ms: 5\n# end\n",
        "rules:\n- name: a\n  note: |\n    - name: b\n    # no comment\n  max_latency_ms: 5\n",
    ],
)
def test_rules_are_put_into_any_document(document: str) -> None:
    before = parse_policy(document, "before")
    own = Rule.model_validate(OWN)
    for rules in ([own], [*before.rules, own], [own, *before.rules], []):
        after = parse_policy(with_rules(document, rules), "after")
        assert list(after.rules) == rules
        assert after.model_dump(exclude={"rules"}) == before.model_dump(exclude={"rules"})
