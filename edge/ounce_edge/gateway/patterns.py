"""Topics of MQTT, and patterns that name their levels. Pure.

A pattern is a topic filter (MQTT 5, section 4.7) whose levels may have names: `+device`, `+task`.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple, Self

DEVICE, TASK = "+device", "+task"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f+#]")
_NO_TEXT = re.compile(
    "[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
"""Control characters, and what is no character."""
_MOST_TEXT_BYTES = 65_535


class Place(NamedTuple):
    """What a topic says."""

    task: str
    device: str


@dataclass(frozen=True)
class Pattern:
    """A filter with named levels."""

    levels: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            ValueError: it is no filter, or names a level twice.
        """
        levels = tuple(text.split("/"))
        if not text or _CONTROL.search(text):
            raise ValueError(f"{text!r} is empty or holds control characters")
        if "#" in text and (levels[-1] != "#" or text.count("#") > 1):
            raise ValueError(f"{text!r}: # can only be the last level")
        for level in levels:
            if "+" in level and level not in ("+", DEVICE, TASK):
                raise ValueError(f"{text!r}: a level with + is +, {DEVICE} or {TASK}")
        for name in (DEVICE, TASK):
            if levels.count(name) > 1:
                raise ValueError(f"{text!r} names {name} twice")
        return cls(levels)

    @property
    def filter(self) -> str:
        """As a broker takes it."""
        return "/".join("+" if level.startswith("+") else level for level in self.levels)

    def match(self, topic: str) -> dict[str, str] | None:
        """The named levels of a topic; None where it does not match."""
        if topic.startswith("$") and self.levels[0][0:1] in ("+", "#"):
            return None
        parts = topic.split("/")
        found: dict[str, str] = {}
        for i, level in enumerate(self.levels):
            if level == "#":
                return found
            if i >= len(parts):
                return None
            if level.startswith("+"):
                found[level] = parts[i]
            elif level != parts[i]:
                return None
        return found if len(parts) == len(self.levels) else None

    def overlaps(self, other: "Pattern") -> bool:
        """Whether some topic matches both."""
        for mine, theirs in zip(self.levels, other.levels, strict=False):
            if "#" in (mine, theirs):
                return True
            if not (mine.startswith("+") or theirs.startswith("+") or mine == theirs):
                return False
        longer = max(self.levels, other.levels, key=len)
        n = min(len(self.levels), len(other.levels))
        return len(self.levels) == len(other.levels) or longer[n:] == ("#",)

    def fill(self, place: Place) -> str:
        """The topic of a task and device."""
        names = {TASK: place.task, DEVICE: place.device}
        return "/".join(names.get(level, level) for level in self.levels)

    def bound(self, place: Place) -> "Pattern":
        """The pattern for one task and device alone."""
        return Pattern(tuple(self.fill(place).split("/")))


def is_text(text: str) -> bool:
    """Whether a broker takes it: MQTT 5, section 1.5.4. It ends the connection otherwise."""
    return len(text.encode()) <= _MOST_TEXT_BYTES and not _NO_TEXT.search(text)


def is_topic(text: str) -> bool:
    """Whether something can be published there: no wildcard, nothing of the broker's own."""
    return bool(text) and is_text(text) and not NO_NAME.search(text) and not text.startswith("$")
