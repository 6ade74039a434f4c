"""Letting a process's allocations fail before memory runs out.

Where it does run out, the system ends a process, and in a container often all of them
(`memory.oom.group`, which Kubernetes sets). A call that fails instead costs itself alone.
"""

import resource
from pathlib import Path

_SHARE = 0.75
"""Of what is free; others want some, too."""
_ROOT = Path("/")


def limit_memory(root: Path = _ROOT) -> None:
    """Let this process take most of what is free now, and no more. A limit that is lower stays.
    Nothing where it is unknown.

    Args:
        root: holds `proc` and `sys`.
    """
    free = free_bytes(root)
    taken = _figure(root / "proc/self/status", "VmData:", 1024)
    if free is not None and taken is not None:
        limits = resource.getrlimit(resource.RLIMIT_DATA)
        known = [limit for limit in limits if limit != resource.RLIM_INFINITY]
        most = min([taken + round(free * _SHARE), *known])
        resource.setrlimit(resource.RLIMIT_DATA, (most, limits[1]))


def free_bytes(root: Path = _ROOT) -> int | None:
    """What the machine and this process's control groups have left; None where nobody tells.

    Source: cgroups(7); the kernel's cgroup-v2.rst and cgroup-v1/memory.rst.
    """
    found = [_figure(root / "proc/meminfo", "MemAvailable:", 1024)]
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found += _left(root / "sys/fs/cgroup", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            of_v1 = "memory.limit_in_bytes", "memory.usage_in_bytes"
            found += _left(root / "sys/fs/cgroup/memory", path, *of_v1)
    return min((one for one in found if one is not None), default=None)


def _left(mount: Path, path: str, most: str, used: str) -> list[int | None]:
    """Of a group and those that it is in. In a container the mount begins at its own group."""
    places = [mount, *(mount / parent for parent in _parents(path))]
    return [_left_of(place, most, used) for place in places]


def _parents(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _left_of(place: Path, most: str, used: str) -> int | None:
    limits, taken = _lines(place / most), _lines(place / used)
    if not limits or not taken or not limits[0].isdigit():  # "max": none
        return None
    unused = _figure(place / "memory.stat", "inactive_file") or 0  # the system takes it back
    return max(int(limits[0]) - int(taken[0]) + unused, 0)


def _figure(path: Path, name: str, unit: int = 1) -> int | None:
    found = (line.split() for line in _lines(path))
    return next((int(words[1]) * unit for words in found if words and words[0] == name), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
