"""The house: what lies at its top, and that a module holds one idea."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 300
PARTS = ("schemas", "edge", "exporters", "services", "benchmarks", "trials", "scripts", "tests")
FOLDERS = {*PARTS, "docs", ".ci"}
FILES = {
    ".dockerignore", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md",
    "compose.yaml", "constraints.txt", "mkdocs.yml", "pyproject.toml",
}  # fmt: skip


def test_no_module_is_longer_than_one_idea() -> None:
    modules = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 200
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}


def test_nothing_stray_lies_at_the_top() -> None:
    assert {name for name in FOLDERS | FILES if not (ROOT / name).exists()} == set()
    assert _tracked_tops() <= FOLDERS | FILES


def _tracked_tops() -> set[str]:
    """Of a source archive, which is no checkout: nothing."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files"]
    if shutil.which("git") is None:
        return set()
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {name.split("/", 1)[0] for name in listed.stdout.splitlines()}
