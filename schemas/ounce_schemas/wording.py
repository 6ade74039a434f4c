"""How messages to people put numbers and paths."""

import shlex
from pathlib import Path


def counted(n: float, one: str, many: str) -> str:
    """A number with what it counts, in the right one of two forms."""
    return f"{n:,.0f} {one if n == 1 else many}"


def shell_word(path: Path) -> str:
    """A path as one word of a command that a person copies into a shell."""
    return shlex.quote(str(path))
