"""What a worker has to say to people, on the topic `ounce.events`: rare, and never per message."""

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from enum import StrEnum

import msgspec

from ounce_schemas.json_errors import NO_JSON

EVENT_TYPE = "io.ounce.event"


class EventKind(StrEnum):
    """What happened. A closed set, so that it can label a metric."""

    MODEL_SUSPENDED = "model-suspended"
    """A model failed or became far slower than it was; its plans do not answer for a while."""
    MODEL_RESTORED = "model-restored"
    """It answers again."""
    MODELS_ISOLATED = "models-isolated"
    """Owners of a partition ended one after the other: models run in a process of their own, so
    that what ends them is found."""
    ISOLATION_FAILED = "isolation-failed"
    """There can be no process for them, and they run in the worker."""
    ISOLATION_OVER = "isolation-over"
    """They run in the worker again."""
    MODELS_CHANGED = "models-changed"
    """Other models serve a task, from the next batch on."""
    MODEL_REFUSED = "model-refused"
    """A model that is to serve can't be trusted or does not run. The others serve; where one of its
    name served, that one goes on."""
    MODELS_REFUSED = "models-refused"
    """Nothing of a change can be taken: what served goes on."""
    MODEL_WORSE = "model-worse"
    """Labels contradict what the card of a model promises: it is worse."""
    ACCURACY_CHANGED = "accuracy-changed"
    """Labels, or confidences on recent inputs, contradict what a plan was believed to achieve."""
    FLOOR_UNREACHABLE = "floor-unreachable"
    """No plan that the policy permits meets an accuracy floor that is asked for."""
    FLOOR_REACHABLE = "floor-reachable"
    """One does again."""
    OVERLOAD = "overload"
    """Late requests pile up: more comes than can be answered as asked."""
    OVERLOAD_OVER = "overload-over"
    """They do no more."""
    RECORDING_STOPPED = "recording-stopped"
    """Decisions can't be written, as on a full disk. Serving goes on; it is tried again."""
    RECORDING_RESUMED = "recording-resumed"
    """They can again."""
    ANSWER_REFUSED = "answer-refused"
    """The broker refused an answer for good; its request became a dead letter, or is set aside."""
    DELIVERY_STALLED = "delivery-stalled"
    """The broker has taken no answers for seconds."""
    DELIVERY_RESUMED = "delivery-resumed"
    """It takes them again."""
    REQUESTS_EXPIRED = "requests-expired"
    """The topic dropped requests before this group had read them."""
    OFFSETS_MISSING = "offsets-missing"
    """The group has no committed offset of partitions that hold requests."""
    TOPIC_RECREATED = "topic-recreated"
    """A topic of requests was deleted and made again, or cut: the group's offsets were of what it
    held before."""
    PARTITION_BLOCKED = "partition-blocked"
    """An open transaction of another producer holds up a partition."""
    PARTITION_UNBLOCKED = "partition-unblocked"
    """It does no more."""
    GROUP_SHARED = "group-shared"
    """Consumers that are no workers have partitions of the group: nobody answers what is there."""
    GROUP_UNSHARED = "group-unshared"
    """They have none any more."""
    POLICY_CHANGED = "policy-changed"
    """A version of the policy is in force, from the next batch on."""
    POLICY_REFUSED = "policy-refused"
    """A version of the policy can't be used with the models that serve; the one before goes on."""
    CANARY_STARTED = "canary-started"
    """A share of the devices has another policy on trial, from the next batch on."""
    CANARY_STOPPED = "canary-stopped"
    """The policy on trial did worse, and serves nobody any more."""
    POLICIES_UNREACHED = "policies-unreached"
    """The topic of policies can't be read; the last good policy goes on."""
    POLICIES_REACHED = "policies-reached"
    """It can again."""

    @property
    def is_good(self) -> bool:
        """Whether nobody has to do anything."""
        return self in GOOD_NEWS


GOOD_NEWS = {
    EventKind.MODEL_RESTORED,
    EventKind.ISOLATION_OVER,
    EventKind.MODELS_CHANGED,
    EventKind.FLOOR_REACHABLE,
    EventKind.OVERLOAD_OVER,
    EventKind.RECORDING_RESUMED,
    EventKind.DELIVERY_RESUMED,
    EventKind.PARTITION_UNBLOCKED,
    EventKind.GROUP_UNSHARED,
    EventKind.POLICY_CHANGED,
    EventKind.CANARY_STARTED,
    EventKind.POLICIES_REACHED,
}
"""Kinds of events that need nobody."""


class OperationalEvent(msgspec.Struct):
    """One event."""

    kind: EventKind
    task: str
    subject: str
    """What it is about: a model, a plan, a floor, `requests`, `decisions`, a topic,
    `TOPIC[PARTITION]`, a version of the policy, a release of models, or `models` of no release."""
    text: str
    """What happened, with the figures, in a sentence."""
    at_ms: int
    """Milliseconds since 1970."""
    worker: str = ""
    """Name of the worker that tells."""


def read_events(
    values: Iterable[bytes | None], kinds: Container[EventKind]
) -> Iterator[OperationalEvent]:
    """Events of some kinds among the records of their topic; what is no event is passed over."""
    for value in values:
        event = None
        with suppress(*NO_JSON):
            event = msgspec.json.decode(value or b"", type=OperationalEvent)
        if event is not None and event.kind in kinds:
            yield event
