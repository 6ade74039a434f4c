"""Are topics as a worker needs them: partitions, copies, compaction, sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ounce_schemas.topics import (
    canaries_topic,
    dead_letters_topic,
    events_topic,
    labels_topic,
    models_topic,
    policies_topic,
    predictions_topic,
    requests_topic,
)
from ounce_schemas.wording import counted

from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.worker.settings.worker import WorkerSettings

_LEAST_KEPT_MS = 3_600_000


@dataclass(frozen=True)
class Copies:
    """One partition."""

    leader: int
    """-1: there is none."""
    replicas: int
    in_sync: int


@dataclass(frozen=True)
class Topic:
    """What the cluster says of a topic."""

    partitions: Mapping[int, Copies]
    config: Mapping[str, str] = field(default_factory=dict)
    """Empty where it can't be seen."""

    def number(self, name: str) -> int | None:
        """A setting that is a number."""
        try:
            return int(self.config[name])
        except (KeyError, ValueError):
            return None


def check_topics(
    topics: Mapping[str, Topic], settings: WorkerSettings, n_brokers: int
) -> Iterator[Finding]:
    """All topics of a worker.

    Args:
        topics: that are there, by name.
        settings: of the worker.
        n_brokers: of the cluster.
    """
    for task in settings.task:
        served = [requests_topic(task), predictions_topic(task), dead_letters_topic(task)]
        yield from _check_present(topics, served, task, Verdict.FAILURE)
        yield from _check_present(topics, [labels_topic(task)], task, Verdict.WARNING)
        yield from _check_pair(topics, served[0], served[1])
        for name in (*served, labels_topic(task)):
            if name in topics:
                yield from _check_stream(name, topics[name])
        for name in served[1:]:
            if name in topics:
                yield from _check_size(name, topics[name], settings.max_message_bytes)
    yield from _check_present(topics, [events_topic()], settings.task[0], Verdict.WARNING)
    for name in _control_topics(settings):
        yield from _check_control(name, topics, settings.task[0])
    for name in topics:
        yield _check_copies(name, topics[name], n_brokers)


def topics_of(settings: WorkerSettings) -> list[str]:
    """Names of all topics that a worker uses."""
    names = [events_topic(), *_control_topics(settings)]
    for task in settings.task:
        names += [requests_topic(task), predictions_topic(task)]
        names += [dead_letters_topic(task), labels_topic(task)]
    return names


def _control_topics(settings: WorkerSettings) -> list[str]:
    return [
        *([models_topic()] if settings.models_store is not None else ()),
        *([policies_topic(), canaries_topic()] if settings.follow_policies else ()),
    ]


def _check_present(
    topics: Mapping[str, Topic], names: list[str], task: str, verdict: Verdict
) -> Iterator[Finding]:
    for name in names:
        if name not in topics:
            advice = f"`ounce topics {task} --kafka HOST:PORT`, or let this user Describe it"
            yield Finding(f"topic {name}", verdict, "is not there", advice)


def _check_pair(topics: Mapping[str, Topic], asked: str, answers: str) -> Iterator[Finding]:
    if asked not in topics or answers not in topics:
        return
    n_asked, n_answers = len(topics[asked].partitions), len(topics[answers].partitions)
    text = f"{counted(n_asked, 'partition')}, {answers} has {n_answers}"
    if n_asked != n_answers:
        advice = "give both as many: a device's answers then keep to one partition, in order"
        yield Finding(f"partitions of {asked}", Verdict.WARNING, text, advice)
    else:
        yield Finding(f"partitions of {asked}", Verdict.OK, text)


def _check_stream(name: str, topic: Topic) -> Iterator[Finding]:
    """A topic whose every record counts."""
    check = f"topic {name}"
    if "compact" in topic.config.get("cleanup.policy", ""):
        text = f"cleanup.policy is {topic.config['cleanup.policy']}"
        advice = f"set it to delete: {_alter(name, 'cleanup.policy=delete')}"
        yield Finding(check, Verdict.FAILURE, f"{text}: of a device only the last stays", advice)
    kept_ms = topic.number("retention.ms")
    if kept_ms is not None and 0 <= kept_ms < _LEAST_KEPT_MS:
        text = f"retention.ms is {kept_ms:,}: what waits longer is lost"
        advice = f"keep a day: {_alter(name, 'retention.ms=86400000')}"
        yield Finding(check, Verdict.WARNING, text, advice)


def _check_size(name: str, topic: Topic, max_message_bytes: int) -> Iterator[Finding]:
    most = topic.number("max.message.bytes")
    if most is not None and most < max_message_bytes:
        text = f"takes {most:,} bytes, --max-message-bytes is {max_message_bytes:,}"
        alter = _alter(name, f"max.message.bytes={max_message_bytes}")
        advice = f"set --max-message-bytes {most}, or {alter}"
        yield Finding(f"topic {name}", Verdict.FAILURE, text, advice)


def _check_control(name: str, topics: Mapping[str, Topic], task: str) -> Iterator[Finding]:
    check = f"topic {name}"
    if name not in topics:
        text = "is not there: nothing was published yet"
        advice = f"`ounce topics {task} --kafka HOST:PORT` or the first publish or apply makes it"
        yield Finding(check, Verdict.WARNING, text, advice)
        return
    policy = topics[name].config.get("cleanup.policy")
    if policy is not None and policy != "compact":
        text = f"cleanup.policy is {policy}: what is in force may expire"
        advice = f"set it to compact: {_alter(name, 'cleanup.policy=compact')}"
        yield Finding(check, Verdict.FAILURE, text, advice)


def _check_copies(name: str, topic: Topic, n_brokers: int) -> Finding:
    check = f"copies of {name}"
    leaderless = [p for p, copies in topic.partitions.items() if copies.leader < 0]
    if leaderless:
        text = f"partitions {leaderless} have no leader"
        return Finding(check, Verdict.FAILURE, text, "start the brokers that hold them")
    replicas = min((c.replicas for c in topic.partitions.values()), default=0)
    in_sync = min((c.in_sync for c in topic.partitions.values()), default=0)
    least = topic.number("min.insync.replicas")
    text = f"{counted(replicas, 'copy', 'copies')}, {in_sync} in sync"
    text += "" if least is None else f", min.insync.replicas {least}"
    if least is not None and in_sync < least:
        advice = "nothing is taken: start the missing brokers, or lower min.insync.replicas"
        return Finding(check, Verdict.FAILURE, text, advice)
    if in_sync < replicas:
        return Finding(check, Verdict.WARNING, text, "find the brokers that lag or are gone")
    if n_brokers > 1 and replicas < 2:
        advice = "one broker that dies takes it along: add copies with kafka-reassign-partitions.sh"
        return Finding(check, Verdict.WARNING, text, advice)
    if least is not None and replicas > 1 and least == replicas:
        alter = _alter(name, f"min.insync.replicas={replicas - 1}")
        advice = f"one broker that stops stops serving: {alter}"
        return Finding(check, Verdict.WARNING, text, advice)
    if least == 1 and replicas > 2:
        advice = f"answers can be lost with one broker: {_alter(name, 'min.insync.replicas=2')}"
        return Finding(check, Verdict.WARNING, text, advice)
    return Finding(check, Verdict.OK, text)


def _alter(name: str, setting: str) -> str:
    given = f"--alter --topic {name} --add-config {setting}"
    return f"kafka-configs.sh --bootstrap-server HOST:PORT {given}"
