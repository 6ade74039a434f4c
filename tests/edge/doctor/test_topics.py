"""What a doctor says of topics."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.doctor.topics import Copies, Topic, check_topics, topics_of
from ounce_edge.worker.settings.worker import WorkerSettings

SETTINGS = WorkerSettings(task=("digits",), kafka="k:1")
REQUESTS, ANSWERS = "ounce.digits.requests", "ounce.digits.predictions"
GOOD = Topic(
    {0: Copies(1, 3, 3), 1: Copies(2, 3, 3)},
    {
        "cleanup.policy": "delete",
        "retention.ms": "604800000",
        "max.message.bytes": "1048588",
        "min.insync.replicas": "2",
    },
)


def cluster(settings: WorkerSettings = SETTINGS, **changed: Topic | None) -> dict[str, Topic]:
    """Good topics, but those that change, by the last word of their name."""
    topics = dict.fromkeys(topics_of(settings), GOOD)
    for name in [*topics]:
        change = changed.get(name.rpartition(".")[2].replace("-", "_"), GOOD)
        if change is None:
            del topics[name]
        else:
            topics[name] = change
    return topics


def bad(
    topics: Mapping[str, Topic], settings: WorkerSettings = SETTINGS, n_brokers: int = 3
) -> list[Finding]:
    found = check_topics(topics, settings, n_brokers)
    return [finding for finding in found if finding.verdict is not Verdict.OK]


def with_config(**config: str) -> Topic:
    own = {name.replace("_", "."): value for name, value in config.items()}
    return replace(GOOD, config={**GOOD.config, **own})


def with_copies(*copies: Copies) -> Topic:
    return replace(GOOD, partitions=dict(enumerate(copies)))


def test_good_topics_need_nothing() -> None:
    assert bad(cluster()) == []
    everything = SETTINGS.model_copy(update={"models_store": "s", "follow_policies": True})
    controls = {
        name: with_config(cleanup_policy="compact")
        for name in ("ounce.models", "ounce.policies", "ounce.canaries")
    }
    assert bad({**cluster(everything), **controls}, everything) == []


@pytest.mark.parametrize(
    ("changed", "check", "verdict", "text", "advice"),
    [
        ({"requests": None}, f"topic {REQUESTS}", "failure", "not there", "`ounce topics digits"),
        ({"labels": None}, "topic ounce.digits.labels", "warning", "not there", "`ounce topics"),
        ({"events": None}, "topic ounce.events", "warning", "not there", "`ounce topics"),
        (
            {"predictions": with_copies(Copies(1, 3, 3))},
            f"partitions of {REQUESTS}",
            "warning",
            f"2 partitions, {ANSWERS} has 1",
            "as many",
        ),
        (
            {"requests": with_config(cleanup_policy="compact,delete")},
            f"topic {REQUESTS}",
            "failure",
            "of a device only the last stays",
            "--add-config cleanup.policy=delete",
        ),
        (
            {"requests": with_config(retention_ms="1000")},
            f"topic {REQUESTS}",
            "warning",
            "retention.ms is 1,000",
            f"keep a day: kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {REQUESTS} "
            "--add-config retention.ms=86400000",
        ),
        (
            {"predictions": with_config(max_message_bytes="20000")},
            f"topic {ANSWERS}",
            "failure",
            "takes 20,000 bytes, --max-message-bytes is 1,000,000",
            "--max-message-bytes 20000, or kafka-configs.sh",
        ),
        (
            {"requests": with_copies(Copies(-1, 3, 3), Copies(1, 3, 3))},
            f"copies of {REQUESTS}",
            "failure",
            "partitions [0] have no leader",
            "start the brokers",
        ),
        (
            {"requests": with_copies(Copies(1, 3, 1), Copies(1, 3, 3))},
            f"copies of {REQUESTS}",
            "failure",
            "3 copies, 1 in sync, min.insync.replicas 2",
            "nothing is taken",
        ),
        (
            {"requests": with_copies(Copies(1, 3, 2), Copies(1, 3, 3))},
            f"copies of {REQUESTS}",
            "warning",
            "3 copies, 2 in sync",
            "brokers that lag",
        ),
        (
            {"requests": with_config(min_insync_replicas="3")},
            f"copies of {REQUESTS}",
            "warning",
            "min.insync.replicas 3",
            "min.insync.replicas=2",
        ),
        (
            {"requests": with_config(min_insync_replicas="1")},
            f"copies of {REQUESTS}",
            "warning",
            "min.insync.replicas 1",
            "can be lost",
        ),
    ],
)
def test_each_fault_is_named_with_what_to_do(
    changed: dict[str, Topic | None], check: str, verdict: str, text: str, advice: str
) -> None:
    (finding,) = bad(cluster(**changed))
    assert (finding.check, finding.verdict) == (check, verdict)
    assert text in finding.text
    assert advice in finding.advice


def test_one_copy_is_right_on_one_broker_and_a_risk_on_several() -> None:
    single = replace(GOOD, partitions={0: Copies(1, 1, 1)}, config={"min.insync.replicas": "1"})
    topics = dict.fromkeys(topics_of(SETTINGS), single)
    assert bad(topics, n_brokers=1) == []
    risks = bad(topics, n_brokers=3)
    assert {f.verdict for f in risks} == {Verdict.WARNING}
    assert all("kafka-reassign-partitions.sh" in f.advice for f in risks)


def test_a_control_topic_that_expires_is_a_failure_and_an_absent_one_is_to_come() -> None:
    settings = SETTINGS.model_copy(update={"follow_policies": True})
    topics = cluster(settings, canaries=None)
    found = {f.check: f for f in bad(topics, settings)}
    assert found["topic ounce.policies"].verdict is Verdict.FAILURE
    assert "cleanup.policy=compact" in found["topic ounce.policies"].advice
    assert found["topic ounce.canaries"].verdict is Verdict.WARNING


def test_settings_that_cant_be_seen_are_no_fault() -> None:
    unseen = {name: replace(topic, config={}) for name, topic in cluster().items()}
    assert bad(unseen) == []
