"""FastStream's side of a worker: a broker whose one subscriber hands on whole polls."""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import Message
from faststream import AckPolicy
from faststream.confluent import KafkaBroker

from ounce_edge.broker.broker_view import BrokerView
from ounce_edge.broker.link import link_settings
from ounce_edge.broker.reading.answer_search import AnswerSearch
from ounce_edge.broker.reading.consumer import (
    keep_records,
    keep_undecoded,
    quiet_logger,
    use_draining_consumers,
)
from ounce_edge.broker.reading.consumer_hooks import ConsumerHooks
from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.broker.reading.starts import Starts
from ounce_edge.broker.strangers import WORKER_CLIENT_ID
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.worker.reading.partitions import Partitions
from ounce_edge.worker.settings.worker import WorkerSettings

if TYPE_CHECKING:
    from faststream.confluent.helpers.config import ConfluentConfig

_POLL_S = 0.1
_HEARTBEAT_MS = 1000
"""A member hears of a rebalance by its next heartbeat, and partitions that move wait for that."""


def make_broker(settings: WorkerSettings, hooks: ConsumerHooks) -> KafkaBroker:
    """A broker whose consumers take what is there as soon as something is."""
    broker = KafkaBroker(
        settings.kafka,
        client_id=WORKER_CLIENT_ID,
        config=cast(
            "ConfluentConfig", {**link_settings(settings.fetch_wait_ms), **settings.security}
        ),
        allow_auto_create_topics=False,
        apply_types=False,
        logger=quiet_logger(),
        log_level=logging.DEBUG,
    )
    use_draining_consumers(broker, hooks)
    return broker


def subscribe(
    broker: KafkaBroker,
    settings: WorkerSettings,
    topics: Collection[str],
    partitions: Partitions,
    take: Callable[[tuple[Message, ...]], Awaitable[None]],
) -> Any:
    """Have `take` called with each poll of these topics; the subscriber that does so."""
    subscriber = broker.subscriber(
        *topics,
        batch=True,
        max_records=settings.max_batch,
        polling_interval=_POLL_S,
        group_id=settings.group,
        group_instance_id=settings.name,
        session_timeout_ms=settings.session_ms,
        heartbeat_interval_ms=min(_HEARTBEAT_MS, settings.session_ms // 3),
        isolation_level="read_committed",  # requests of aborted transactions were never sent
        fetch_max_wait_ms=settings.fetch_wait_ms,
        ack_policy=AckPolicy.MANUAL,
        partition_assignment_strategy=(assignor(settings),),
        parser=keep_records,
        decoder=keep_undecoded,
        on_assign=partitions.on_assign,
        on_revoke=partitions.on_revoke,
        on_lost=partitions.on_lost,
    )
    subscriber(take)
    return subscriber


def client_settings(settings: WorkerSettings) -> dict[str, Any]:
    """Of a client that asks the broker, beside the consumer."""
    return {
        "bootstrap.servers": settings.kafka,
        "allow.auto.create.topics": False,  # a topic that is gone is not made by a question
        "log_level": 2,
        **settings.security,
    }


def make_starts(
    settings: WorkerSettings,
    kafka: Mapping[str, Any],
    view: BrokerView,
    pipelines: Sequence[Pipeline],
) -> Starts:
    """Finds where reading begins, as is set.

    Args:
        settings: of the worker.
        kafka: settings of a client.
        view: of the broker.
        pipelines: of the tasks.
    """
    when_none, answers = NoOffsets.parse(settings.when_no_offsets), None
    if when_none.fixed == "answered":
        decoders = {pipeline.task.name: pipeline.edition.decoder for pipeline in pipelines}
        answers = AnswerSearch(kafka, view, decoders)
    return Starts(view, when_none, settings.name is not None, answers)


def assignor(settings: WorkerSettings) -> str:
    """How the group shares its partitions.

    A cooperative rebalance has two steps. A named member that restarts between them gets back what
    it had, without a second step. What should have moved is nobody's then.
    """
    return "roundrobin" if settings.name else "cooperative-sticky"


def describe_kind(settings: WorkerSettings) -> str:
    """What the group has to share with this worker, and what to do where it does not."""
    kind = f"with --name={settings.name}" if settings.name else "without a --name"
    return (
        f"this worker, {kind}, shares the partitions of group {settings.group} by "
        f"{assignor(settings)}, and others of the group do not: give every worker of a group a "
        "--name, or none; keep other consumers out of it; or choose another --group"
    )
