"""Every error that Ounce raises.

::

    OunceError                  one clear line for a person; the command line exits with `exit_code`
    ├── InvalidMessageError          one record that can't be served; it becomes a dead letter
    ├── ArtifactError           a model, card or task document that can't be trusted; it is refused
    ├── RuntimeAbsentError      a runtime that this machine can't use; others go on
    ├── PolicyError             a routing policy that can't be used
    ├── DataError               training data that can't be used
    ├── ExportError             a trained model that failed conversion or its parity check
    └── BrokerError             Kafka is absent, or refuses what was asked
"""

from enum import StrEnum


class OunceError(Exception):
    """Root of the tree. The message says what was wrong, with which value, and what to do."""

    exit_code = 1


class Reason(StrEnum):
    """Why a record became a dead letter. A closed set, so that it can label a metric."""

    NULL_VALUE = "null-value"
    TOO_LARGE = "too-large"
    UNKNOWN_CONTENT_TYPE = "unknown-content-type"
    BAD_HEADER = "bad-header"
    BAD_TARGET = "bad-target"
    MALFORMED_JSON = "malformed-json"
    UNKNOWN_INPUT = "unknown-input"
    MISSING_INPUT = "missing-input"
    UNKNOWN_OUTPUT = "unknown-output"
    WRONG_DATATYPE = "wrong-datatype"
    WRONG_SHAPE = "wrong-shape"
    WRONG_LENGTH = "wrong-length"
    WRONG_SCHEMA = "wrong-schema"
    UNKNOWN_SCHEMA = "unknown-schema"
    REGISTRY_AWAY = "registry-away"
    NOT_FINITE = "not-finite"
    OUT_OF_RANGE = "out-of-range"
    UNREADABLE_IMAGE = "unreadable-image"
    REFUSED = "refused"
    MODEL_FAILED = "model-failed"
    MODEL_CRASHED = "model-crashed"
    ANSWER_REFUSED = "answer-refused"
    BAD_LABEL = "bad-label"


class InvalidMessageError(OunceError):
    """A record that can't be served.

    Attributes:
        reason: the closed-set code that labels metrics and the dead letter.
        text: what was wrong, with the value, and what to send instead.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason}: {text}")
        self.reason = reason
        self.text = text


class ArtifactError(OunceError):
    """A model file, card or task document that does not hold what it promises."""


class RuntimeAbsentError(OunceError):
    """A runtime whose package, libraries, driver or device this machine has not."""


class PolicyError(OunceError):
    """A routing policy that can't be used."""


class DataError(OunceError):
    """Training data that can't be used."""


class ExportError(OunceError):
    """A trained model that could not be converted, or differs from its native original."""


class BrokerError(OunceError):
    """Kafka can't be reached, or refuses what was asked of it."""
