"""What is known of a canary: what workers saw, and whether it stopped itself."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from confluent_kafka import Message
from ounce_edge.dry_run.canary_evidence import Key, comparisons_of, join_by_key
from ounce_edge.recommender.canary.verdict import Comparison, needed_evidence
from ounce_schemas.canary import Canary, Evidence, Stop, read_record
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import Change, PolicyHistory, PolicyVersion
from ounce_schemas.topics import canaries_topic
from ounce_schemas.wording import table


class Topics(Protocol):
    """What reads a topic of the cluster."""

    def read(self, topic: str) -> Iterable[Message]:
        """All records; none where there is no such topic."""


class CanaryState(NamedTuple):
    """One canary, as its records tell."""

    seen: dict[Key, Comparison]
    """By all workers."""
    stop: Stop | None


def canary_state(topic: Topics, version_id: str) -> CanaryState:
    """State of the canary of a version.

    Raises:
        BrokerError: the broker does not tell.
    """
    records = topic.read(canaries_topic())
    return read_state(((record.key(), record.value()) for record in records), version_id)


def read_state(
    records: Iterable[tuple[bytes | None, bytes | None]], version_id: str
) -> CanaryState:
    """State of the canary of a version, from keys and values in the order of the topic."""
    latest: dict[str, Evidence] = {}
    stop = None
    for key, value in records:
        try:
            found = read_record(key, value or b"")
        except PolicyError:
            continue
        if found.canary != version_id:
            continue
        if isinstance(found, Evidence):
            latest[found.run] = found
        elif stop is None:
            stop = found
    return CanaryState(dict(join_by_key(map(comparisons_of, latest.values()))), stop)


def refuse_second_canary(
    topic: Topics, history: PolicyHistory, change: Change | PolicyVersion | None = None
) -> None:
    """Refuse a change while a canary runs, unless it ends the canary.

    Raises:
        PolicyError: one runs.
    """
    current = history.current
    ends_it = change is not None and bool(change.restores or change.promotes)
    if current is None or current.canary is None or ends_it:
        return
    if canary_state(topic, current.id).stop is None:
        raise PolicyError(
            f"{current.name} has a canary under way, by {current.author}: end it first with "
            "`ounce policy canary promote` or `ounce policy canary stop`"
        )


EVIDENCE_HEAD = ("task", "criterion", "bad, canary", "of", "bad, others", "of", "evidence")


def evidence_rows(canary: Canary, state: CanaryState) -> list[tuple[str, ...]]:
    """One a task and criterion; columns as in `EVIDENCE_HEAD`."""
    needed = needed_evidence(len({task for task, _ in state.seen}), canary.confidence)
    return [
        (
            task,
            criterion.value,
            f"{found.canary.share:.2%}",
            f"{found.canary.n}",
            f"{found.baseline.share:.2%}",
            f"{found.baseline.n}",
            f"{max(found.evidence / needed, 0.0):.0%} of what stops it",
        )
        for (task, criterion), found in sorted(state.seen.items())
    ]


def evidence_table(canary: Canary, state: CanaryState) -> str:
    """One line a task and criterion."""
    return table([EVIDENCE_HEAD, *evidence_rows(canary, state)])
