"""A module holds one idea: none has more than 300 lines, tests included."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 300
PARTS = ("schemas", "edge", "exporters", "services", "benchmarks", "trials", "scripts", "tests")


def test_no_module_is_longer_than_one_idea() -> None:
    modules = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 200
    assert {path: n for path, n in lengths.items() if n > MOST_LINES} == {}
