"""What to do where a group has no committed offsets."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d{1,9})([smhd])")
_OLDEST = timedelta(days=36_500)

Fixed = Literal["beginning", "end", "answered", "stop"]
_FIXED = get_args(Fixed)


@dataclass(frozen=True, slots=True)
class NoOffsets:
    """What to do where the group has no committed offset; its text form is that of the setting."""

    fixed: Fixed | None = None
    age: timedelta | None = None
    at: datetime | None = None
    text: str = ""

    @classmethod
    def parse(cls, text: str) -> "NoOffsets":
        """One of `Fixed`, an age as `15m`, `1h` or `7d`, or a time as ISO 8601 has it.

        Raises:
            ValueError: it is none of these.
        """
        if text in _FIXED:
            return cls(fixed=text, text=text)  # type: ignore[arg-type]  # as the line above says
        if age := _AGE.fullmatch(text):
            asked = timedelta(**{_UNITS[age[2]]: int(age[1])})
            return cls(age=min(asked, _OLDEST), text=text)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not beginning, end, answered, stop, an age such as 1h, or a time "
                "such as 2026-01-31T12:00:00Z"
            ) from None
        return cls(at=at if at.tzinfo else at.replace(tzinfo=UTC), text=text)

    def since_ms(self, now: datetime) -> int | None:
        """Milliseconds since 1970 of the oldest request to read; None where it is not a time."""
        at = now - self.age if self.age is not None else self.at
        return None if at is None else max(int(at.timestamp() * 1e3), 0)
