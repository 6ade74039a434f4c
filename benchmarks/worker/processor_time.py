"""Processor time of other processes: it swings less than a rate where others use the machine."""

import os
from pathlib import Path


def processor_s(pid: int) -> float:
    """Seconds that a process has run so far, all its threads together, from `/proc/PID/stat`.

    Raises:
        FileNotFoundError: there is no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
