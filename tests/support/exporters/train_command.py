"""Running `ounce train` in a test."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Train(Protocol):
    """Runs `ounce train` with arguments."""

    def __call__(self, *arguments: str | Path) -> Result: ...
