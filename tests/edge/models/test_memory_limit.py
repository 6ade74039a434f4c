"""Allocations fail before memory runs out."""

import subprocess
import sys
from pathlib import Path

import pytest
from ounce_edge.models.runtimes.memory_limit import free_bytes

MEMINFO = "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n"
V1, V2 = "5:memory:/a/b\n", "0::/a/b\n"
MB = 1_000_000


@pytest.mark.parametrize(
    ("groups", "files", "free"),
    [
        ("", {}, 8_192_000_000),
        (V2, {"a/b/memory.max": "max", "a/b/memory.current": "7"}, 8_192_000_000),
        (V2, {"memory.max": f"{900 * MB}", "memory.current": f"{600 * MB}"}, 300 * MB),
        (
            V2,
            {
                "a/memory.max": f"{900 * MB}",
                "a/memory.current": f"{600 * MB}",
                "a/memory.stat": f"anon 1\ninactive_file {50 * MB}\n",
                "a/b/memory.max": f"{500 * MB}",
                "a/b/memory.current": "0",
            },
            350 * MB,
        ),
        (
            V1,
            {
                "memory/a/b/memory.limit_in_bytes": f"{700 * MB}",
                "memory/a/b/memory.usage_in_bytes": f"{701 * MB}",
            },
            0,
        ),
    ],
)
def test_the_least_of_what_is_left_counts(
    tmp_path: Path, groups: str, files: dict[str, str], free: int
) -> None:
    told = {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups}
    told |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in told.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert free_bytes(tmp_path) == free


def test_nothing_is_known_of_another_system(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) is None


def test_a_process_that_wants_more_than_there_is_gets_an_error() -> None:
    program = """
import numpy
from ounce_edge.models.runtimes.memory_limit import free_bytes, limit_memory
free = free_bytes()
limit_memory()
numpy.empty(free // 4, "u1")  # no page of it is there yet
try:
    numpy.empty(free, "u1")
except MemoryError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "refused\n"


def test_a_limit_that_is_lower_stays(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    (tmp_path / "proc/self/status").write_text("VmData: 1000 kB\n")
    program = """
import resource, sys
from pathlib import Path
from ounce_edge.models.runtimes.memory_limit import limit_memory
limits = []
for soft in (2_000_000_000, 9_000_000_000):
    resource.setrlimit(resource.RLIMIT_DATA, (soft, resource.RLIM_INFINITY))
    limit_memory(Path(sys.argv[1]))
    limits.append(resource.getrlimit(resource.RLIMIT_DATA)[0])
print(*limits)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"2000000000 {1_024_000 + round(0.75 * 8_192_000_000)}\n"
