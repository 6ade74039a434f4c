"""A process ends with the one that started it, whatever the kernel does for that."""

import os
import subprocess
import sys

import pytest

WATCHES = """
import ctypes, fcntl, os, sys
from ounce_edge.models.runtimes.parent import end_with_parent

def refuse(*_):
    raise OSError(22, "Invalid argument")

{before}
end_with_parent()
print("there", flush=True)
{after}
"""
REFUSES = "fcntl.fcntl = refuse"
LOCKED = "ctypes.PyDLL(None).sleep(600)"
UNLOCKED = "ctypes.CDLL(None).sleep(600)"


def started(before: str, after: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", WATCHES.format(before=before, after=after)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("before", "after"), [("", LOCKED), ("", UNLOCKED), (REFUSES, UNLOCKED)])
def test_a_process_ends_once_its_line_does(before: str, after: str) -> None:
    with started(before, after) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "there\n"
        process.stdin.close()
        assert process.wait(60) != 0


def test_a_parent_that_is_gone_before_is_seen() -> None:
    with started("sys.stdin.read()", "") as process:
        out, _ = process.communicate("")
        assert (process.returncode, out) == (1, "")
