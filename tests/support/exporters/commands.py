"""Running `ounce` in a test's own process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs a command with arguments."""

    def __call__(self, *arguments: str | Path) -> Result: ...
