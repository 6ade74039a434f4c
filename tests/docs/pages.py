"""The pages, and what stands in them: fences, code spans and tables."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)


@dataclass(frozen=True)
class Found:
    """A piece of a page."""

    page: Path
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {' '.join(self.text.split())[:70]}"


def fences(*languages: str) -> Iterator[Found]:
    """The fenced blocks of these languages."""
    for page in PAGES:
        for match in _FENCE.finditer(page.read_text(encoding="utf-8")):
            if match["language"] in languages:
                lines = match["text"].splitlines()
                yield Found(page, "\n".join(line.removeprefix(match["indent"]) for line in lines))


def commands(program: str) -> Iterator[Found]:
    """The fenced command lines of a program, continued lines joined, comments left out."""
    for fence in fences("sh", "console"):
        for line in fence.text.replace("\\\n", " ").splitlines():
            command = line.removeprefix("$ ")
            if command.split(" ", 1)[0] == program:
                yield Found(fence.page, shlex.join(shlex.split(command, comments=True)))


def spans() -> Iterator[Found]:
    """The code spans outside of fences."""
    for page in PAGES:
        text = _FENCE.sub("", page.read_text(encoding="utf-8"))
        for span in re.findall(r"`([^`\n]+)`", text):
            yield Found(page, span)


def rows(page: Path, heading: str) -> list[list[str]]:
    """The rows of all tables of a page whose first column has this heading."""
    found: list[list[str]] = []
    is_in = False
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if not cells:
            is_in = False
        elif cells[0] == heading:
            is_in = True
        elif is_in and not set(cells[0]) <= set(":- "):
            found.append(cells)
    return found


def names(page: Path, heading: str) -> list[str]:
    """The code spans of the first column of those tables."""
    return [name for row in rows(page, heading) for name in re.findall(r"`([^`]+)`", row[0])]
