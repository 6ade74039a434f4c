"""Running `ounce` in a test's own process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ounce_schemas.command import root


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs a command with arguments."""

    def __call__(self, *arguments: str | Path) -> Result: ...


def trained(models: Path, *arguments: str) -> Path:
    """The folder, in which `ounce train` made a ladder. In a process of its own it would import
    PyTorch and scikit-learn once more."""
    root.main(["train", *arguments, f"--models={models}"], standalone_mode=False)
    return models
