"""What the control plane is made of, and the thread that keeps it in step with Kafka."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ounce_schemas.errors import OunceError
from sqlalchemy.exc import SQLAlchemyError

from ounce_services.control.access.audit import Audit
from ounce_services.control.access.gate import Gate
from ounce_services.control.access.keys import Keys
from ounce_services.control.access.rate import RateLimit
from ounce_services.control.access.tokens import Tokens
from ounce_services.control.carriers import ModelsCarrier, PolicyCarrier
from ounce_services.control.command_log import CommandLog
from ounce_services.control.dead_letter_desk import DeadLetterDesk
from ounce_services.control.decision_search import Found, find_decision
from ounce_services.control.fleet import Topic
from ounce_services.control.model_book import ModelBook
from ounce_services.control.policy_book import PolicyBook
from ounce_services.control.settings import ControlSettings
from ounce_services.control.shadow_watch import ShadowWatch
from ounce_services.control.store.database import Database, why
from ounce_services.control.store.outbox import Carrier, Kind, Outbox
from ounce_services.control.store.policy_mirror import PolicyMirror
from ounce_services.control.stream import Stream
from ounce_services.control.trial_book import TrialBook
from ounce_services.dead_letters.topic import DeadLetterTopic
from ounce_services.policies.topic import PolicyTopic
from ounce_services.registry.topic import ModelsTopic, ServedModels

_log = logging.getLogger(__name__)
_FOLLOW_S = 2.0


@dataclass(frozen=True)
class Plane:
    """All parts.

    Attributes:
        settings: of the process.
        database: holds the state.
        gate: lets callers in.
        audit: what they did.
        outbox: what goes to Kafka.
        policy_topic: where workers read policies.
        policies: versions of the policy.
        trials: canaries and shadows.
        models: which serve.
        dead_letters: of all tasks.
        stream: the newest predictions.
        shadows: what shadows say, beside what is published.
        commands: what was changed past the control plane.
    """

    settings: ControlSettings
    database: Database
    gate: Gate
    audit: Audit
    outbox: Outbox
    policy_topic: Topic
    policies: PolicyBook
    trials: TrialBook
    models: ModelBook
    dead_letters: DeadLetterDesk
    stream: Stream
    shadows: ShadowWatch
    commands: CommandLog

    @property
    def connection(self) -> dict[str, Any]:
        """Where Kafka is, as librdkafka wants it; may hold secrets."""
        return {"bootstrap.servers": self.settings.kafka, **self.settings.security}

    def find_decision(self, task: str, id_: str, before_ms: int | None = None) -> Found:
        """The newest answer to the message of an id; see `decision_search`."""
        timeout_s = self.settings.kafka_timeout_s
        return find_decision(self.connection, task, id_, timeout_s, before_ms)


def make_plane(
    settings: ControlSettings,
    topic: Topic | None = None,
    open_models: Callable[[], ServedModels] | None = None,
) -> Plane:
    """Open the database and join the parts; Kafka is not asked yet.

    Args:
        settings: of the process.
        topic: in place of the topic of policies.
        open_models: in place of what opens the topic of models.

    Raises:
        DatabaseError: the database can't be used.
    """
    database = Database(settings.database)
    at = (settings.kafka, settings.kafka_timeout_s, settings.security)
    topic = topic or PolicyTopic(*at)
    open_models = open_models or partial(ModelsTopic, *at)

    carriers: dict[Kind, Carrier] = {
        Kind.POLICY: PolicyCarrier(topic),
        Kind.MODELS: ModelsCarrier(open_models),
    }
    outbox, audit = Outbox(database, carriers), Audit(database)
    per_minute = settings.calls_per_minute
    provider = settings.provider
    mirror = PolicyMirror(database)
    policies = PolicyBook(topic, mirror, outbox, settings.models, settings.decisions)
    connection = {"bootstrap.servers": settings.kafka, **settings.security}
    return Plane(
        settings,
        database,
        Gate(
            Keys(database),
            Tokens(provider) if provider is not None else None,
            RateLimit(per_minute, max(per_minute // 4, 1)),
            settings.open,
        ),
        audit,
        outbox,
        topic,
        policies,
        TrialBook(topic, policies),
        ModelBook(open_models, outbox, settings.store, settings.key),
        DeadLetterDesk(lambda task: DeadLetterTopic(at[0], task, *at[1:])),
        Stream(connection, settings.task),
        ShadowWatch(connection, lambda: policies.history().current),
        CommandLog(connection, audit, outbox),
    )


@contextmanager
def kept_in_step(plane: Plane) -> Iterator[None]:
    """While the block lasts, what waits goes to Kafka, and what Kafka holds comes here."""
    stop = threading.Event()
    thread = threading.Thread(target=_keep_in_step, args=(plane, stop), name="in-step", daemon=True)
    thread.start()
    try:
        with (
            plane.stream.following(),
            plane.shadows.following(),
            plane.commands.following(),
        ):
            yield
    finally:
        stop.set()
        thread.join(plane.settings.kafka_timeout_s)


def _keep_in_step(plane: Plane, stop: threading.Event) -> None:
    trouble = ""
    while True:
        try:
            plane.outbox.carry_waiting()
            plane.policies.follow()
            if trouble:
                _log.warning("in step with Kafka again")
            trouble = ""
        except (OunceError, SQLAlchemyError) as e:
            text = why(e) if isinstance(e, SQLAlchemyError) else str(e)
            if text != trouble:
                trouble = text
                _log.warning("not in step with Kafka: %s", trouble)
        if stop.wait(_FOLLOW_S):
            return
