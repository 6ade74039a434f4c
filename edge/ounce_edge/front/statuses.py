"""What a caller is told where there is no answer: HTTP's status and one line. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from ounce_schemas.errors import Reason

RETRY_AFTER_S = 1
"""Where the same request may go well soon."""
_RETRIED = frozenset({429, 503})

STATUSES: Mapping[Reason, int] = MappingProxyType(
    {
        Reason.NULL_VALUE: 400,
        Reason.TOO_LARGE: 413,
        Reason.UNKNOWN_CONTENT_TYPE: 415,
        Reason.BAD_HEADER: 400,
        Reason.BAD_TARGET: 400,
        Reason.MALFORMED_JSON: 400,
        Reason.UNKNOWN_INPUT: 422,
        Reason.MISSING_INPUT: 422,
        Reason.UNKNOWN_OUTPUT: 422,
        Reason.WRONG_DATATYPE: 422,
        Reason.WRONG_SHAPE: 422,
        Reason.WRONG_LENGTH: 422,
        Reason.WRONG_SCHEMA: 422,
        Reason.UNKNOWN_SCHEMA: 422,
        Reason.REGISTRY_AWAY: 503,
        Reason.NOT_FINITE: 422,
        Reason.OUT_OF_RANGE: 422,
        Reason.UNREADABLE_IMAGE: 422,
        Reason.REFUSED: 422,
        Reason.MODEL_FAILED: 500,
        Reason.MODEL_CRASHED: 500,
        Reason.ANSWER_REFUSED: 500,
        Reason.BAD_LABEL: 400,
    }
)
"""By the reason of a dead letter."""

_encode = msgspec.json.Encoder().encode


class NotAnsweredError(Exception):
    """A request that gets no answer.

    Attributes:
        status: of HTTP.
        text: what was wrong, and what to do.
        reason: of the dead letter, where there is one.
    """

    def __init__(self, status: int, text: str, reason: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        """When to try again; whom to be."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {"Retry-After": str(RETRY_AFTER_S)} if self.status in _RETRIED else {}

    @property
    def body(self) -> bytes:
        """The protocol's error object; `reason` stands beside where a worker named one."""
        named = {} if self.reason is None else {"reason": self.reason}
        return _encode({"error": self.text, **named})


def of_letter(reason: str, text: str) -> NotAnsweredError:
    """What a dead letter says.

    Args:
        reason: as its header has it; a newer worker may know others.
        text: likewise.
    """
    try:
        status = STATUSES[Reason(reason)]
    except ValueError:
        status = 500
    return NotAnsweredError(status, text or reason, reason)
