"""Is Kafka there, are its topics right, and may this user do what a worker does."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
)
from ounce_schemas.errors import BrokerError
from ounce_schemas.first_contact import first_contact
from ounce_schemas.topics import requests_topic
from ounce_schemas.wording import counted

from ounce_edge.doctor.clocks import check_clock, newest_requests, probe_clock
from ounce_edge.doctor.finding import Finding, Verdict, why
from ounce_edge.doctor.group import check_group
from ounce_edge.doctor.topics import Copies, Topic, check_topics, topics_of
from ounce_edge.worker.rights import HOW_TO_GRANT, Rights
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)

_TIMEOUT_S = 10.0


class BrokerChecks:
    """Looks at a cluster and writes nothing there, unless a probe of its clock is asked for.

    Args:
        settings: of the worker.
        probes_clock: whether a topic may be made and removed to learn the broker's time.
    """

    def __init__(self, settings: WorkerSettings, probes_clock: bool) -> None:
        self._settings = settings
        self._probes_clock = probes_clock
        self.n_brokers = 0
        """Of the cluster; 0 before the check, or where it does not answer."""

    def check(self) -> Iterator[Finding]:
        """Connection, topics, rights, group, clocks; nothing more where Kafka does not answer."""
        settings = self._settings
        kafka: dict[str, Any] = {
            "bootstrap.servers": settings.kafka,
            "log_level": 0,
            **settings.security,
        }
        try:
            admin, cluster = first_contact(
                AdminClient, kafka, settings.kafka_timeout_s, KafkaException
            )
        except BrokerError as e:
            yield Finding("kafka", Verdict.FAILURE, str(e), "`ounce worker` can't start without it")
            return
        self.n_brokers = len(cluster.brokers)
        brokers = counted(self.n_brokers, "broker")
        text = f"{settings.kafka} answers: {brokers}, cluster {cluster.cluster_id}"
        yield Finding("kafka", Verdict.OK, text)
        present = [name for name in topics_of(settings) if name in cluster.topics]
        configs = topic_configs(admin, present)
        unseen = [name for name in present if name not in configs]
        if unseen:
            text = f"of {', '.join(unseen)} can't be seen"
            advice = "grant DescribeConfigs to have sizes and compaction checked"
            yield Finding("settings of topics", Verdict.SKIPPED, text, advice)
        topics = {name: _topic(cluster.topics[name], configs.get(name, {})) for name in present}
        yield from check_topics(topics, settings, self.n_brokers)
        yield from _check_rights(admin, settings)
        asked = [topics[name] for task in settings.task if (name := requests_topic(task)) in topics]
        yield check_group(admin, settings.group, sum(len(topic.partitions) for topic in asked))
        yield check_clock(newest_requests(kafka, settings.group, settings.task, topics))
        if self._probes_clock:
            yield probe_clock(admin, kafka)


def topic_configs(admin: AdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Settings of topics, as far as the broker tells."""
    wanted = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    if not wanted:
        return found
    for resource, answer in admin.describe_configs(wanted, request_timeout=_TIMEOUT_S).items():
        try:
            entries = answer.result(2 * _TIMEOUT_S)
        except (KafkaException, TimeoutError) as e:
            logger.debug("no settings of %s: %s", resource.name, e)
            continue
        found[resource.name] = {name: entry.value or "" for name, entry in entries.items()}
    return found


def _topic(metadata: Any, config: Mapping[str, str]) -> Topic:
    return Topic(
        {
            number: Copies(part.leader, len(part.replicas), len(part.isrs))
            for number, part in metadata.partitions.items()
        },
        config,
    )


def _check_rights(admin: AdminClient, settings: WorkerSettings) -> Iterator[Finding]:
    try:
        rights = Rights(admin, settings)
    except (KafkaException, TimeoutError) as e:
        yield Finding("rights", Verdict.SKIPPED, f"Kafka tells nothing of them: {why(e)}")
        return
    lacking, missed = rights.lacking, rights.missed
    if lacking:
        yield Finding(
            "rights", Verdict.FAILURE, f"this user may not {', '.join(lacking)}", HOW_TO_GRANT
        )
    if missed:
        text = f"this user may not {', '.join(missed)}: a worker goes on without"
        yield Finding("rights", Verdict.WARNING, text, HOW_TO_GRANT)
    if not lacking and not missed:
        yield Finding("rights", Verdict.OK, "this user may do what a worker does")
