"""The house: what lies at its top, and that a module holds one idea."""

import shutil
import subprocess
from pathlib import Path

import pytest

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
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no checkout, so no list of tracked files")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tops = {name.split("/", 1)[0] for name in listed.stdout.splitlines()}
    assert tops == FOLDERS | FILES
