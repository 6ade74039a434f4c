"""What can go wrong in a transaction, and what helps then.

CausedError
├── AbortedError        nothing of it is visible: its records are read again
├── NeedsAbortError     only aborting helps
│   └── RecordRefusedError
└── ProducerLostError   only a new producer helps
    ├── FencedError
    └── HungError
"""

from enum import StrEnum

from confluent_kafka import KafkaError


class AbortCause(StrEnum):
    """Why a transaction was aborted. A closed set, so that it can label a metric."""

    FENCED = "fenced"
    """Another producer has this one's transactional id, or the broker gave the transaction up."""
    GENERATION = "generation"
    """The group's partitions were given out anew meanwhile."""
    OTHER = "other"


DENIED = KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
FENCED = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
}
_OLD_GENERATION = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}


def cause_of(error: KafkaError) -> AbortCause:
    """Why a transaction has to be aborted, by the client's error."""
    if error.code() in {*FENCED, KafkaError.FENCED_INSTANCE_ID}:
        return AbortCause.FENCED
    return AbortCause.GENERATION if error.code() in _OLD_GENERATION else AbortCause.OTHER


class CausedError(Exception):
    """What went wrong, and how that is counted."""

    def __init__(self, text: str, cause: AbortCause = AbortCause.OTHER) -> None:
        super().__init__(text)
        self.cause = cause


class AbortedError(CausedError):
    """Nothing of a transaction is visible or committed: its records have to be read again."""


class NeedsAbortError(CausedError):
    """A transaction has to be aborted."""


class RecordRefusedError(NeedsAbortError):
    """One of its records was refused. No delivery report says which one."""


class ProducerLostError(CausedError):
    """This producer can't go on; another one of its id can."""


class FencedError(ProducerLostError):
    """The broker has given this producer up."""


class HungError(ProducerLostError):
    """A step was tried again and again, for longer than a transaction may last."""
